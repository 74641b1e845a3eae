package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// fromClause resolves FROM items left to right into l.from. What l.from holds
// while an item is resolved is what a LATERAL item may see.
func (r *resolver) fromClause(items []*pg.Node, l *queryLevel) {
	for _, n := range items {
		l.from.add(r.fromItem(n, l))
	}
}

// fromItem resolves one item of FROM.
func (r *resolver) fromItem(n *pg.Node, l *queryLevel) *namespace {
	switch f := n.Node.(type) {
	case *pg.Node_RangeVar:
		return r.rangeVar(f.RangeVar, l)
	case *pg.Node_JoinExpr:
		return r.join(f.JoinExpr, l)
	case *pg.Node_RangeSubselect:
		return r.rangeSubselect(f.RangeSubselect, l)
	case *pg.Node_RangeFunction:
		return r.rangeFunction(f.RangeFunction, l)
	case *pg.Node_RangeTableSample:
		for _, arg := range append(slices.Clip(f.RangeTableSample.Args), f.RangeTableSample.Repeatable) {
			r.use(r.expr(arg, l), "tablesample")
		}
		return r.fromItem(f.RangeTableSample.Relation, l)
	case *pg.Node_RangeTableFunc:
		return r.xmlTable(f.RangeTableFunc, l)
	case *pg.Node_JsonTable:
		return r.jsonTable(f.JsonTable, l)
	}
	r.unsupported("this kind of FROM item")
	return &namespace{}
}

// rangeVar resolves a name in FROM: a WITH query or a relation.
func (r *resolver) rangeVar(v *pg.RangeVar, l *queryLevel) *namespace {
	if v.Schemaname == "" {
		if c := l.cte(v.Relname); c != nil {
			columns := r.cteColumns(c)
			if c.state == cteResolving {
				columns = selfReference(c)
			}
			return namespaceOf(aliased(&table{name: v.Relname, columns: columns}, v.Alias))
		}
	}
	rel := r.relation(v)
	if rel == nil {
		return &namespace{}
	}
	t := &table{schema: rel.Schema, name: rel.Name, columns: r.relationColumns(rel), scan: scanOf(rel)}
	return namespaceOf(aliased(t, v.Alias))
}

// relationColumns are the columns that a relation offers. A view's are resolved
// through its definition. They must not be changed.
func (r *resolver) relationColumns(rel *Relation) []column {
	if !r.spend(len(rel.Columns)) {
		return nil
	}
	if rel.Definition != "" || rel.Locked {
		return r.viewColumns(rel)
	}
	if columns, ok := r.offeredColumns(rel); ok {
		return columns
	}
	out := r.declaredColumns(rel)
	for i, c := range rel.Columns {
		out[i].value = r.generated(rel, c, out[i].value)
	}
	if rel.Kind == 'v' && !rel.System {
		for i := range rel.Columns { // a view without a definition: nothing is known of it
			r.unsupported("view " + rel.Schema + "." + rel.Name)
			out[i].value = value{}
		}
	}
	return out
}

// generated adds to the value of a generated column what it is computed from,
// unless a label says what it holds.
func (r *resolver) generated(rel *Relation, c *ColumnInfo, v value) value {
	if c.Generated == "" {
		return v
	}
	if _, labelled := r.catalog.Label(r.scope.Policy, &c.TableColumn); labelled {
		return v
	}
	stmts, err := parse("SELECT " + c.Generated)
	if err != nil || len(stmts) != 1 {
		r.unsupported("the expression of generated column " + c.Name.String())
		return v
	}
	t := &table{name: rel.Name}
	for _, other := range rel.Columns {
		t.columns = append(t.columns, column{name: other.Name.Name, value: r.columnValue(other)})
	}
	// What can fail in it failed when the row was written.
	computed := &resolver{catalog: r.catalog, scope: r.scope, path: rel.Path, session: r.session, st: &rewrite.Statement{}, depth: r.depth, steps: r.steps}
	targets := stmts[0].Stmt.GetSelectStmt().GetTargetList()
	for _, made := range computed.targets(targets, &queryLevel{from: namespaceOf(t)}) {
		v.Value = rewrite.Value{Plain: v.Plain, Derived: derived(v, made.value).Derived, Nulls: made.value.Nulls}
	}
	r.st.Unknown = append(r.st.Unknown, computed.st.Unknown...)
	return v
}

