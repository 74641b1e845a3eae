package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// A target is the table that a statement writes.
type target struct {
	relation *Relation
	table    *table
}

// target opens the table that a statement writes, under its alias.
func (r *resolver) target(v *pg.RangeVar) *target {
	rel := r.relation(v)
	if rel == nil {
		return nil
	}
	t := &target{relation: rel, table: &table{schema: rel.Schema, name: rel.Name, columns: r.relationColumns(rel)}}
	for _, c := range rel.Columns {
		r.touch(t.column(c.Name.Name))
	}
	t.table = aliased(t.table, v.Alias)
	return t
}

// column is the base table column that writing to a column of the target
// changes: through an updatable view it is the view's source.
func (t *target) column(name string) *rewrite.TableColumn {
	for _, c := range t.table.columns {
		if c.name == name && len(c.value.Plain) > 0 {
			return c.value.Plain[0].Column
		}
	}
	if c := t.relation.Column(name); c != nil {
		return &c.TableColumn
	}
	return nil
}

// assign records that v is written to a column.
func (r *resolver) assign(t *target, name string, v value, location int32) {
	if t.relation.Column(name) == nil {
		r.noColumn(quoteMessage(name), location)
		return
	}
	column := t.column(name)
	r.changes(column)
	if v.constant && column != nil {
		literal := v.literal || v.text != "" // through a cast too
		if literal || v.param > 0 {
			r.st.Writes = append(r.st.Writes, rewrite.Write{Target: column, Text: v.text, Literal: literal, Param: v.param})
			if _, labelled := r.catalog.Label(r.scope.Policy, column); (labelled || r.scope.Policy.UnlabelledMasked()) && literal {
				r.st.LiteralFree = false
			}
		}
		return
	}
	if v.None() {
		return
	}
	if column != nil && r.labelled(value{Value: rewrite.Of(column)}) {
		// A constraint, a length or a trigger may turn down what an expression makes.
		r.fallible(value{Value: rewrite.Value{Derived: v.Derived}})
		if !r.fits(v, t.relation.Column(name)) {
			r.fallible(v)
		}
	}
	into := t.relation.Schema + "." + t.relation.Name + "." + name
	if t.relation.Temp { // whose constraints the session chose, and may have before it chose the names
		column = nil
	}
	r.st.Flows = append(r.st.Flows, rewrite.Flow{Target: column, Value: v.Value, Into: "column " + into})
}

// changes records that values of a column change.
func (r *resolver) changes(column *rewrite.TableColumn) {
	if column != nil {
		r.st.Changes = append(r.st.Changes, column)
	}
}

// fits says whether a column takes every value that v may be: those of columns of
// the same type and length, or of a type that can be cast to its own without failing.
func (r *resolver) fits(v value, c *ColumnInfo) bool {
	t := r.catalog.TypeByOID(c.TypeOID)
	if t != nil && t.Schema == systemSchema && c.Typmod == -1 && CastTotal(v.typ, t.Name) {
		return true
	}
	return !slices.ContainsFunc(v.Plain, func(s rewrite.Source) bool {
		rel := r.catalog.RelationByOID(s.Column.Rel)
		if rel == nil || s.Path != "" {
			return true
		}
		from := rel.Attribute(s.Column.Att)
		return from == nil || from.TypeOID != c.TypeOID || c.Typmod != -1 && from.Typmod != c.Typmod
	})
}

// touch records that a row with this column is written.
func (r *resolver) touch(column *rewrite.TableColumn) {
	if column != nil {
		r.st.Writes = append(r.st.Writes, rewrite.Write{Target: column})
	}
}

// insert resolves INSERT.
func (r *resolver) insert(s *pg.InsertStmt, l *queryLevel) []column {
	r.with(s.WithClause, l)
	t := r.target(s.Relation)
	if t == nil {
		return nil
	}
	names := r.insertColumns(t, s.Cols, l)
	r.insertRows(t, names, s, l)
	in := &queryLevel{outer: l.outer, with: l.with, from: namespaceOf(t.table), args: l.args}
	if c := s.OnConflictClause; c != nil {
		r.onConflict(t, c, in)
	}
	return r.returning(s.ReturningList, t, in)
}

