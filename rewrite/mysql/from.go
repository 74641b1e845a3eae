package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// fromClause resolves FROM into l.from. What l.from holds while an item is
// resolved is what a LATERAL item may see.
func (r *resolver) fromClause(from *ast.TableRefsClause, l *level) {
	if from == nil || from.TableRefs == nil {
		return
	}
	r.within("from clause", "from", func() { l.from.add(r.fromItem(from.TableRefs, l)) })
}

// fromItem resolves one item of FROM.
func (r *resolver) fromItem(n ast.ResultSetNode, l *level) *namespace {
	switch f := n.(type) {
	case *ast.Join:
		return r.join(f, l)
	case *ast.TableSource:
		return r.tableSource(f, l)
	case *ast.TableName:
		return r.tableName(f, "", l)
	case *ast.SelectStmt, *ast.SetOprStmt:
		return namespaceOf(&table{columns: r.query(n, l.withoutFrom())})
	}
	r.unsupported("this kind of FROM item")
	return &namespace{}
}

func (r *resolver) tableSource(s *ast.TableSource, l *level) *namespace {
	switch source := s.Source.(type) {
	case *ast.TableName:
		return r.tableName(source, s.AsName.O, l)
	case *ast.Join:
		return r.join(source, l)
	}
	outer := l
	if !s.Lateral { // sees the queries around this one, but not its siblings
		outer = l.withoutFrom()
	}
	columns := slices.Clone(r.query(s.Source, outer))
	names := slices.Clone(r.in.lists[s.AsName.O].names)
	for _, name := range s.ColumnNames {
		names = append(names, name.O)
	}
	for i, name := range names {
		if i < len(columns) {
			columns[i].name, columns[i].guess = name, false
		}
	}
	for i := range columns { // whatever it is made of, it is a column now
		columns[i].hidden = false
		columns[i].value.constant, columns[i].value.literal, columns[i].value.null = false, false, false
	}
	return namespaceOf(&table{name: s.AsName.O, columns: columns})
}