func (r *resolver) columnValue(c *ColumnInfo) value {
	return r.typed(value{Value: rewrite.Of(&c.TableColumn), exact: true}, r.catalog.TypeByOID(c.TypeOID))
}

// maxDepth bounds views over views and functions calling functions.
const maxDepth = 16

// viewColumns resolves a view's own query. Its predicates count as uses: they
// decide which rows are seen.
func (r *resolver) viewColumns(rel *Relation) []column {
	columns, known := r.views[rel]
	if !known {
		if r.views == nil {
			r.views = map[*Relation][]column{}
		}
		columns = r.viewQuery(rel)
		if r.unreached == 0 { // else what can fail in it was not recorded
			r.views[rel] = columns
		}
	}
	return columns
}

func (r *resolver) viewQuery(rel *Relation) []column {
	name := rel.Schema + "." + rel.Name
	if r.depth >= maxDepth || rel.Locked {
		r.unsupported("view " + name + " (it is nested too deeply, or being changed)")
		return nil
	}
	query := r.catalog.query(rel)
	if query == nil {
		r.unsupported("the definition of view " + name)
		return nil
	}
	columns := r.definition(query, rel.Path)
	if len(columns) != len(rel.Columns) {
		r.unsupported("the definition of view " + name)
		return nil
	}
	out := make([]column, 0, len(columns)+len(hiddenColumns))
	for i, c := range rel.Columns {
		v := columns[i].value
		v.constant, v.literal = false, false
		v = r.declaredAs(v, c.TypeOID)
		// The view's own column may carry a label of its own.
		own := rewrite.Of(&c.TableColumn)
		v.Plain = append(v.Plain[:len(v.Plain):len(v.Plain)], own.Plain...)
		v.row, v.elements = fieldsWith(v.row, own), fieldsWith(v.elements, own)
		out = append(out, column{name: c.Name.Name, value: v})
	}
	return withHidden(out)
}

// fieldsWith are the fields of a row which is made of v too.
func fieldsWith(row []column, v rewrite.Value) []column {
	out := slices.Clone(row)
	for i := range out {
		field := out[i].value.Value
		out[i].value.Value = rewrite.Value{Plain: field.Plain, Derived: rewrite.Value{Derived: field.Derived}.Into(v).Derived}
	}
	return out
}

// definition resolves a query that the server printed, under the search path
// that it was printed for.
func (r *resolver) definition(query *pg.Node, printed []string) []column {
	path, reads := r.path, r.st.Effect.ReadsPath
	r.path = printed
	r.depth++
	columns := r.query(query, nil)
	r.depth--
	r.path, r.st.Effect.ReadsPath = path, reads || r.bodyReads
	return columns
}

// aliased gives a table another name, and its first columns other names.
func aliased(t *table, a *pg.Alias) *table {
	if a == nil {
		return t
	}
	out := &table{name: a.Aliasname, columns: t.columns, scan: t.scan}
	if len(a.Colnames) == 0 {
		return out
	}
	out.columns = make([]column, len(t.columns))
	copy(out.columns, t.columns)
	renameColumns(out.columns, strs(a.Colnames))
	return out
}

// renameColumns gives the first visible columns new names.
func renameColumns(columns []column, names []string) {
	for i := range columns {
		if len(names) == 0 {
			return
		}
		if !columns[i].hidden {
			columns[i].name, names = names[0], names[1:]
		}
	}
}

func (r *resolver) rangeSubselect(s *pg.RangeSubselect, l *queryLevel) *namespace {
	outer := l
	if !s.Lateral { // sees the queries around this one, but not its siblings
		outer = l.withoutFrom()
	}
	t := aliased(&table{columns: r.query(s.Subquery, outer)}, s.Alias)
	return namespaceOf(t)
}

