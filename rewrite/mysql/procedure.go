package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// callStatement is CALL. A procedure returns what the SELECTs of its body do.
func (r *resolver) callStatement(l *level) (columns []column, rows bool) {
	node, err := r.parse("", r.in.start, r.in.end)
	call, ok := node.(*ast.CallStmt)
	if err != nil || !ok {
		r.unparsed(orSyntax(err))
		return nil, true
	}
	r.kind("CALL")
	schema, name := call.Procedure.Schema.O, call.Procedure.FnName.O
	inner := l.under()
	args := r.exprs(call.Procedure.Args, inner)
	if schema == "" {
		r.st.Effect.ReadsPath = true
		if r.unsure {
			r.unpredicted(name)
			return nil, true
		}
		schema = r.schema
	}
	if strings.EqualFold(schema, "sys") || strings.EqualFold(schema, "mysql") {
		r.refuseKind("CALL of a procedure in " + schema)
		return nil, true
	}
	f := r.catalog.Routine(schema, name, true)
	if f == nil {
		r.unknown(rewrite.Refusal{Code: rewrite.CodeUnknownName, SQLState: "42000", Message: "PROCEDURE " + schema + "." + name + " does not exist"})
		return nil, true
	}
	p, ok := r.body(f, args)
	if !ok {
		return nil, true
	}
	r.outArguments(f, call.Procedure.Args, p, l)
	return r.results(p.results)
}

// outArguments records what a procedure puts into its OUT parameters.
func (r *resolver) outArguments(f *Routine, args []ast.ExprNode, p *program, l *level) {
	for i, param := range f.Parameters {
		if !param.Out || i >= len(args) {
			continue
		}
		v := p.vars[strings.ToLower(param.Name)]
		switch a := args[i].(type) {
		case *ast.VariableExpr:
			r.flow(v, "a user variable")
		case *ast.ColumnNameExpr:
			r.assignTo(a.Name.Name.O, v, l)
		default: // a parameter of a prepared statement: it is sent to the client
			r.flow(v, "a parameter")
			if r.depth == 0 {
				r.st.Effect.Outs++
			}
		}
	}
}

// longestAlias is how many bytes of a column's alias every server keeps.
const longestAlias = 64

// results are those that a procedure or block may return: one after the other in
// columns, where they differ. The server tells by their names which it returns.
func (r *resolver) results(all [][]column) (columns []column, rows bool) {
	if r.program != nil { // called by another one
		r.program.results = append(r.program.results, all...)
		return nil, false
	}
	var shapes [][]column
	for _, result := range all {
		at := slices.IndexFunc(shapes, func(s []column) bool { return slices.EqualFunc(s, result, sameColumn) })
		if at < 0 {
			shapes = append(shapes, slices.Clone(result))
			continue
		}
		for i := range result {
			shapes[at][i].value = either(shapes[at][i].value, result[i].value)
		}
	}
	for _, s := range shapes {
		columns = append(columns, s...)
		if len(shapes) > 1 {
			r.st.Results = append(r.st.Results, len(s))
		}
	}
	return columns, len(all) > 0
}

// sameColumn says whether two columns have one name.
func sameColumn(a, b column) bool { return a.guess == b.guess && strings.EqualFold(a.name, b.name) }

// block resolves MariaDB's BEGIN NOT ATOMIC and its like: statements with
// variables and conditions, as in a procedure. But whoever wrote it is the caller,
// who could tell by a variable's type what a value is like: nothing protected gets
// into one.
//
// https://mariadb.com/kb/en/using-compound-statements-outside-of-stored-programs/
func (r *resolver) block() (columns []column, rows bool) {
	unsure := r.unsure
	r.anonymous = true
	p := r.rounds(&Routine{}, nil, r.in)
	r.program, r.anonymous, r.unsure = nil, false, unsure
	r.kind("BEGIN NOT ATOMIC")
	r.st.LiteralFree = false
	if p.why != "" {
		r.unsupported("this block (" + p.why + ")")
		return nil, true
	}
	for _, v := range p.vars {
		r.flow(v, "a variable")
	}
	return r.results(p.results)
}
