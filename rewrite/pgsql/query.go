package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// query resolves anything that returns rows inside another statement: SELECT,
// VALUES, or in WITH a data-modifying statement. outer is the level it stands
// in, nil at the top.
func (r *resolver) query(n *pg.Node, outer *queryLevel) []column {
	if n == nil || !r.step() {
		return nil
	}
	l := outer.under()
	switch q := n.Node.(type) {
	case *pg.Node_SelectStmt:
		return leaveQuery(r.selectStmt(q.SelectStmt, l))
	case *pg.Node_InsertStmt:
		return leaveQuery(r.insert(q.InsertStmt, l))
	case *pg.Node_UpdateStmt:
		return leaveQuery(r.update(q.UpdateStmt, l))
	case *pg.Node_DeleteStmt:
		return leaveQuery(r.delete(q.DeleteStmt, l))
	case *pg.Node_MergeStmt:
		return leaveQuery(r.merge(q.MergeStmt, l))
	}
	r.unsupported("this kind of query")
	return nil
}

// leaveQuery makes of the columns of a query what another query knows of them:
// literals that nothing gave a type to are text, and which row of which table a
// value comes from is not known any more.
func leaveQuery(columns []column) []column {
	for i := range columns {
		if columns[i].value.typ == "unknown" {
			columns[i].value.typ = "text"
		}
		columns[i].value.scan = nil
	}
	return columns
}

// selectStmt resolves SELECT, VALUES or a set operation at the level l, which is its own.
func (r *resolver) selectStmt(s *pg.SelectStmt, l *queryLevel) []column {
	r.with(s.WithClause, l)
	var columns []column
	switch {
	case s.Op != pg.SetOperation_SETOP_NONE:
		columns = r.setOperation(s, l)
	case len(s.ValuesLists) > 0:
		columns = r.values(s.ValuesLists, l)
	default:
		columns = r.plainSelect(s, l)
	}
	r.orderBy(s.SortClause, columns, l)
	r.limit(s, l)
	r.presorted(l)
	if s.IntoClause != nil {
		r.into(columns, s.IntoClause)
	}
	return columns
}

func (r *resolver) plainSelect(s *pg.SelectStmt, l *queryLevel) []column {
	r.fromClause(s.FromClause, l)
	columns := r.targets(s.TargetList, l)
	r.condition(s.WhereClause, l, "where")
	r.groupBy(s.GroupClause, columns, l)
	r.condition(s.HavingClause, l, "having")
	for _, n := range s.WindowClause {
		r.window(n.GetWindowDef(), l)
	}
	r.distinct(s.DistinctClause, columns, l)
	if len(s.DistinctClause)+len(s.GroupClause)+len(s.SortClause) > 0 {
		sortedTypes(columns)
	}
	return columns
}

// sortedTypes forgets the types of literals that may have been given one so that
// they can be compared.
func sortedTypes(columns []column) {
	for i := range columns {
		if columns[i].value.typ == "unknown" {
			columns[i].value.typ = ""
		}
	}
}

// targets resolves a SELECT or RETURNING list.
func (r *resolver) targets(nodes []*pg.Node, l *queryLevel) []column {
	columns := make([]column, 0, len(nodes))
	for _, n := range nodes {
		target := n.GetResTarget()
		if star, ok := r.star(target.Val, l); ok {
			columns = append(columns, star...)
			continue
		}
		v := r.selected(target, l)
		name := target.Name
		if name == "" {
			name = r.columnName(target.Val)
		}
		columns = append(columns, column{name: name, value: v})
	}
	return columns
}

// spread resolves a list of expressions in which t.* stands for the table's
// columns: a row, or a row of VALUES.
func (r *resolver) spread(nodes []*pg.Node, l *queryLevel) []value {
	out := make([]value, 0, len(nodes))
	for _, n := range nodes {
		if columns, ok := r.star(n, l); ok {
			for _, c := range columns {
				out = append(out, c.value)
			}
			continue
		}
		out = append(out, r.expr(n, l))
	}
	return out
}

// star expands *, t.* and (row).*.
func (r *resolver) star(n *pg.Node, l *queryLevel) ([]column, bool) {
	switch e := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		fields := e.ColumnRef.Fields
		if len(fields) == 0 || fields[len(fields)-1].GetAStar() == nil {
			return nil, false
		}
		if t := r.starTable(e.ColumnRef, l); t != nil && r.spend(len(t.columns)) {
			return visible(t), true
		}
		return nil, true
	case *pg.Node_AIndirection:
		steps := e.AIndirection.Indirection
		if len(steps) == 0 || steps[len(steps)-1].GetAStar() == nil {
			return nil, false
		}
		v := r.indirection(&pg.A_Indirection{Arg: e.AIndirection.Arg, Indirection: steps[:len(steps)-1]}, l)
		if v.row == nil {
			if call := e.AIndirection.Arg.GetFuncCall(); call != nil && len(steps) == 1 {
				if columns := r.outColumns(call, v); columns != nil {
					return columns, true
				}
			}
			r.unsupported("the fields of this row")
		}
		return v.row, true
	}
	return nil, false
}