// returning resolves RETURNING. A rule may return something else under the names
// of the columns.
func (r *resolver) returning(nodes []*pg.Node, t *target, l *queryLevel) []column {
	if len(nodes) > 0 && t.relation.HasRules {
		r.unsupported("RETURNING of " + t.relation.Schema + "." + t.relation.Name + ", which has rules,")
	}
	return r.targets(nodes, &queryLevel{outer: l.outer, with: l.with, from: r.withOldAndNew(t, l.from), args: l.args})
}

// insertColumns are the columns that an INSERT names, or all of them.
func (r *resolver) insertColumns(t *target, cols []*pg.Node, l *queryLevel) []string {
	var names []string
	for _, n := range cols {
		if res := n.GetResTarget(); len(res.GetIndirection()) > 0 {
			r.assignPart(t, res, value{}, l)
		}
		names = append(names, n.GetResTarget().GetName())
	}
	if names == nil {
		for _, c := range t.relation.Columns {
			names = append(names, c.Name.Name)
		}
	}
	return names
}

// insertRows records what an INSERT writes: VALUES cell by cell, so that each
// literal meets the guard, or the columns of a query.
func (r *resolver) insertRows(t *target, names []string, s *pg.InsertStmt, l *queryLevel) {
	q := s.SelectStmt.GetSelectStmt()
	if q == nil {
		return // DEFAULT VALUES
	}
	if len(q.ValuesLists) > 0 && q.WithClause == nil && len(q.SortClause) == 0 && q.LimitCount == nil && q.LimitOffset == nil {
		for _, row := range q.ValuesLists {
			for i, v := range r.spread(row.GetList().GetItems(), l) {
				if i < len(names) {
					r.assign(t, names[i], v, s.Relation.Location)
				}
			}
		}
		return
	}
	for i, c := range r.query(s.SelectStmt, l) {
		if i < len(names) {
			v := c.value
			r.assign(t, names[i], v, s.Relation.Location)
		}
	}
}

// onConflict resolves ON CONFLICT. That a unique key collides is shown by any
// INSERT; what else decides is a use.
func (r *resolver) onConflict(t *target, c *pg.OnConflictClause, l *queryLevel) {
	if c.Infer != nil {
		for _, n := range c.Infer.IndexElems {
			if expr := n.GetIndexElem().GetExpr(); expr != nil {
				r.use(r.expr(expr, l), "on conflict")
			}
		}
		r.condition(c.Infer.WhereClause, l, "on conflict")
	}
	excluded := &table{name: "excluded", columns: r.excludedColumns(t)}
	in := &queryLevel{outer: l.outer, with: l.with, args: l.args, from: &namespace{
		tables: append([]*table{excluded}, l.from.tables...), parts: l.from.parts,
	}}
	r.assignments(t, c.TargetList, in)
	r.condition(c.WhereClause, in, "where")
}

// excludedColumns are the values that an INSERT brought: for a column they are
// at most as protected as the column itself, and nothing that was stored.
func (r *resolver) excludedColumns(t *target) []column {
	columns := make([]column, len(t.relation.Columns))
	for i, c := range t.relation.Columns {
		columns[i] = column{name: c.Name.Name, value: r.columnValue(c)}
	}
	return columns
}

// assignments resolves SET lists: column = expression, (columns) = row.
func (r *resolver) assignments(t *target, nodes []*pg.Node, l *queryLevel) {
	for _, n := range nodes {
		res := n.GetResTarget()
		if multi := res.Val.GetMultiAssignRef(); multi != nil {
			r.assignPart(t, res, r.multiAssigned(multi, l), l)
			continue
		}
		r.assignPart(t, res, r.expr(res.Val, l), l)
	}
}

