package pgsql

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// plpgsqlFunction resolves a PL/pgSQL function. No flow between its variables is
// followed: each variable, and the result, may hold anything that the body reads.
func (r *resolver) plpgsqlFunction(f *Function, args []value, names []string) value {
	l := r.argumentLevel(f, args, names)
	pool, why := r.plpgsqlBody(r.plpgsqlText(f), r.functionPath(f), l, derived(args...))
	if why != "" {
		return r.opaque(f, args, why)
	}
	columns := r.resultNames(f)
	if len(columns) < 2 {
		return pool
	}
	row := make([]column, len(columns))
	for i, name := range columns {
		row[i] = column{name: name, value: pool}
	}
	return rowOf(row)
}

// plpgsqlText writes the definition of f anew, with types that the parser
// knows: it reads names and statements, not types.
func (r *resolver) plpgsqlText(f *Function) string {
	var params []string
	for i := range f.ArgTypes {
		mode, name := "", ""
		if i < len(f.ArgModes) {
			mode = map[byte]string{'i': "", 'o': "OUT ", 'b': "INOUT ", 'v': "", 't': "OUT "}[f.ArgModes[i]]
		}
		if i < len(f.ArgNames) && f.ArgNames[i] != "" {
			name = quoteIdentifier(f.ArgNames[i]) + " "
		}
		params = append(params, mode+name+"text")
	}
	returns := "text"
	if len(f.ArgModes) > 0 && len(r.resultNames(f)) > 0 {
		returns = "record"
		if len(r.resultNames(f)) == 1 {
			returns = "text"
		}
	}
	switch {
	case f.ReturnsSet:
		returns = "SETOF " + returns
	case f.Kind == 'p':
		returns = ""
	}
	if returns != "" {
		returns = " RETURNS " + returns
	}
	if t := r.catalog.TypeByOID(f.Returns); t != nil && t.Name == "void" && f.Kind != 'p' {
		returns = " RETURNS void"
	}
	kind := "FUNCTION"
	if f.Kind == 'p' {
		kind = "PROCEDURE"
	}
	return fmt.Sprintf("CREATE %s f(%s)%s LANGUAGE plpgsql AS %s", kind, strings.Join(params, ", "), returns, quoteLiteral(f.Source))
}

func quoteIdentifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteLiteral quotes for a server with standard_conforming_strings on.
func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// plpgsqlBody resolves every statement and expression of a body, CREATE
// FUNCTION or DO. The value is what any variable may hold; why is not empty when
// the body cannot be resolved.
func (r *resolver) plpgsqlBody(text string, path []string, l *queryLevel, start value) (pool value, why string) {
	tree, err := pg.ParsePlPgSqlToJSON(text)
	if err != nil {
		return value{}, "its body cannot be parsed"
	}
	var functions []map[string]any
	if err := json.Unmarshal([]byte(tree), &functions); err != nil {
		return value{}, "its body cannot be parsed"
	}
	b := plpgsqlBody{r: r, l: l, pool: start}
	r.within(path, func() {
		for _, f := range functions {
			collectNames(f, l.args.byName)
		}
		for range 2 { // the second time every variable holds what the first one found
			for name := range l.args.byName {
				l.args.byName[name] = b.pool
			}
			for i := range l.args.byNumber {
				l.args.byNumber[i] = b.pool
			}
			for _, f := range functions {
				b.walk(f, "")
			}
		}
	})
	return b.pool, b.why
}

// collectNames adds the variables that a body declares.
func collectNames(node any, names map[string]value) {
	switch n := node.(type) {
	case map[string]any:
		for _, kind := range []string{"PLpgSQL_var", "PLpgSQL_rec", "PLpgSQL_row"} {
			if v, ok := n[kind].(map[string]any); ok {
				if name, ok := v["refname"].(string); ok {
					names[name] = value{}
				}
			}
		}
		for _, child := range n {
			collectNames(child, names)
		}
	case []any:
		for _, child := range n {
			collectNames(child, names)
		}
	}
}

// A plpgsqlBody is the walk over one body.
type plpgsqlBody struct {
	r    *resolver
	l    *queryLevel
	pool value // everything read so far
	why  string
}