// groupBy records GROUP BY.
func (r *resolver) groupBy(nodes []*pg.Node, columns []column, l *queryLevel) {
	plain := !slices.ContainsFunc(nodes, func(n *pg.Node) bool { return n.GetGroupingSet() != nil || n.GetRowExpr() != nil })
	var values []value
	for _, n := range nodes {
		values = r.groupKeys(values, n, columns, l)
	}
	if plain {
		r.useGrouping(values)
		return
	}
	for _, v := range values { // a set may be without the key of another
		r.use(v, "group by")
	}
}

// groupKeys adds what one item of GROUP BY stands for: an output column by
// number, a column, an output column by name, an expression, or several of them.
func (r *resolver) groupKeys(values []value, n *pg.Node, columns []column, l *queryLevel) []value {
	items := n.GetGroupingSet().GetContent()
	if row := n.GetRowExpr(); row != nil {
		items = row.Args
	}
	for _, item := range items {
		values = r.groupKeys(values, item, columns, l)
	}
	if n.GetGroupingSet() != nil || n.GetRowExpr() != nil {
		return values
	}
	if c := n.GetColumnRef(); c != nil && len(c.Fields) == 1 {
		if name := c.Fields[0].GetString_().GetSval(); name != "" {
			if _, ok := l.from.find(name); !ok {
				if v, ok := outputNamed(columns, name); ok {
					return append(values, v)
				}
			}
		}
	}
	return append(values, r.ordinal(n, columns, l))
}

// ordinal is an expression, or the output column that an integer stands for.
func (r *resolver) ordinal(n *pg.Node, columns []column, l *queryLevel) value {
	if c := n.GetAConst(); c != nil {
		r.st.LiteralFree = false
		if i, ok := c.GetVal().(*pg.A_Const_Ival); ok {
			if at := int(i.Ival.GetIval()); at >= 1 && at <= len(columns) {
				return columns[at-1].value
			}
		}
	}
	return r.expr(n, l)
}

func outputNamed(columns []column, name string) (value, bool) {
	t := table{columns: columns}
	return t.find(name)
}

// orderBy records ORDER BY.
func (r *resolver) orderBy(nodes []*pg.Node, columns []column, l *queryLevel) {
	r.useOrder(r.sortKeys(nodes, columns, l), "order by")
}

// sortKeys are what ORDER BY or DISTINCT ON names: output columns by name or by
// number, or expressions.
func (r *resolver) sortKeys(nodes []*pg.Node, columns []column, l *queryLevel) []value {
	values := make([]value, 0, len(nodes))
	for _, n := range nodes {
		sort := n.GetSortBy()
		if sort != nil {
			n = sort.Node
		}
		v := r.sortKey(n, columns, l)
		if len(sort.GetUseOp()) > 0 {
			r.operatorFunctions(sort.UseOp, []value{v, v})
			v.scan = nil // by another order than the key's
		}
		values = append(values, v)
	}
	return values
}

func (r *resolver) sortKey(n *pg.Node, columns []column, l *queryLevel) value {
	if c := n.GetColumnRef(); c != nil && len(c.Fields) == 1 {
		if v, ok := outputNamed(columns, c.Fields[0].GetString_().GetSval()); ok {
			return v
		}
	}
	return r.ordinal(n, columns, l)
}

// distinct records DISTINCT, which the parser gives as a list of one empty
// node, and DISTINCT ON.
func (r *resolver) distinct(nodes []*pg.Node, columns []column, l *queryLevel) {
	if len(nodes) == 0 {
		return
	}
	if nodes[0] != nil && nodes[0].Node != nil {
		for _, v := range r.sortKeys(nodes, columns, l) { // in an order of the server's choice
			r.use(v, "distinct")
		}
		return
	}
	for _, c := range columns {
		r.use(c.value, "distinct")
	}
}

func (r *resolver) limit(s *pg.SelectStmt, l *queryLevel) {
	for _, n := range []*pg.Node{s.LimitCount, s.LimitOffset} {
		if n != nil {
			r.use(r.expr(n, l), "limit")
		}
	}
}

// setOperation resolves UNION, INTERSECT and EXCEPT. All but UNION ALL compare
// whole rows.
func (r *resolver) setOperation(s *pg.SelectStmt, l *queryLevel) []column {
	left := r.selectStmt(s.Larg, l.under())
	right := r.selectStmt(s.Rarg, l.under())
	if len(left) != len(right) {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeUnknownName, SQLState: "42601",
			Message: "each UNION query must have the same number of columns",
		})
		return left
	}
	columns := make([]column, len(left))
	for i := range left {
		columns[i] = column{name: left[i].name, value: setValue(s.Op, left[i].value, right[i].value)}
		if !s.All || s.Op != pg.SetOperation_SETOP_UNION {
			r.use(left[i].value, "union")
			r.use(right[i].value, "union")
		}
	}
	return columns
}