// assignPart records that v is written to a column or, with subscripts or
// fields, to a part of it. A subscript of a document becomes a key in it.
func (r *resolver) assignPart(t *target, res *pg.ResTarget, v value, l *queryLevel) {
	for _, step := range res.Indirection {
		if index := step.GetAIndices(); index != nil {
			at := derived(r.expr(index.Lidx, l), r.expr(index.Uidx, l))
			r.use(at, "subscript")
			v.Value = v.Either(at.Value)
		}
		v.exact, v.constant = false, false // no guard can tell its shape
	}
	r.assign(t, res.Name, v, res.Location)
}

// multiAssigned is one column of SET (a, b) = (SELECT ...) or ROW(...).
func (r *resolver) multiAssigned(m *pg.MultiAssignRef, l *queryLevel) value {
	v := r.expr(m.Source, l)
	if i := int(m.Colno) - 1; i >= 0 && i < len(v.row) {
		return v.row[i].value
	}
	return v
}

// update resolves UPDATE.
func (r *resolver) update(s *pg.UpdateStmt, l *queryLevel) []column {
	r.with(s.WithClause, l)
	t := r.target(s.Relation)
	if t == nil {
		return nil
	}
	l.from.add(namespaceOf(t.table))
	r.fromAfterTarget(s.FromClause, l)
	r.assignments(t, s.TargetList, l)
	r.condition(s.WhereClause, l, "where")
	return r.returning(s.ReturningList, t, l)
}

// delete resolves DELETE.
func (r *resolver) delete(s *pg.DeleteStmt, l *queryLevel) []column {
	r.with(s.WithClause, l)
	t := r.target(s.Relation)
	if t == nil {
		return nil
	}
	r.deletes(t)
	l.from.add(namespaceOf(t.table))
	r.fromAfterTarget(s.UsingClause, l)
	r.condition(s.WhereClause, l, "where")
	return r.returning(s.ReturningList, t, l)
}

// deletes records that rows of a target go.
func (r *resolver) deletes(t *target) {
	for _, c := range t.relation.Columns {
		r.changes(t.column(c.Name.Name))
	}
}

// fromAfterTarget resolves FROM or USING of a statement that writes: its items
// do not see the table written.
func (r *resolver) fromAfterTarget(items []*pg.Node, l *queryLevel) {
	in := &queryLevel{outer: l.outer, with: l.with, from: &namespace{}, args: l.args}
	r.fromClause(items, in)
	l.from.add(in.from)
}

// merge resolves MERGE.
func (r *resolver) merge(s *pg.MergeStmt, l *queryLevel) []column {
	r.with(s.WithClause, l)
	t := r.target(s.Relation)
	if t == nil {
		return nil
	}
	source := &queryLevel{outer: l.outer, with: l.with, from: &namespace{}, args: l.args}
	r.fromClause([]*pg.Node{s.SourceRelation}, source)
	l.from.add(source.from)
	l.from.add(namespaceOf(t.table))
	r.condition(s.JoinCondition, l, "merge on")
	for _, n := range s.MergeWhenClauses {
		when := n.GetMergeWhenClause()
		in := &queryLevel{outer: l.outer, with: l.with, args: l.args, from: l.from}
		switch when.MatchKind { // a side that has no row cannot be named
		case pg.MergeMatchKind_MERGE_WHEN_NOT_MATCHED_BY_TARGET:
			in.from = source.from
		case pg.MergeMatchKind_MERGE_WHEN_NOT_MATCHED_BY_SOURCE:
			in.from = namespaceOf(t.table)
		}
		r.mergeAction(t, when, in, s.Relation.Location)
	}
	return r.returning(s.ReturningList, t, l)
}

func (r *resolver) mergeAction(t *target, when *pg.MergeWhenClause, l *queryLevel, location int32) {
	r.condition(when.Condition, l, "when")
	if when.CommandType == pg.CmdType_CMD_DELETE {
		r.deletes(t)
	}
	if when.CommandType != pg.CmdType_CMD_INSERT {
		r.assignments(t, when.TargetList, l)
		return
	}
	names := r.insertColumns(t, when.TargetList, l)
	for i, v := range r.spread(when.Values, l) {
		if i < len(names) {
			r.assign(t, names[i], v, location)
		}
	}
}
