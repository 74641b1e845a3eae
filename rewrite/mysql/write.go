package mysql

import (
	"errors"
	"slices"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// A target is a table that a statement writes.
type target struct {
	relation *Relation
	table    *table
}

var errReturning = errors.New("what follows RETURNING is not a list")

// target opens the table that a statement writes, under its alias.
func (r *resolver) target(n ast.ResultSetNode) *target {
	alias := ""
	for {
		switch s := n.(type) {
		case *ast.Join:
			if s.Right != nil {
				r.unsupported("writing to a join")
				return nil
			}
			n = s.Left
			continue
		case *ast.TableSource:
			alias = s.AsName.O
			n = s.Source
			continue
		}
		break
	}
	name, ok := n.(*ast.TableName)
	if !ok {
		r.unsupported("writing to this")
		return nil
	}
	rel := r.relation(name.Schema.O, name.Name.O)
	if rel == nil {
		return nil
	}
	return r.targetOf(rel, orElse(alias, name.Name.O))
}

func (r *resolver) targetOf(rel *Relation, name string) *target {
	r.strict = true
	t := &target{relation: rel, table: &table{schema: rel.Schema, name: name, columns: r.relationColumns(rel)}}
	for _, c := range rel.Columns {
		r.touch(t.column(c.Name.Name))
	}
	return t
}

// column is the base table column that writing to a column of the target
// changes: through an updatable view it is the view's source.
func (t *target) column(name string) *rewrite.TableColumn {
	if v, ok := t.table.find(name); ok && len(v.Plain) > 0 {
		return v.Plain[0].Column
	}
	if c := t.relation.Column(name); c != nil {
		return &c.TableColumn
	}
	return nil
}

// assign records that v is written to a column.
func (r *resolver) assign(t *target, name string, v value) {
	if t.relation.Column(name) == nil {
		r.noColumn(name)
		return
	}
	r.written(t.column(name), t.relation.String()+"."+name, v)
	r.stored(v, columnValue(t.relation.Column(name)))
}

// written records that v is written to a column.
func (r *resolver) written(column *rewrite.TableColumn, into string, v value) {
	r.changes(column)
	if v.constant && column != nil {
		if v.literal || v.param > 0 {
			r.st.Writes = append(r.st.Writes, rewrite.Write{Target: column, Text: v.text, Literal: v.literal, Param: v.param})
			_, guarded := r.catalog.Label(r.scope.Policy, column)
			r.st.LiteralFree = r.st.LiteralFree && !(v.literal && guarded)
		}
		return
	}
	if v.None() {
		return
	}
	r.st.Flows = append(r.st.Flows, rewrite.Flow{Target: column, Value: v.Value, Into: "column " + into})
}

// changes records that values of a column change.
func (r *resolver) changes(column *rewrite.TableColumn) {
	if column != nil {
		r.st.Changes = append(r.st.Changes, column)
	}
}

// touch records that a row with this column is written.
func (r *resolver) touch(column *rewrite.TableColumn) {
	if column != nil {
		r.st.Writes = append(r.st.Writes, rewrite.Write{Target: column})
	}
}

// returning cuts RETURNING off a statement of MariaDB; at is where its list
// begins, -1 when it has none.
func (r *resolver) returning() (in *input, at int) {
	if r.mode.flavour != flavourMariaDB {
		return r.in, -1
	}
	at = r.in.find(1, "RETURNING")
	if at < 0 {
		return r.in, -1
	}
	return r.in.blank(at, len(r.in.tokens)), at + 1
}

// writes resolves a statement that may have RETURNING: resolve gets what
// comes before it, and returns what its list sees.
func (r *resolver) writes(l *level, resolve func(ast.StmtNode) *target) (columns []column, rows bool) {
	outer := r.in
	in, list := r.returning()
	r.in = in
	defer func() { r.in = outer }()
	cut, ok := r.in.readableByParser()
	if !ok {
		r.unsupported("this JSON_TABLE")
	}
	r.in = cut
	node, err := r.parse("", cut.start, cut.end)
	if err != nil {
		r.unparsed(err)
		return nil, true
	}
	t := resolve(node)
	if list < 0 {
		return nil, false
	}
	r.in = outer
	from := &namespace{}
	if t != nil {
		from = namespaceOf(t.table)
	}
	ok = r.selected(list, len(outer.tokens), func(fields *ast.FieldList) {
		r.within("field list", "", func() { columns = r.fields(fields, &level{outer: l, from: from}) })
	})
	if !ok {
		r.unparsed(errReturning)
	}
	return columns, true
}

// insertStatement resolves INSERT and REPLACE. The alias of the new row, which
// the parser does not know, is cut out.
func (r *resolver) insertStatement(l *level) (columns []column, rows bool) {
	outer := r.in
	defer func() { r.in = outer }()
	alias := r.rowAlias()
	return r.writes(l, func(n ast.StmtNode) *target {
		s, ok := n.(*ast.InsertStmt)
		if !ok {
			r.refuseKind(string(r.st.Kind))
			return nil
		}
		inner := l.under()
		var t *target
		r.within("field list", "", func() {
			t = r.insertTarget(s)
			if t != nil {
				r.insertInto(s, t, inner, alias)
			}
		})
		return t
	})
}

// A rowAlias is what INSERT ... VALUES (...) AS new(a, b) calls the new row.
type rowAlias struct {
	name    string
	columns []string
}

// rowAlias cuts AS new(a, b) out of an INSERT of MySQL 8.
func (r *resolver) rowAlias() *rowAlias {
	on := r.in.find(1, "ON")
	if on < 0 || r.mode.flavour == flavourMariaDB {
		return nil
	}
	at := r.in.find(1, "AS")
	if at < 0 || at > on {
		return nil
	}
	name, ok := r.in.identifier(at + 1)
	if !ok {
		return nil
	}
	alias := &rowAlias{name: name}
	end := at + 2
	if r.in.tokens[end].kind == tokenOpen {
		closing := r.in.closing(end)
		for i := end + 1; i < closing; i += 2 {
			column, ok := r.in.identifier(i)
			if !ok {
				return nil
			}
			alias.columns = append(alias.columns, column)
		}
		end = closing + 1
	}
	if end != on {
		return nil
	}
	r.in = r.in.blank(at, end)
	return alias
}

func (r *resolver) insertTarget(s *ast.InsertStmt) *target {
	if s.Table == nil || s.Table.TableRefs == nil {
		r.unsupported("this INSERT")
		return nil
	}
	return r.target(s.Table.TableRefs)
}

// insert resolves an INSERT that is a part of another statement.
func (r *resolver) insert(s *ast.InsertStmt, l *level, alias *rowAlias) []column {
	if t := r.insertTarget(s); t != nil {
		r.insertInto(s, t, l, alias)
	}
	return nil
}

func (r *resolver) insertInto(s *ast.InsertStmt, t *target, l *level, alias *rowAlias) {
	var names []string
	for _, c := range s.Columns {
		names = append(names, c.Name.O)
	}
	if names == nil {
		for _, c := range visible(t.table.columns) {
			names = append(names, c.name)
		}
	}
	// Expressions see the columns of the row that is being made.
	in := &level{outer: l.outer, with: l.with, locals: l.locals, from: namespaceOf(t.table)}
	for _, row := range s.Lists {
		r.sameCount(len(row), len(names))
		for i, n := range row {
			v := r.expr(n, in)
			if i < len(names) {
				r.assign(t, names[i], v)
			}
		}
	}
	see := namespaceOf(t.table)
	if s.Select != nil {
		see.add(r.insertRows(s.Select, t, names, l))
	}
	if alias != nil {
		see.add(namespaceOf(newRow(t, names, alias)))
	}
	on := &level{outer: l.outer, with: l.with, locals: l.locals, from: see}
	var assigned []assigned
	for _, a := range s.OnDuplicate {
		v := r.expr(a.Expr, on)
		r.assign(t, a.Column.Name.O, v)
		assigned = append(assigned, assignedTo(t.column(a.Column.Name.O), v))
	}
	r.noticed(assigned)
	switch {
	case len(s.OnDuplicate) > 0:
		r.counts(rewrite.CountsUpsert)
	case s.IsReplace:
		r.counts(rewrite.CountsReplaced)
		for _, c := range t.relation.Columns {
			r.countsWithin(&c.TableColumn)
		}
	}
}

// countsWithin notes that a procedure which is called writes a column: if that is
// protected, what the CALL counts may tell of it.
func (r *resolver) countsWithin(column *rewrite.TableColumn) {
	if _, labelled := r.catalog.Label(r.scope.Policy, column); (labelled || r.scope.Policy.UnlabelledMasked()) && (r.anonymous || r.depth > 0 && r.st.Kind == "CALL") {
		r.st.Effect.Counts = rewrite.CountsWithin
	}
}

// counts notes how the statement counts its rows.
func (r *resolver) counts(as rewrite.Counts) {
	if r.depth == 0 && !r.anonymous {
		r.st.Effect.Counts = as
	}
}

// insertRows records the rows of a query that an INSERT writes, and returns what
// ON DUPLICATE KEY UPDATE sees of it.
func (r *resolver) insertRows(n ast.ResultSetNode, t *target, names []string, l *level) *namespace {
	columns := r.query(n, l)
	r.sameCount(len(columns), len(names))
	for i, c := range columns {
		if i < len(names) {
			r.assign(t, names[i], c.value)
		}
	}
	s, ok := n.(*ast.SelectStmt)
	if !ok || s.From == nil {
		return &namespace{}
	}
	in := l.under()
	r.with(s.With, in)
	r.fromClause(s.From, in)
	return in.from
}

// sameCount refuses a row that has another number of columns than what it is
// written to, unless it has none, which stands for the defaults. The server does,
// too, if it counts as we do.
func (r *resolver) sameCount(values, columns int) {
	if values != columns && values != 0 {
		r.unknown(rewrite.Refusal{Code: rewrite.CodeUnknownName, SQLState: "21S01", Message: "Column count doesn't match value count"})
	}
}

// newRow is the table that an alias of the new row stands for.
func newRow(t *target, names []string, alias *rowAlias) *table {
	out := &table{name: alias.name}
	for i, name := range names {
		v, _ := t.table.find(name)
		if i < len(alias.columns) {
			name = alias.columns[i]
		}
		out.columns = append(out.columns, column{name: name, value: v.opaque()})
	}
	return out
}

// inserted is VALUES(column): at most as protected as the column itself.
func (r *resolver) inserted(e *ast.ValuesExpr, l *level) value {
	return r.columnName(e.Column.Name, l).opaque()
}

// update resolves UPDATE of one table or several.
func (r *resolver) update(s *ast.UpdateStmt, l *level) {
	r.strict = true
	r.with(s.With, l)
	if s.TableRefs == nil {
		r.unsupported("this UPDATE")
		return
	}
	r.fromClause(s.TableRefs, l)
	var all []assigned
	for _, a := range s.List {
		r.within("field list", "", func() { all = append(all, r.assignment(a, l)) })
		r.touchTables(l, func(t *table) bool { return r.mayHold(a.Column, t) }, r.touch)
	}
	r.noticed(all)
	r.filtered(s.Where, s.Order, s.Limit, l)
}

// assignment is column = expression of an UPDATE.
func (r *resolver) assignment(a *ast.Assignment, l *level) assigned {
	v := r.expr(a.Expr, l)
	written := r.columnName(a.Column, l)
	if len(written.Plain) == 0 {
		if !written.None() {
			r.unsupported("writing to column " + a.Column.Name.O)
		}
		return assigned{}
	}
	column := written.Plain[0].Column
	r.written(column, column.Name.String(), v)
	r.stored(v, written)
	return assignedTo(column, v)
}

// assigned is a column that an UPDATE gives a value: a constant or any other.
type assigned struct {
	column *rewrite.TableColumn
	form   rewrite.Form
}

func assignedTo(column *rewrite.TableColumn, v value) assigned {
	if v.constant {
		return assigned{column, rewrite.FormEqualConstant}
	}
	return assigned{column, rewrite.FormOther}
}

// noticed records an UPDATE as a comparison of the values that it writes with those
// that were there, where its table shows whether there was a difference: by a
// column that the server sets when a row changes, unless the statement sets it
// too, or by earlier versions of its rows.
func (r *resolver) noticed(all []assigned) {
	for _, a := range all {
		if a.column == nil {
			continue
		}
		r.countsWithin(a.column)
		rel := r.catalog.relationOf(a.column.Rel)
		if rel == nil || !rel.noticesChanges(func(c *Column) bool {
			return slices.ContainsFunc(all, func(b assigned) bool { return b.column == &c.TableColumn })
		}) {
			continue
		}
		r.record(rewrite.Use{Column: a.column, In: "set", Form: a.form})
	}
}

// mayHold says whether a column that is assigned to may be one of t.
func (r *resolver) mayHold(c *ast.ColumnName, t *table) bool {
	if c.Table.O != "" {
		return r.sameName(t.name, c.Table.O)
	}
	_, ok := t.find(c.Name.O)
	return ok
}

// touchTables records each column of those tables in FROM which which is true for:
// their rows are written.
func (r *resolver) touchTables(l *level, which func(*table) bool, record func(*rewrite.TableColumn)) {
	for _, t := range l.from.tables {
		if t.schema == "" || !which(t) {
			continue
		}
		for _, c := range t.columns {
			for _, s := range c.value.Plain {
				record(s.Column)
			}
		}
	}
}

// filtered records what decides which rows an UPDATE or DELETE concerns.
func (r *resolver) filtered(where ast.ExprNode, order *ast.OrderByClause, limit *ast.Limit, l *level) {
	if where != nil {
		r.within("where clause", "where", func() { r.condition(where, l) })
	}
	r.orderBy(order, nil, l)
	r.limit(limit, l)
}

// deleteStatement resolves DELETE.
func (r *resolver) deleteStatement(l *level) (columns []column, rows bool) {
	return r.writes(l, func(n ast.StmtNode) *target {
		s, ok := n.(*ast.DeleteStmt)
		if !ok {
			r.refuseKind(string(r.st.Kind))
			return nil
		}
		inner := l.under()
		r.delete(s, inner)
		if len(inner.from.tables) != 1 {
			return nil
		}
		return &target{table: inner.from.tables[0]}
	})
}

func (r *resolver) delete(s *ast.DeleteStmt, l *level) []column {
	r.strict = true
	r.with(s.With, l)
	r.fromClause(s.TableRefs, l)
	deleted := map[*table]bool{}
	if s.Tables != nil {
		for _, t := range s.Tables.Tables {
			if found := r.table(l, t.Schema.O, t.Name.O); found != nil {
				deleted[found] = true
			} else {
				r.unknown(rewrite.Refusal{
					Code: rewrite.CodeUnknownName, SQLState: "42S02", Message: "Unknown table '" + t.Name.O + "' in MULTI DELETE",
				})
			}
		}
	}
	which := func(t *table) bool { return s.Tables == nil || deleted[t] }
	r.touchTables(l, which, r.touch)
	r.touchTables(l, which, r.changes)
	r.filtered(s.Where, s.Order, s.Limit, l)
	return nil
}

// loadData is LOAD DATA: the client's own data goes into a table. A file of the
// server's may hold anything.
func (r *resolver) loadData(s *ast.LoadDataStmt, l *level) {
	if s.FileLocRef != ast.FileLocClient {
		r.refuseKind("LOAD DATA of a file of the server")
	}
	t := r.target(s.Table)
	if t == nil {
		return
	}
	for _, c := range s.ColumnsAndUserVars {
		if c.ColumnName != nil && t.relation.Column(c.ColumnName.Name.O) == nil {
			r.noColumn(c.ColumnName.Name.O)
		}
	}
	if s.OnDuplicate == ast.OnDuplicateKeyHandlingReplace {
		r.counts(rewrite.CountsReplaced)
	}
	for _, c := range t.relation.Columns {
		if len(s.ColumnsAndUserVars) == 0 || slices.ContainsFunc(s.ColumnsAndUserVars, func(given *ast.ColumnNameOrUserVar) bool {
			return given.ColumnName != nil && t.relation.Column(given.ColumnName.Name.O) == t.relation.Column(c.Name.Name)
		}) {
			r.changes(t.column(c.Name.Name))
		}
	}
	r.assigns = true // the fields that go into user variables
	in := &level{outer: l.outer, from: namespaceOf(t.table), locals: l.locals}
	for _, a := range s.ColumnAssignments {
		r.assign(t, a.Column.Name.O, r.expr(a.Expr, in))
	}
}
