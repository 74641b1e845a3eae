package mysql

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// query resolves anything that returns rows inside another statement. outer is
// the level it stands in, nil at the top.
func (r *resolver) query(n ast.Node, outer *level) []column {
	l := outer.under()
	var columns []column
	r.within("field list", "", func() {
		switch q := n.(type) {
		case *ast.SelectStmt:
			columns = r.selectStmt(q, l)
		case *ast.SetOprStmt:
			columns = r.setOperation(q.With, q.SelectList, q.OrderBy, q.Limit, l)
		case *ast.SubqueryExpr:
			columns = r.query(q.Query, outer)
		default:
			r.unsupported("this kind of query")
		}
	})
	for i := range columns { // a row of the result may be made of several rows of a table
		columns[i].value.scan = nil
	}
	return columns
}

// selectStmt resolves SELECT, TABLE or VALUES at the level l, which is its own.
func (r *resolver) selectStmt(s *ast.SelectStmt, l *level) []column {
	r.with(s.With, l)
	var columns []column
	if s.Kind == ast.SelectStmtKindValues {
		columns = r.values(s.Lists, l)
	} else {
		columns = r.plainSelect(s, l)
	}
	r.orderBy(s.OrderBy, columns, l)
	r.limit(s.Limit, l)
	if s.SelectIntoOpt != nil {
		r.refuseKind("SELECT INTO a file")
		for _, c := range columns {
			r.flow(c.value, "a file")
		}
	}
	return columns
}

func (r *resolver) plainSelect(s *ast.SelectStmt, l *level) []column {
	r.fromClause(s.From, l)
	columns := r.fields(s.Fields, l)
	l.aliases = columns
	if s.Where != nil {
		in := &level{outer: l.outer, with: l.with, from: l.from, locals: l.locals}
		r.within("where clause", "where", func() { r.condition(s.Where, in) })
	}
	if s.GroupBy != nil {
		r.within("group statement", "group by", func() {
			var values []value
			for _, item := range s.GroupBy.Items {
				values = append(values, r.groupItem(item.Expr, columns, l))
			}
			r.useOrder(values, "group by")
		})
	}
	if s.Having != nil {
		in := &level{outer: l.outer, with: l.with, from: withAliases(l.from, columns), locals: l.locals}
		r.within("having clause", "having", func() { r.condition(s.Having.Expr, in) })
	}
	for _, w := range s.WindowSpecs {
		r.window(&w, l)
	}
	if s.Distinct {
		for _, c := range columns {
			r.use(c.value, "distinct")
		}
	}
	return columns
}

// withAliases is what HAVING and the expressions of ORDER BY see: the columns of
// FROM and the select list. Which of two of one name is meant depends on more
// than can be told here; either may be.
func withAliases(from *namespace, columns []column) *namespace {
	return &namespace{tables: from.tables, parts: append(slices.Clip(from.parts), columns)}
}

// fields resolves a SELECT or RETURNING list.
func (r *resolver) fields(list *ast.FieldList, l *level) []column {
	if list == nil {
		return visible(l.from.parts...) // TABLE t
	}
	columns := make([]column, 0, len(list.Fields))
	for _, f := range list.Fields {
		if f.WildCard != nil {
			columns = append(columns, r.star(f.WildCard, l)...)
			continue
		}
		l.aliases = columns
		before := len(r.failing)
		c := column{name: f.AsName.O, value: r.expr(f.Expr, l)}
		if r.checkName(c.name); c.name == "" {
			c.name, c.guess = r.fieldName(f)
		} else if r.in.quotes(c.name) {
			r.st.LiteralFree = false
		}
		columns = append(columns, c)
		if list == r.toClient {
			r.mayBeReplaced(f, c, r.failing[before:])
		}
	}
	if r.explains {
		r.selects = derived(r.selects, rowOf(columns))
	}
	return columns
}

// star expands * and t.*.
func (r *resolver) star(w *ast.WildCardField, l *level) []column {
	if w.Table.O == "" {
		return visible(l.from.parts...)
	}
	var columns []column
	found := false
	for _, t := range l.from.tables { // those of one name in two databases as well
		if r.named(t, w.Schema.O, w.Table.O) {
			columns, found = append(columns, visible(t.columns)...), true
		}
	}
	if found {
		return columns
	}
	r.unknown(rewrite.Refusal{Code: rewrite.CodeUnknownName, SQLState: "42S02", Message: "Unknown table '" + w.Table.O + "'"})
	return nil
}