// withoutFrom is l as a FROM item sees it that is not LATERAL: its WITH
// queries and what is around it, but none of its tables.
func (l *queryLevel) withoutFrom() *queryLevel {
	if l == nil {
		return nil
	}
	return &queryLevel{outer: l.outer, with: l.with, from: &namespace{}, args: l.args}
}

// join resolves a JOIN: the right side may see the left if it is LATERAL.
func (r *resolver) join(j *pg.JoinExpr, l *queryLevel) *namespace {
	before := *l.from
	left := r.fromItem(j.Larg, l)
	l.from.add(left)
	right := r.fromItem(j.Rarg, l)
	*l.from = before

	using := strs(j.UsingClause)
	if j.IsNatural {
		using = commonNames(left, right)
	}
	out := &namespace{tables: slices.Concat(left.tables, right.tables), parts: slices.Concat(left.parts, right.parts)}
	if len(using) > 0 {
		merged := &table{columns: r.mergedColumns(left, right, using, j.Jointype)}
		out.parts = append([]*table{merged}, without(using, out.parts)...)
		if j.JoinUsingAlias != nil {
			out.tables = append(out.tables, &table{name: j.JoinUsingAlias.Aliasname, columns: merged.columns})
		}
	}
	if j.Quals != nil { // sees the join, and none of what stands before it in FROM
		r.condition(j.Quals, &queryLevel{outer: l.outer, with: l.with, from: out, args: l.args}, "join")
	}
	if j.Alias != nil {
		return namespaceOf(aliased(&table{columns: visible(out.parts...)}, j.Alias))
	}
	return out
}

// mergedColumns are the columns of a join that stand for one of either side.
func (r *resolver) mergedColumns(left, right *namespace, using []string, kind pg.JoinType) []column {
	merged := make([]column, 0, len(using))
	for _, name := range using {
		a, okLeft := left.find(name)
		b, okRight := right.find(name)
		if !okLeft || !okRight {
			r.unknown(rewrite.Refusal{
				Code: rewrite.CodeUnknownName, SQLState: "42703",
				Message: "column " + quoteMessage(name) + " specified in USING clause does not exist in " + side(okLeft) + " table",
			})
			continue
		}
		r.compare(a, b, "join")
		both := r.mergedValue(a, b, kind)
		both.scan = nil
		merged = append(merged, column{name: name, value: both})
	}
	return merged
}

// without are tables without the columns of some names.
func without(names []string, tables []*table) []*table {
	gone := make(map[string]bool, len(names))
	for _, name := range names {
		gone[name] = true
	}
	out := make([]*table, len(tables))
	for i, t := range tables {
		rest := &table{scan: t.scan, columns: make([]column, 0, len(t.columns))}
		for _, c := range t.columns {
			if c.hidden || !gone[c.name] {
				rest.columns = append(rest.columns, c)
			}
		}
		out[i] = rest
	}
	return out
}

// mergedValue is a column that two sides are joined by. An inner join gives
// either side's: the server prefers the one that needs no cast.
func (r *resolver) mergedValue(a, b value, kind pg.JoinType) value {
	out := branch(a, b)
	switch {
	case kind == pg.JoinType_JOIN_LEFT, kind == pg.JoinType_JOIN_INNER && r.sameType(a, b):
		a.typ = out.typ
		return a
	case kind == pg.JoinType_JOIN_RIGHT:
		b.typ = out.typ
		return b
	}
	out.exact = kind == pg.JoinType_JOIN_INNER && a.exact && b.exact
	return out
}

// sameType reports whether two columns are of one type, with the same modifier.
func (r *resolver) sameType(a, b value) bool {
	left, right := a.columns(), b.columns()
	if len(left) == 0 || len(right) == 0 || a.declared == nil || a.declared != b.declared {
		return false
	}
	return r.typmod(left[0]) == r.typmod(right[0])
}