// tableName resolves a name in FROM: a WITH query, a relation, or what stands in
// for JSON_TABLE.
func (r *resolver) tableName(n *ast.TableName, alias string, l *level) *namespace {
	if columns, ok := r.standIn(n, l); ok {
		return namespaceOf(&table{name: alias, columns: columns})
	}
	if n.AsOf != nil {
		r.unsupported("AS OF")
	}
	if n.Schema.O == "" {
		exact, near := l.cte(n.Name.O)
		if exact == nil && (r.catalog.foldTables || r.mode.flavour == flavourMariaDB) {
			exact, near = near, nil
		}
		if exact != nil {
			return namespaceOf(&table{name: orElse(alias, n.Name.O), columns: r.cteColumns(exact)})
		}
		if near != nil {
			r.unsupported("a name that differs from a WITH query's in upper and lower case only")
			return &namespace{}
		}
	}
	rel := r.relation(n.Schema.O, n.Name.O)
	if rel == nil {
		return &namespace{}
	}
	t := &table{schema: rel.Schema, name: n.Name.O, columns: scanned(rel, r.relationColumns(rel))}
	if alias != "" {
		t.name = alias
	}
	return namespaceOf(t)
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// relationColumns are the columns that a relation offers. A view's are resolved
// through its definition.
func (r *resolver) relationColumns(rel *Relation) []column {
	if rel.Kind == View {
		return r.viewColumns(rel)
	}
	out := make([]column, 0, len(rel.Columns))
	for _, c := range rel.Columns {
		out = append(out, column{name: c.Name.Name, value: r.generated(c), hidden: c.hidden})
	}
	return out
}

// generated is a column's value. A generated column is made of what it is
// computed from, unless a label says what it holds.
func (r *resolver) generated(c *Column) value {
	v := columnValue(c)
	if len(c.from) == 0 {
		return v
	}
	if _, labelled := r.catalog.Label(r.scope.Policy, &c.TableColumn); labelled {
		return v
	}
	for _, other := range c.from { // which may only be generated ones that stand before it
		v.Value = rewrite.Value{Plain: v.Plain, Derived: derived(value{Value: rewrite.Value{Derived: v.Derived}}, r.generated(other)).Derived}
	}
	return v
}

func columnValue(c *Column) value {
	return value{
		Value: rewrite.Of(&c.TableColumn), exact: true, kind: c.kind, digits: c.digits, scale: c.scale, unsigned: c.unsigned, length: c.length,
		certain: c.notNull, calm: true,
	}
}

// maxDepth bounds views over views and routines calling routines.
const maxDepth = 16

// viewColumns resolves a view's own query. Its predicates count as uses: they
// decide which rows are seen.
func (r *resolver) viewColumns(rel *Relation) []column {
	if r.depth >= maxDepth || rel.Definition == "" {
		r.unsupported("view " + rel.String() + " (its definition cannot be read, or it is nested too deeply)")
		return nil
	}
	view := rel.query()
	if view.node == nil {
		r.unsupported("the definition of view " + rel.String())
		return nil
	}
	var columns []column
	r.inside(view.in, rel.Schema, func() { columns = r.query(view.node, nil) })
	if len(columns) != len(rel.Columns) {
		r.unsupported("the definition of view " + rel.String())
		return nil
	}
	out := make([]column, len(columns))
	for i, c := range rel.Columns {
		v := columns[i].value
		v.constant, v.literal, v.null = false, false, false
		// The view's own column may carry a label of its own.
		v.Plain = append(slices.Clip(v.Plain), rewrite.Source{Column: &c.TableColumn})
		if v.kind == typeUnknown {
			v.kind, v.digits, v.scale, v.unsigned, v.length = c.kind, c.digits, c.scale, c.unsigned, c.length
		}
		out[i] = column{name: c.Name.Name, value: v, hidden: c.hidden}
	}
	return out
}

// A viewQuery is a view's definition, parsed; node is nil when it cannot be.
type viewQuery struct {
	in   *input
	node ast.ResultSetNode
}

// parseView parses a view's definition, which the server prints as the default
// mode reads it.
func parseView(definition, defaults string) viewQuery {
	m := parseMode("", defaults)
	m.setSQLMode("")
	m.charset, m.connection = "utf8mb4", "utf8mb4"
	in, _, _ := split(definition, 0, false, &m)
	if in.fault != nil || guard(in.raw, in.tokens) != nil {
		return viewQuery{}
	}
	in, ok := in.readableByParser()
	if !ok {
		return viewQuery{}
	}
	node, err := parse(in.text, &m)
	if err != nil || !in.hasLists(node, in.start, in.end) {
		return viewQuery{}
	}
	query, _ := node.(ast.ResultSetNode)
	return viewQuery{in, query}
}

// inside resolves another text than the statement's own, with its own current
// database, one level deeper.
func (r *resolver) inside(in *input, schema string, resolve func()) {
	outer := *r
	r.in, r.mode, r.base = in, in.mode, in.start
	r.schema, r.unsure = schema, false
	r.depth++
	resolve()
	r.in, r.mode, r.base, r.schema, r.unsure, r.depth = outer.in, outer.mode, outer.base, outer.schema, outer.unsure, outer.depth
}

// join resolves a JOIN: the right side may see the left if it is LATERAL.
func (r *resolver) join(j *ast.Join, l *level) *namespace {
	if j.Right == nil {
		return r.fromItem(j.Left, l)
	}
	before := *l.from
	left := r.fromItem(j.Left, l)
	l.from = &namespace{tables: slices.Concat(before.tables, left.tables), parts: slices.Concat(before.parts, left.parts)}
	right := r.fromItem(j.Right, l)
	l.from = &before

	out := &namespace{tables: slices.Concat(left.tables, right.tables), parts: slices.Concat(left.parts, right.parts)}
	var using []string
	for _, c := range j.Using {
		using = append(using, c.Name.O)
	}
	if j.NaturalJoin {
		if unsureNames(left.parts) || unsureNames(right.parts) {
			r.unsupported("a natural join of columns whose names servers make differently")
		}
		using = commonNames(left, right)
	}
	if len(using) > 0 {
		out.parts = [][]column{r.mergeColumns(left, right, using, j.Tp)}
	}
	if j.On != nil {
		in := &level{outer: l.outer, with: l.with, from: out, locals: l.locals}
		r.within("on clause", "join", func() { r.condition(j.On.Expr, in) })
	}
	return out
}

// mergeColumns is the column list of a join by columns of the same name: the
// merged ones first, then the rest of the left and of the right side; a RIGHT
// JOIN's other way round.
func (r *resolver) mergeColumns(left, right *namespace, using []string, kind ast.JoinType) []column {
	first, second := left, right
	if kind == ast.RightJoin {
		first, second = right, left
	}
	var merged []column
	for _, name := range inOrder(using, first) {
		a, okLeft := find(name, left.parts...)
		b, okRight := find(name, right.parts...)
		if !okLeft || !okRight {
			r.within("from clause", "join", func() { r.noColumn(name) })
			continue
		}
		r.compare(a, b, "join")
		v := a
		if kind == ast.RightJoin {
			v = b
		}
		merged = append(merged, column{name: name, value: v})
	}
	for _, columns := range slices.Concat(first.parts, second.parts) {
		for _, c := range columns {
			if c.hidden || !contains(using, c.name) {
				merged = append(merged, c)
			}
		}
	}
	return merged
}

// inOrder is the names of USING in the order of the columns of a side.
func inOrder(using []string, side *namespace) []string {
	var out []string
	for _, columns := range side.parts {
		for _, c := range columns {
			if contains(using, c.name) && !contains(out, c.name) {
				out = append(out, c.name)
			}
		}
	}
	for _, name := range using {
		if !contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// commonNames are the columns that NATURAL joins by.
func commonNames(left, right *namespace) []string {
	var out []string
	for _, c := range visible(left.parts...) {
		if _, ok := find(c.name, visible(right.parts...)); ok && !contains(out, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}