// fieldName is the name that the server gives to a column without one: that of
// the column as it is written (of a merged view's or subquery's column the case may
// be another), the text of a literal, else the expression as it is written. guess
// says that servers differ in how they write it: some leave out comments and
// signs, or cut it.
func (r *resolver) fieldName(f *ast.SelectField) (name string, guess bool) {
	e := f.Expr
	for {
		p, ok := e.(*ast.ParenthesesExpr)
		if !ok {
			break
		}
		e = p.Expr
	}
	if c, ok := e.(*ast.ColumnNameExpr); ok {
		return c.Name.Name.O, false
	}
	start := r.base + f.Offset
	end := start + len(f.OriginalText())
	for start > 0 && isWordPart(r.in.raw[start]) && isWordPart(r.in.raw[start-1]) { // spelled shorter for the parser
		start--
	}
	if v, ok := stringLiteral(e); ok {
		r.st.LiteralFree = false
		return v, oddName(v) || !r.mode.keepsLiterals(v) || v != strings.Trim(r.in.raw[start:end], `'"`)
	}
	if r.depth == 0 && r.in.literalIn(start, end) {
		r.st.LiteralFree = false
	}
	name = r.in.bare(start, end)
	guess = len(name) > surestName || len(name) != end-start || strings.HasPrefix(name, "+")
	if utf8.RuneCountInString(name) > longestName {
		name = string([]rune(name)[:longestName])
	}
	return name, guess
}

// longestName is how many characters of an expression name its column, surestName
// how many bytes of one do on every server.
const (
	longestName = 255
	surestName  = 200
)

// groupItem is an expression of GROUP BY: a number stands for an output column,
// a name for a column of FROM, else for an output column.
func (r *resolver) groupItem(n ast.ExprNode, columns []column, l *level) value {
	if v, ok := r.position(n, columns); ok {
		return v
	}
	if c, ok := bareName(n); ok {
		r.use(guessed(columns), "group by")
		if v, is := lookUp(c, l.from.parts...); is == sure {
			return v
		}
		if v, ok := find(c, columns); ok {
			return besides(v, guessed(l.from.parts...))
		}
	}
	return r.expr(n, &level{outer: l.outer, with: l.with, from: withAliases(l.from, columns), locals: l.locals})
}

// position is the output column that a number in GROUP BY or ORDER BY stands for.
func (r *resolver) position(n ast.ExprNode, columns []column) (value, bool) {
	p, ok := n.(*ast.PositionExpr)
	if !ok {
		return value{}, false
	}
	r.st.LiteralFree = false
	if p.P != nil { // a parameter stands for a constant
		return r.expr(p.P, &level{from: &namespace{}}), true
	}
	if p.N >= 1 && p.N <= len(columns) {
		return columns[p.N-1].value, true
	}
	return value{}, true
}

// bareName is the name of an expression that is a column without a table.
func bareName(n ast.ExprNode) (string, bool) {
	c, ok := n.(*ast.ColumnNameExpr)
	if !ok || c.Name.Table.O != "" {
		return "", false
	}
	return c.Name.Name.O, true
}

// orderBy records ORDER BY: a number or a name stands for an output column
// first.
func (r *resolver) orderBy(o *ast.OrderByClause, columns []column, l *level) {
	if o == nil {
		return
	}
	in := &level{outer: l.outer, with: l.with, from: withAliases(l.from, columns), locals: l.locals}
	r.within("order clause", "order by", func() {
		var values []value
		for _, item := range o.Items {
			values = append(values, r.orderItem(item.Expr, columns, in))
		}
		r.useOrder(values, "order by")
	})
}

func (r *resolver) orderItem(n ast.ExprNode, columns []column, in *level) value {
	if v, ok := r.position(n, columns); ok {
		return v
	}
	if c, ok := bareName(n); ok {
		if v, ok := find(c, columns); ok {
			return v
		}
	}
	return besides(r.expr(n, in), guessed(columns))
}

// besides is v, or one of others.
func besides(v, others value) value {
	if others.None() {
		return v
	}
	return derived(v, others)
}

func (r *resolver) limit(limit *ast.Limit, l *level) {
	if limit == nil {
		return
	}
	for _, n := range []ast.ExprNode{limit.Count, limit.Offset} {
		if n != nil {
			r.use(r.expr(n, l), "limit")
		}
	}
}

