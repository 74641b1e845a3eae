package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"sqlveil/rewrite"
)

// longestIn is how many constants an IN list may hold and still count as equality.
const longestIn = 100

// condition resolves an expression that decides something (which rows, which
// branch) and records each column in it as a use of r.clause, in the form it has.
func (r *resolver) condition(n ast.ExprNode, l *level) {
	clause := r.clause
	switch e := n.(type) {
	case *ast.ParenthesesExpr:
		r.condition(e.Expr, l)
		return
	case *ast.UnaryOperationExpr:
		if e.Op == opcode.Not || e.Op == opcode.Not2 {
			r.condition(e.V, l)
			return
		}
	case *ast.BinaryOperationExpr:
		switch e.Op {
		case opcode.LogicAnd, opcode.LogicOr, opcode.LogicXor:
			r.condition(e.L, l)
			r.condition(e.R, l)
			return
		case opcode.EQ, opcode.NullEQ:
			r.compare(r.expr(e.L, l), r.expr(e.R, l), clause)
			return
		}
	case *ast.IsNullExpr:
		r.isNull(r.expr(e.Expr, l), clause)
		return
	case *ast.PatternInExpr:
		r.inCondition(e, l, clause)
		return
	case *ast.CompareSubqueryExpr:
		if e.Op == opcode.EQ && !e.All {
			r.inSubquery(r.expr(e.L, l), e.R, l, clause)
			return
		}
	case *ast.ExistsSubqueryExpr:
		r.expr(e.Sel, l)
		return
	case *ast.FuncCallExpr:
		if e.FnName.L == "isnull" && len(e.Args) == 1 {
			r.isNull(r.expr(e.Args[0], l), clause)
			return
		}
	}
	r.use(r.expr(n, l), clause)
}

// isNull records v IS NULL. A value that is one of several columns' is NULL where
// that is; what chose it is on record.
func (r *resolver) isNull(v value, clause string) {
	if len(v.Derived) > 0 {
		r.use(v, clause)
		return
	}
	for _, s := range v.Plain {
		r.record(rewrite.Use{Column: s.Column, In: clause, Form: rewrite.FormIsNull})
	}
}

// compare records a = b. Rows are compared column by column.
func (r *resolver) compare(a, b value, clause string) {
	if len(a.row) > 0 && len(a.row) == len(b.row) {
		for i := range a.row {
			r.compare(a.row[i], b.row[i], clause)
		}
		return
	}
	left, right := a.columns(), b.columns()
	switch {
	case len(left) > 0 && b.null:
		r.recordAll(left, rewrite.Use{In: clause, Form: rewrite.FormIsNull})
	case len(left) > 0 && equals(a, b):
		r.recordAll(left, rewrite.Use{In: clause, Form: rewrite.FormEqualConstant})
		r.equal(left, b)
	case len(right) > 0 && a.null:
		r.recordAll(right, rewrite.Use{In: clause, Form: rewrite.FormIsNull})
	case len(right) > 0 && equals(b, a):
		r.recordAll(right, rewrite.Use{In: clause, Form: rewrite.FormEqualConstant})
		r.equal(right, a)
	case len(left) > 0 && len(right) > 0 && comparesAlike(a.kind, b.kind):
		r.recordAll(left, rewrite.Use{In: clause, Form: rewrite.FormEqualColumn, With: right[0]})
		r.recordAll(right, rewrite.Use{In: clause, Form: rewrite.FormEqualColumn, With: left[0]})
	default:
		r.use(a, clause)
		r.use(b, clause)
	}
}

// equal records what columns are compared with.
func (r *resolver) equal(columns []*rewrite.TableColumn, with value) {
	constant := rewrite.Constant{Param: with.param}
	if with.literal {
		constant.Text = with.text
	}
	if constant == (rewrite.Constant{}) {
		return
	}
	for _, c := range columns {
		r.st.Equals = append(r.st.Equals, rewrite.Equal{Column: c, Constant: constant})
	}
}

// equals says whether comparing a column with a constant is a comparison of
// whole values. A text is compared with a number as a number, which is what it
// begins with.
func equals(column, constant value) bool {
	if !constant.constant {
		return false
	}
	if column.kind == typeText || column.kind == typeUnknown {
		return constant.kind == typeText || constant.kind == typeBytes || constant.kind == typeUnknown
	}
	return true
}

// comparesAlike says whether values of two types are compared as wholes.
func comparesAlike(a, b typeKind) bool {
	return a == b || a.number() && b.number() || a != typeUnknown && b != typeUnknown && !a.number() && !b.number()
}

// inCondition records col IN (constants), an equality, and col IN (SELECT col ...), an
// equality join.
func (r *resolver) inCondition(e *ast.PatternInExpr, l *level, clause string) {
	left := r.expr(e.Expr, l)
	if e.Sel != nil {
		r.inSubquery(left, e.Sel, l, clause)
		return
	}
	items := r.exprs(e.List, l)
	if len(items) <= longestIn {
		for _, item := range items {
			r.compare(left, item, clause)
		}
		return
	}
	r.use(left, clause)
	for _, item := range items {
		r.use(item, clause)
	}
}

func (r *resolver) inSubquery(left value, sel ast.ExprNode, l *level, clause string) {
	s, ok := sel.(*ast.SubqueryExpr)
	if !ok {
		r.use(left, clause)
		r.use(r.expr(sel, l), clause)
		return
	}
	columns := r.query(s.Query, l)
	right := rowOf(columns)
	if len(columns) == 1 {
		right = columns[0].value
		right.constant, right.null = false, false
	}
	r.compare(left, right, clause)
}

// pathStep is one member step of a JSON path, quoted.
func pathStep(key string) string {
	return `."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}
