package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	driver "github.com/pingcap/tidb/pkg/parser/test_driver"

	"sqlveil/rewrite"
)

// A replacement is an expression of the select list that may give way to a
// stand-in: its text, and over which columns it may fail.
type replacement struct {
	start, end int
	name       string // that the column has by the expression, "" where it has an alias
	over       []*rewrite.TableColumn
}

// mayBeReplaced notes that an expression of the select list may fail over some
// columns. The client sees no value of it, so the server need not work it out:
//
//	CASE WHEN FALSE THEN (expression) ELSE NULL END AS `expression`
//
// has its type and its name, and is NULL.
func (r *resolver) mayBeReplaced(f *ast.SelectField, c column, over []*rewrite.TableColumn) {
	start := r.base + f.Offset
	end := start + len(f.OriginalText())
	if len(over) == 0 || len(r.in.gaps) > 0 || !strings.HasPrefix(r.mode.charset, "utf8") || !standsAlone(f.Expr) {
		return
	}
	out := replacement{start: start, end: end, over: slices.Clone(over)}
	switch {
	case f.AsName.O != "":
		out.end = r.in.withoutAlias(start, end)
	case c.guess || strings.ContainsAny(c.name, "`\\") || len(c.name) > longestAlias:
		return
	default:
		out.name = c.name
	}
	if out.end > out.start {
		r.replaceable = append(r.replaceable, out)
	}
}

// withoutAlias is where an expression with an alias behind it ends.
func (in *input) withoutAlias(start, end int) int {
	var inside []token
	for _, t := range in.written {
		if t.start >= start && t.end <= end {
			inside = append(inside, t)
		}
	}
	n := len(inside) - 1
	if n > 0 && inside[n-1].kind == tokenWord && strings.EqualFold(in.raw[inside[n-1].start:inside[n-1].end], "AS") {
		n--
	}
	if n <= 0 {
		return start
	}
	return inside[n-1].end
}

// instead is the statement with stand-ins, read and resolved from its text as any
// other, so that no release rests on how it was written; nil when none is needed.
func (r *resolver) instead(hides func(*rewrite.TableColumn) bool) *rewrite.Statement {
	var sql strings.Builder
	done := r.st.Start
	for _, x := range r.replaceable {
		if !slices.ContainsFunc(x.over, hides) {
			continue
		}
		sql.WriteString(r.in.raw[done:x.start] + "CASE WHEN FALSE THEN (" + r.in.raw[x.start:x.end] + ") ELSE NULL END")
		if x.name != "" {
			sql.WriteString(" AS " + quoteName(x.name))
		}
		done = x.end
	}
	if done == r.st.Start {
		return nil
	}
	sql.WriteString(r.in.raw[done:r.st.End])
	a := analysis{scope: r.scope, catalog: r.catalog, mode: *r.mode, raw: sql.String(), schema: r.schema, unsure: r.unsure}
	all := a.statements()
	if len(all) != 1 {
		return nil
	}
	st := all[0]
	st.SQL, st.Instead, st.LiteralFree = a.raw, nil, false
	st.Start, st.End, st.Text, st.Fingerprint = r.st.Start, r.st.End, r.st.Text, r.st.Fingerprint
	return st
}

// isFalse says whether a condition is the word FALSE.
func isFalse(n ast.ExprNode) bool {
	v, ok := n.(*driver.ValueExpr)
	return ok && v.Kind() == driver.KindInt64 && v.GetInt64() == 0
}

// standsAlone says whether an expression is worked out where it stands and nowhere
// else: aggregates, window functions and subqueries are before, and assignments and
// what users wrote have effects.
func standsAlone(n ast.ExprNode) bool {
	alone := true
	n.Accept(visitor(func(n ast.Node) {
		switch e := n.(type) {
		case *ast.AggregateFuncExpr, *ast.WindowFuncExpr, *ast.SubqueryExpr, *ast.VariableExpr, *ast.DefaultExpr:
			alone = false
		case *ast.FuncCallExpr:
			j, known := judge(e.FnName.L)
			_, special := specialCalls[e.FnName.L]
			alone = alone && e.Schema.O == "" && (known || special) && !j.sink && !j.refused
		}
	}))
	return alone
}

// A visitor is shown every node.
type visitor func(ast.Node)

// Enter implements ast.Visitor.
func (v visitor) Enter(n ast.Node) (ast.Node, bool) {
	v(n)
	return n, false
}

// Leave implements ast.Visitor.
func (v visitor) Leave(n ast.Node) (ast.Node, bool) { return n, true }