// plpgsqlStatements are the statements whose parts may be resolved one by one.
// Values of expressions directly under one that is false steer what it does.
var plpgsqlStatements = map[string]bool{
	"PLpgSQL_stmt_block": true, "PLpgSQL_stmt_assign": true, "PLpgSQL_stmt_execsql": true, "PLpgSQL_stmt_perform": true,
	"PLpgSQL_stmt_call": true, "PLpgSQL_stmt_return": true, "PLpgSQL_stmt_return_next": true, "PLpgSQL_stmt_return_query": true,
	"PLpgSQL_stmt_fors": true, "PLpgSQL_stmt_forc": true, "PLpgSQL_stmt_open": true, "PLpgSQL_stmt_fetch": true,
	"PLpgSQL_stmt_close": true, "PLpgSQL_stmt_getdiag": true, "PLpgSQL_stmt_loop": true, "PLpgSQL_stmt_commit": true,
	"PLpgSQL_stmt_rollback": true,
	"PLpgSQL_stmt_if":       false, "PLpgSQL_stmt_case": false, "PLpgSQL_stmt_while": false, "PLpgSQL_stmt_fori": false,
	"PLpgSQL_stmt_foreach_a": false, "PLpgSQL_stmt_exit": false, "PLpgSQL_stmt_raise": false, "PLpgSQL_stmt_assert": false,
}

func (b *plpgsqlBody) walk(node any, statement string) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			b.walk(child, statement)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(n)) {
			child := n[key]
			switch {
			case key == "PLpgSQL_expr":
				b.expr(child, statement)
			case key == "dynquery", strings.HasPrefix(key, "PLpgSQL_stmt_dyn"):
				b.why = "it runs SQL from a text"
			case strings.HasPrefix(key, "PLpgSQL_stmt_"):
				if _, known := plpgsqlStatements[key]; !known {
					b.why = "it has a statement that is not known"
				}
				b.walk(child, key)
			default:
				b.walk(child, statement)
			}
		}
	}
}

// The ways in which PL/pgSQL has its expressions parsed: RawParseMode of the
// server's parser/parser.h.
const (
	parseStatement  = 0
	parseExpression = 2
)

// expr resolves one SQL text of the body.
func (b *plpgsqlBody) expr(node any, statement string) {
	e, _ := node.(map[string]any)
	text, _ := e["query"].(string)
	mode, _ := e["parseMode"].(float64)
	switch {
	case mode == parseExpression:
		text = "SELECT " + text
	case mode > parseExpression: // an assignment: target := expression
		text = "SELECT " + assigned(text)
	case mode != parseStatement:
		b.why = "it has an expression that is not known"
		return
	}
	stmts, err := parse(text)
	if err != nil {
		b.why = "its body cannot be parsed"
		return
	}
	for _, s := range stmts {
		for _, c := range b.r.bodyStatement(s.Stmt, b.l) {
			b.pool = derived(b.pool, c.value)
			if steers := !plpgsqlStatements[statement]; steers && statement != "" {
				b.r.use(c.value, "function body")
			}
		}
	}
}

// assigned is the expression of "target := expression".
func assigned(text string) string {
	l := lexer{text: text}
	for {
		t := l.next()
		switch {
		case t.kind == tokenEnd || t.kind == tokenBroken:
			return text
		case t.kind == tokenOperator && (text[t.start:t.end] == ":=" || text[t.start:t.end] == "="):
			return text[t.end:]
		}
	}
}

// do resolves DO: an anonymous body.
func (r *resolver) do(s *pg.DoStmt) {
	language, source := "plpgsql", ""
	for _, n := range s.Args {
		switch e := n.GetDefElem(); e.GetDefname() {
		case "as":
			source = e.Arg.GetString_().GetSval()
		case "language":
			language = e.Arg.GetString_().GetSval()
		}
	}
	why := "it is written in " + language
	if language == "plpgsql" {
		l := &queryLevel{from: &namespace{}, args: &arguments{byName: map[string]value{}}}
		_, why = r.plpgsqlBody("DO "+quoteLiteral(source), r.path, l, value{})
	}
	if why != "" {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeOpaque, Message: "this DO block may read protected data: " + why,
			Hint: "Send its statements one by one.",
		})
		r.st.Effect.Opaque = true
	}
}