// typmod is the modifier of a column's type, such as its length.
func (r *resolver) typmod(c *rewrite.TableColumn) int32 {
	if rel := r.catalog.RelationByOID(c.Rel); rel != nil {
		if info := rel.Attribute(c.Att); info != nil {
			return info.Typmod
		}
	}
	return -1
}

func side(left bool) string {
	if left {
		return "right"
	}
	return "left"
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// commonNames are the columns that NATURAL joins by, in the left side's order.
func commonNames(left, right *namespace) []string {
	names := map[string]bool{} // true until it is listed
	for _, c := range visible(right.parts...) {
		names[c.name] = true
	}
	var out []string
	for _, c := range visible(left.parts...) {
		if names[c.name] {
			names[c.name] = false
			out = append(out, c.name)
		}
	}
	return out
}

// rangeFunction resolves functions in FROM. They may always see what stands
// before them.
func (r *resolver) rangeFunction(f *pg.RangeFunction, l *queryLevel) *namespace {
	t := &table{}
	for i, n := range f.Functions {
		item := n.GetList().GetItems()
		definitions := f.Coldeflist
		if len(item) > 1 && item[1].GetList() != nil {
			definitions = item[1].GetList().Items
		}
		made := r.functionTable(item[0], definitions, l)
		if i == 0 {
			t.name = made.name
		}
		if made.scalar && len(f.Functions) == 1 && f.Alias != nil {
			made.columns[0].name = f.Alias.Aliasname // a scalar function's column is named like its table
		}
		t.columns = append(t.columns, made.columns...)
	}
	if f.Ordinality {
		t.columns = append(t.columns, column{name: "ordinality"})
	}
	return namespaceOf(aliased(t, f.Alias))
}

// A functionTable is what one function in FROM gives.
type functionTable struct {
	name    string // that it goes by
	columns []column
	scalar  bool // one column, which has no name of its own
}

func (r *resolver) functionTable(n *pg.Node, definitions []*pg.Node, l *queryLevel) functionTable {
	v := r.expr(n, l)
	out := functionTable{name: r.columnName(n)}
	if len(definitions) > 0 {
		for i, d := range definitions {
			c := column{name: d.GetColumnDef().GetColname(), value: r.castType(tells(derived(v)), d.GetColumnDef().GetTypeName())}
			if len(v.row) == len(definitions) {
				c.value.Value = v.row[i].value.Value
			}
			out.columns = append(out.columns, c)
		}
		return out
	}
	if call := n.GetFuncCall(); call != nil && v.row == nil {
		out.columns = r.outColumns(call, v)
	}
	switch {
	case out.columns != nil:
	case v.row != nil:
		out.columns = v.row
	case v.mayBeRow():
		r.unsupported("function " + out.name + " in FROM, whose columns are not known,")
	default:
		out.columns, out.scalar = []column{{name: out.name, value: v}}, true
	}
	return out
}

// outColumns are the columns of a function that the catalog says returns a
// row, nil when it returns none. Functions of one name that return different
// columns are refused: the server chooses by types.
func (r *resolver) outColumns(call *pg.FuncCall, v value) []column {
	var names []string
	for i, own := range r.callResults(call) {
		if i > 0 && !slices.Equal(names, own) {
			r.unsupported("a call of one of several functions that return different columns")
			return nil
		}
		names = own
	}
	if len(names) == 0 {
		return nil
	}
	columns := make([]column, len(names))
	for i := range names {
		columns[i] = column{name: names[i], value: tells(derived(value{Value: v.Value}))}
		if len(v.row) == len(names) {
			columns[i].value = v.row[i].value
		}
	}
	return columns
}

// callResults are the names of the result columns of each function that a call
// may mean; none for a function that returns one value.
func (r *resolver) callResults(call *pg.FuncCall) [][]string {
	schema, name := splitName(call.Funcname)
	var results [][]string
	for _, f := range r.userFunctions(schema, name) {
		if f.takes(len(call.Args)) {
			results = append(results, r.resultNames(f))
		}
	}
	if schema == standardFunctions {
		for _, f := range r.catalog.Functions(schema, name) {
			results = append(results, r.resultNames(f))
		}
	}
	if (schema != "" && schema != systemSchema) || !Judge(systemSchema, name, "").Known {
		return results
	}
	if name == "unnest" { // its value says what it returns
		return append(results, nil)
	}
	rows := 0
	for _, f := range r.catalog.Functions(systemSchema, name) {
		if own := r.resultNames(f); len(own) > 0 && f.takes(len(call.Args)) {
			results = append(results, own)
			rows++
		}
	}
	if rows == 0 {
		results = append(results, nil)
	}
	return results
}

// A resultColumn is one column that a function returns.
type resultColumn struct {
	name string
	typ  uint32
}

// resultColumns are the columns of a function's result; row is false when it is
// one value, whose name, if it has one, stands alone then.
func (r *resolver) resultColumns(f *Function) (columns []resultColumn, row bool) {
	t := r.baseType(r.catalog.TypeByOID(f.Returns))
	if t != nil && t.Kind == 'c' {
		if rel := r.catalog.RelationByOID(t.Relation); rel != nil {
			for _, c := range rel.Columns {
				columns = append(columns, resultColumn{c.Name.Name, c.TypeOID})
			}
		}
		return columns, true
	}
	for i, mode := range f.ArgModes {
		if mode != 'o' && mode != 'b' && mode != 't' {
			continue
		}
		c := resultColumn{name: "column" + itoa(len(columns)+1), typ: f.ArgTypes[i]}
		if i < len(f.ArgNames) && f.ArgNames[i] != "" {
			c.name = f.ArgNames[i]
		}
		columns = append(columns, c)
	}
	return columns, t != nil && t.Schema == systemSchema && t.Name == "record"
}

// resultNames are the names of a function's result columns, nil when it
// returns one value without a name.
func (r *resolver) resultNames(f *Function) []string {
	columns, _ := r.resultColumns(f)
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// xmlTable resolves XMLTABLE: its columns are derived from the document.
func (r *resolver) xmlTable(x *pg.RangeTableFunc, l *queryLevel) *namespace {
	document := derived(r.expr(x.Docexpr, l), r.expr(x.Rowexpr, l))
	for _, n := range x.Namespaces {
		r.expr(n.GetResTarget().GetVal(), l)
	}
	r.fallible(document)
	t := &table{name: "xmltable"}
	for _, n := range x.Columns {
		c := n.GetRangeTableFuncCol()
		v := tells(derived(document, r.expr(c.Colexpr, l), r.expr(c.Coldefexpr, l)))
		t.columns = append(t.columns, column{name: c.Colname, value: v})
	}
	return namespaceOf(aliased(t, x.Alias))
}

// jsonTable resolves JSON_TABLE: its columns are derived from the document.
func (r *resolver) jsonTable(j *pg.JsonTable, l *queryLevel) *namespace {
	if r.catalog.ServerVersion < version17 {
		r.unsupported("JSON_TABLE, which the server does not know,")
		return &namespace{}
	}
	document := derived(r.expr(j.ContextItem.GetRawExpr(), l))
	for _, n := range j.Passing {
		document = derived(document, r.expr(n.GetJsonArgument().GetVal().GetRawExpr(), l))
	}
	r.fallible(document)
	t := &table{name: "json_table"}
	r.jsonTableColumns(t, j.Columns, document, l)
	return namespaceOf(aliased(t, j.Alias))
}

func (r *resolver) jsonTableColumns(t *table, nodes []*pg.Node, document value, l *queryLevel) {
	for _, n := range nodes {
		c := n.GetJsonTableColumn()
		if c.Coltype == pg.JsonTableColumnType_JTC_NESTED {
			r.jsonTableColumns(t, c.Columns, document, l)
			continue
		}
		v := tells(derived(document, r.expr(c.OnEmpty.GetExpr(), l), r.expr(c.OnError.GetExpr(), l)))
		t.columns = append(t.columns, column{name: c.Name, value: v})
	}
}