// setValue is a column of a set operation. EXCEPT returns rows of the left arm
// only, but their type is that of both.
func setValue(op pg.SetOperation, left, right value) value {
	v := branch(left, right)
	if op == pg.SetOperation_SETOP_EXCEPT {
		v.Value = left.Value
	}
	return v
}

// values resolves VALUES lists: each column may be that of any row.
func (r *resolver) values(lists []*pg.Node, l *queryLevel) []column {
	var columns []column
	for i, n := range lists {
		for j, v := range r.spread(n.GetList().GetItems(), l) {
			switch {
			case i == 0:
				columns = append(columns, column{name: "column" + itoa(j+1), value: v})
			case j < len(columns):
				columns[j].value = branch(columns[j].value, v)
			}
		}
	}
	return columns
}

// with opens the WITH queries of a statement. Under RECURSIVE each may name
// any of them; else only those before it.
func (r *resolver) with(w *pg.WithClause, l *queryLevel) {
	if w == nil {
		return
	}
	for _, n := range w.Ctes {
		c := &cte{name: n.GetCommonTableExpr().Ctename, query: n.GetCommonTableExpr(), level: l, recursive: w.Recursive}
		if !w.Recursive {
			// It sees the ones before it: a level that holds just those.
			c.level = &queryLevel{outer: l.outer, with: slices.Clone(l.with), from: &namespace{}, args: l.args}
		}
		l.with = append(l.with, c)
	}
	for _, c := range l.with { // also those that nobody asks for: they run
		r.cteColumns(c)
	}
}

// mostRounds bounds how often a recursive query is resolved until its columns
// stand still. Each round adds a source to some column or is the last.
const mostRounds = 64

// cteColumns resolves a WITH query when it is first asked for.
func (r *resolver) cteColumns(c *cte) []column {
	if c.state != ctePending {
		return c.columns
	}
	c.state = cteResolving
	inner := &queryLevel{outer: c.level.outer, with: c.level.with, from: &namespace{}, args: c.level.args}
	if c.recursive {
		c.columns = r.nonRecursive(c, inner)
	}
	for round := 0; ; round++ {
		columns := r.query(c.query.Ctequery, inner)
		r.nameCTE(c, &columns)
		if !c.recursive || sameColumns(c.columns, columns) {
			c.columns = columns
			break
		}
		if round == mostRounds {
			r.unsupported("recursive query " + c.name)
			break
		}
		c.columns = columns
	}
	c.state = cteResolved
	return c.columns
}

// nonRecursive is the first guess at a recursive query's columns: its left arm.
func (r *resolver) nonRecursive(c *cte, inner *queryLevel) []column {
	s := c.query.Ctequery.GetSelectStmt()
	if s == nil || s.Larg == nil {
		return nil
	}
	l := inner.under()
	r.with(s.WithClause, l)
	columns := r.selectStmt(s.Larg, l.under())
	for i := range columns {
		columns[i].value = columns[i].value.branch()
	}
	r.nameCTE(c, &columns)
	return columns
}

// selfReference is how a recursive query sees itself: SEARCH's and CYCLE's
// columns can be named, and are no part of *.
func selfReference(c *cte) []column {
	out := slices.Clone(c.columns)
	added := 0
	if c.query.SearchClause != nil {
		added++
	}
	if c.query.CycleClause != nil {
		added += 2
	}
	for i := max(0, len(out)-added); i < len(out); i++ {
		out[i].hidden = true
	}
	return out
}

// nameCTE applies a WITH query's column aliases and the columns that SEARCH
// and CYCLE add.
func (r *resolver) nameCTE(c *cte, columns *[]column) {
	out := slices.Clone(*columns)
	renameColumns(out, strs(c.query.Aliascolnames))
	listed := func(names []string) value {
		var v value
		for _, name := range names {
			if found, ok := outputNamed(out, name); ok {
				v = derived(v, found)
			}
		}
		return v
	}
	if s := c.query.SearchClause; s != nil {
		v := listed(strs(s.SearchColList))
		r.use(v, "search")
		out = append(out, column{name: s.SearchSeqColumn, value: v})
	}
	if s := c.query.CycleClause; s != nil {
		v := listed(strs(s.CycleColList))
		r.use(v, "cycle")
		out = append(out, column{name: s.CycleMarkColumn, value: v}, column{name: s.CyclePathColumn, value: v})
	}
	*columns = out
}

func sameColumns(a, b []column) bool {
	return slices.EqualFunc(a, b, func(x, y column) bool {
		return x.name == y.name && len(x.value.Plain) == len(y.value.Plain) && len(x.value.Derived) == len(y.value.Derived)
	})
}

// into records SELECT INTO and CREATE TABLE AS: every column goes to a table
// that carries no label.
func (r *resolver) into(columns []column, into *pg.IntoClause) {
	for _, c := range columns {
		r.flow(nil, c.value, "a new table")
	}
	r.st.Effect.Catalog = true
	r.st.Kind = "SELECT INTO"
}
