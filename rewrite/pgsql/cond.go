package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// longestIn is how many constants an IN list may hold and still count as equality.
const longestIn = 100

// condition resolves an expression that decides something (which rows, which
// branch) and records each column in it as a use, in the form it has.
func (r *resolver) condition(n *pg.Node, l *queryLevel, clause string) {
	if n == nil {
		return
	}
	switch e := n.Node.(type) {
	case *pg.Node_BoolExpr:
		for _, arg := range e.BoolExpr.Args {
			r.condition(arg, l, clause)
		}
		return
	case *pg.Node_NullTest:
		v := r.expr(e.NullTest.Arg, l)
		if sources := v.exactly(); len(sources) > 0 {
			r.recordAll(sources, rewrite.Use{In: clause, Form: rewrite.FormIsNull})
			return
		}
		r.use(v, clause)
		return
	case *pg.Node_AExpr:
		if r.comparison(e.AExpr, l, clause) {
			return
		}
	case *pg.Node_SubLink:
		if r.subLinkCondition(e.SubLink, l, clause) {
			return
		}
	}
	r.use(r.expr(n, l), clause)
}

// comparison records col = constant, col = col and col IN (constants); it
// reports whether the expression was one of the forms it knows.
func (r *resolver) comparison(e *pg.A_Expr, l *queryLevel, clause string) bool {
	schema, name := splitName(e.Name)
	if name != "=" || schema != "" && schema != systemSchema || r.userWritten("=") {
		return false
	}
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		r.compare(r.expr(e.Lexpr, l), r.expr(e.Rexpr, l), clause)
		return true
	case pg.A_Expr_Kind_AEXPR_IN:
		r.inList(r.expr(e.Lexpr, l), e.Rexpr.GetList().GetItems(), l, clause)
		return true
	}
	return false
}

// userWritten reports whether an operator of that name may be a user's here.
// Those of extensions are for the extension's own types.
func (r *resolver) userWritten(name string) bool {
	for _, op := range r.catalog.UserOperators(name) {
		if op.Extension == "" {
			return true
		}
	}
	return false
}

// compare records a = b.
func (r *resolver) compare(a, b value, clause string) {
	left, right := a.exactly(), b.exactly()
	switch {
	case len(left) > 0 && b.constant:
		r.recordAll(left, rewrite.Use{In: clause, Form: rewrite.FormEqualConstant})
		r.equal(left, b)
	case len(right) > 0 && a.constant:
		r.recordAll(right, rewrite.Use{In: clause, Form: rewrite.FormEqualConstant})
		r.equal(right, a)
	case len(a.columns()) > 0 && len(b.columns()) > 0:
		r.recordAll(left, rewrite.Use{In: clause, Form: rewrite.FormEqualColumn, With: right[0].Column})
		r.recordAll(right, rewrite.Use{In: clause, Form: rewrite.FormEqualColumn, With: left[0].Column})
	default:
		r.use(a, clause)
		r.use(b, clause)
	}
}

// equal records what columns are compared with.
func (r *resolver) equal(sources []rewrite.Source, with value) {
	constant := rewrite.Constant{Param: with.param, Text: with.written}
	if constant == (rewrite.Constant{}) {
		return
	}
	for _, s := range sources {
		if s.Path == "" {
			r.st.Equals = append(r.st.Equals, rewrite.Equal{Column: s.Column, Constant: constant})
		}
	}
}

// recordAll records the same use of each source.
func (r *resolver) recordAll(sources []rewrite.Source, u rewrite.Use) {
	for _, s := range sources {
		u.Column, u.Path = s.Column, s.Path
		r.record(u)
	}
}

func (r *resolver) inList(left value, items []*pg.Node, l *queryLevel, clause string) {
	short := len(items) <= longestIn
	sources := left.exactly()
	for _, item := range items {
		v := r.expr(item, l)
		if v.constant {
			r.equal(sources, v)
		}
		if !v.constant {
			short = false
		}
		r.use(v, clause)
	}
	if len(sources) > 0 && short {
		r.recordAll(sources, rewrite.Use{In: clause, Form: rewrite.FormEqualConstant})
		return
	}
	r.use(left, clause)
}

// subLinkCondition records EXISTS (...), which has no value of its own, and
// col IN (SELECT col ...), an equality join.
func (r *resolver) subLinkCondition(s *pg.SubLink, l *queryLevel, clause string) bool {
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		r.query(s.Subselect, l)
		return true
	case pg.SubLinkType_ANY_SUBLINK:
		if len(s.OperName) > 0 || r.userWritten("=") {
			return false
		}
		columns := r.query(s.Subselect, l)
		if len(columns) != 1 {
			r.use(rowOf(columns), clause)
			r.use(r.expr(s.Testexpr, l), clause)
			return true
		}
		r.compare(r.expr(s.Testexpr, l), columns[0].value, clause)
		return true
	}
	return false
}