// setOperation resolves UNION, INTERSECT and EXCEPT. All but UNION ALL compare
// whole rows.
func (r *resolver) setOperation(with *ast.WithClause, list *ast.SetOprSelectList, order *ast.OrderByClause, limit *ast.Limit, l *level) []column {
	r.with(with, l)
	var columns []column
	for i, n := range list.Selects {
		arm, operator := r.arm(n, l)
		if i == 0 {
			columns = slices.Clone(arm)
			for j := range columns {
				columns[j].hidden = false
			}
			continue
		}
		if len(arm) != len(columns) {
			r.unknown(rewrite.Refusal{
				Code: rewrite.CodeUnknownName, SQLState: "21000",
				Message: "The used SELECT statements have a different number of columns",
			})
			return columns
		}
		for j := range columns {
			columns[j].value = either(columns[j].value, arm[j].value)
			if operator == nil || *operator != ast.UnionAll {
				r.use(columns[j].value, "union")
			}
		}
	}
	inner := &level{outer: l.outer, with: l.with, from: &namespace{parts: [][]column{columns}}, locals: l.locals}
	r.orderBy(order, columns, inner)
	r.limit(limit, inner)
	return columns
}

// arm resolves one query of a set operation, and says how it is joined to those
// before.
func (r *resolver) arm(n ast.Node, l *level) ([]column, *ast.SetOprType) {
	switch s := n.(type) {
	case *ast.SelectStmt:
		return r.selectStmt(s, l.under()), s.AfterSetOperator
	case *ast.SetOprSelectList:
		return r.setOperation(s.With, s, s.OrderBy, s.Limit, l.under()), s.AfterSetOperator
	}
	return r.query(n, l), nil
}

// values resolves VALUES ROW(...), ...: each column may be that of any row.
func (r *resolver) values(rows []*ast.RowExpr, l *level) []column {
	var columns []column
	for i, row := range rows {
		for j, n := range row.Values {
			v := r.expr(n, l)
			switch {
			case i == 0:
				columns = append(columns, column{name: "column_" + itoa(j), value: v})
			case j < len(columns):
				columns[j].value = either(columns[j].value, v)
			}
		}
	}
	return columns
}

// with opens the WITH queries of a statement. Under RECURSIVE each may name
// any of them; else only those before it.
func (r *resolver) with(w *ast.WithClause, l *level) {
	if w == nil {
		return
	}
	for _, n := range w.CTEs {
		c := &cte{name: n.Name.O, query: n, level: l, recursive: w.IsRecursive}
		if !w.IsRecursive {
			c.level = &level{outer: l.outer, with: slices.Clone(l.with), from: &namespace{}, locals: l.locals}
		}
		l.with = append(l.with, c)
	}
	for _, c := range l.with { // also those that nobody asks for: their names must exist
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
	inner := &level{outer: c.level.outer, with: c.level.with, from: &namespace{}, locals: c.level.locals}
	var first []column
	if c.recursive {
		first = r.nonRecursive(c, inner)
		c.columns = first
	}
	for round := 0; ; round++ {
		columns := named(c, r.query(c.query.Query.Query, inner))
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
	if c.recursive {
		r.recursionFits(c, first)
	}
	if r.in.cycles {
		for _, column := range c.columns {
			r.use(column.value, "cycle")
		}
	}
	c.state = cteResolved
	return c.columns
}

// recursionFits records where a recursive query's value may be too long or too
// large for the type that the column has from the first arm: that is an error, or
// cuts it.
func (r *resolver) recursionFits(c *cte, first []column) {
	for i := range c.columns {
		v := c.columns[i].value
		if i >= len(first) || len(v.Derived) > 0 || !first[i].value.exact || len(v.Plain) != len(first[i].value.Plain) {
			r.fallible(v)
		}
		c.columns[i].value.length = 0 // it grows from round to round
	}
}

// nonRecursive is the first guess at a recursive query's columns: its first arm.
func (r *resolver) nonRecursive(c *cte, inner *level) []column {
	s, ok := c.query.Query.Query.(*ast.SetOprStmt)
	if !ok || len(s.SelectList.Selects) < 2 {
		return nil
	}
	l := inner.under()
	r.with(s.With, l)
	columns, _ := r.arm(s.SelectList.Selects[0], l)
	return named(c, columns)
}

// named applies a WITH query's column names. Its columns are no literals any more.
func named(c *cte, columns []column) []column {
	out := slices.Clone(columns)
	for i := range out {
		if i < len(c.query.ColNameList) {
			out[i].name = c.query.ColNameList[i].O
		}
		out[i].hidden = false
		out[i].value.constant, out[i].value.literal, out[i].value.null = false, false, false
	}
	return out
}

func sameColumns(a, b []column) bool {
	return slices.EqualFunc(a, b, func(x, y column) bool {
		return x.name == y.name && len(x.value.Plain) == len(y.value.Plain) && len(x.value.Derived) == len(y.value.Derived)
	})
}
