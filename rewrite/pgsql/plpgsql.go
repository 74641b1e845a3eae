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

// plpgsqlFunction resolves a PL/pgSQL function. Control flow is not followed: a
// variable may hold anything that any statement puts into it, and the result
// anything that the body reads.
func (r *resolver) plpgsqlFunction(f *Function, args []value, l *queryLevel) value {
	pool, why := r.plpgsqlBody(r.plpgsqlText(f), r.functionPaths(f), l)
	if why != "" {
		return r.opaque(f, args, why)
	}
	return r.madeFrom(f, derived(append(args, pool)...))
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
// FUNCTION or DO. read is everything that any of them yields; why is not empty
// when the body cannot be resolved.
func (r *resolver) plpgsqlBody(text string, paths bodyPaths, l *queryLevel) (read value, why string) {
	tree, err := pg.ParsePlPgSqlToJSON(text)
	if err != nil {
		return value{}, "its body cannot be parsed"
	}
	var functions []struct {
		Function map[string]any `json:"PLpgSQL_function"`
	}
	if err := json.Unmarshal([]byte(tree), &functions); err != nil {
		return value{}, "its body cannot be parsed"
	}
	l.args.variables = true
	b := plpgsqlBody{r: r, l: l, vars: l.args.byName, parsed: map[string][]*pg.RawStmt{}}
	r.within(paths, func() {
		for _, f := range functions {
			b.declare(f.Function["datums"])
		}
		for changed := true; changed; { // each round some variable gains a source, or it is the last
			before := b.sources()
			for _, f := range functions {
				b.walk(f.Function, "")
			}
			b.caught()
			changed = b.sources() != before
		}
	})
	return b.read, b.why
}

// A plpgsqlBody is the walk over one body.
type plpgsqlBody struct {
	r       *resolver
	l       *queryLevel
	numbers []string         // the variables' names, by number; of a record's field the record's
	vars    map[string]value // what each may hold
	read    value            // everything read so far
	parsed  map[string][]*pg.RawStmt
	why     string
}

// declare notes the variables of a body, the function's arguments first.
func (b *plpgsqlBody) declare(datums any) {
	list, _ := datums.([]any)
	for _, d := range list {
		kinds, _ := d.(map[string]any)
		for kind, v := range kinds {
			fields, _ := v.(map[string]any)
			name, _ := fields["refname"].(string)
			if kind == "PLpgSQL_recfield" {
				if parent, ok := fields["recparentno"].(float64); ok && int(parent) < len(b.numbers) {
					name = b.numbers[int(parent)]
				}
			}
			b.numbers = append(b.numbers, name)
			if _, known := b.vars[name]; !known {
				b.vars[name] = value{}
			}
		}
	}
}

// sources counts what the variables may hold; it only ever grows.
func (b *plpgsqlBody) sources() int {
	n := 0
	for _, v := range b.vars {
		n += len(v.Plain) + len(v.Derived)
	}
	return n
}

// assign lets a variable hold v too; number is its place in the declarations.
func (b *plpgsqlBody) assign(number float64, v value) {
	if int(number) >= len(b.numbers) || number < 0 {
		b.why = "it writes a variable that is not known"
		return
	}
	b.hold(b.numbers[int(number)], v)
}

func (b *plpgsqlBody) hold(name string, v value) {
	b.vars[name] = derived(b.vars[name], v)
	for i, n := range b.l.args.names { // $1 is the argument by another name
		if n == name && i < len(b.l.args.byNumber) {
			b.l.args.byNumber[i] = b.vars[name]
		}
	}
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

// walk resolves a part of the body under one statement and returns what the
// expressions directly in it yield.
func (b *plpgsqlBody) walk(node any, statement string) value {
	var out value
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			out = derived(out, b.walk(child, statement))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(n)) {
			switch child := n[key]; {
			case key == "PLpgSQL_expr":
				out = derived(out, b.expr(child, statement))
			case key == "dynquery", strings.HasPrefix(key, "PLpgSQL_stmt_dyn"):
				b.why = "it runs SQL from a text"
			case strings.HasPrefix(key, "PLpgSQL_stmt_"):
				b.statement(key, child)
			default:
				out = derived(out, b.walk(child, statement))
			}
		}
	}
	return out
}

// statement resolves one statement and lets its targets hold what it yields.
func (b *plpgsqlBody) statement(kind string, node any) {
	if _, known := plpgsqlStatements[kind]; !known {
		b.why = "it has a statement that is not known"
	}
	yields := b.walk(node, kind)
	fields, _ := node.(map[string]any)
	if number, ok := fields["varno"].(float64); ok {
		b.assign(number, yields)
	}
	for _, key := range []string{"target", "var", "row", "rec", "retvar"} {
		b.targets(fields[key], yields)
	}
	if stacked, _ := fields["is_stacked"].(bool); stacked {
		b.diagnosed(fields["diag_items"])
	}
	if kind == "PLpgSQL_stmt_fetch" || kind == "PLpgSQL_stmt_forc" || kind == "PLpgSQL_stmt_call" {
		for name := range b.vars { // from a cursor, or out of an argument: any query of the body may be its source
			b.hold(name, b.read)
		}
	}
}

// quotable is what an error in the body may quote: a violated constraint the
// whole row that was to be written, a failing trigger what it likes.
func (b *plpgsqlBody) quotable() value {
	v := b.read
	for _, w := range b.r.st.Writes {
		v = derived(v, value{Value: rewrite.Of(w.Target)})
	}
	for _, u := range b.r.st.Uses {
		v = derived(v, value{Value: rewrite.Of(u.Column)})
	}
	return v
}

// diagnosed lets the targets of GET STACKED DIAGNOSTICS hold what an error may
// quote. GET DIAGNOSTICS tells of counts and places alone.
func (b *plpgsqlBody) diagnosed(items any) {
	list, _ := items.([]any)
	for _, item := range list {
		kinds, _ := item.(map[string]any)
		fields, _ := kinds["PLpgSQL_diag_item"].(map[string]any)
		number, ok := fields["target"].(float64)
		if !ok {
			b.why = "it has a diagnostic that is not known"
			return
		}
		b.assign(number, b.quotable())
	}
}

// caught lets the variables of exception handlers hold what an error may quote.
func (b *plpgsqlBody) caught() {
	for _, name := range []string{"sqlerrm", "sqlstate"} {
		if _, declared := b.vars[name]; declared {
			b.hold(name, b.quotable())
		}
	}
}

// targets lets every variable named below node hold v.
func (b *plpgsqlBody) targets(node any, v value) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			b.targets(child, v)
		}
	case map[string]any:
		if number, ok := n["varno"].(float64); ok {
			b.assign(number, v)
		}
		if name, ok := n["refname"].(string); ok {
			b.hold(name, v)
		}
		for _, child := range n {
			b.targets(child, v)
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
func (b *plpgsqlBody) expr(node any, statement string) value {
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
		return value{}
	}
	stmts, known := b.parsed[text]
	if !known {
		var err error
		if stmts, err = parse(text); err != nil {
			b.why = "its body cannot be parsed"
			return value{}
		}
		b.parsed[text] = stmts
	}
	var out value
	for _, s := range stmts {
		for _, c := range b.r.bodyStatement(s.Stmt, b.l) {
			out = derived(out, c.value)
			if steers := !plpgsqlStatements[statement]; steers && statement != "" {
				b.r.use(c.value, "function body")
			}
		}
	}
	b.read = derived(b.read, out)
	return out
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
	r.st.LiteralFree = false // the body is one
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
		l := &queryLevel{from: &namespace{}, args: &boundArguments{byName: map[string]value{}}}
		_, why = r.plpgsqlBody("DO "+quoteLiteral(source), bodyPaths{names: r.path, session: r.session, inherited: true}, l)
	}
	if why != "" {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeOpaque, Message: "this DO block may read protected data: " + why,
			Hint: "Send its statements one by one.",
		})
		r.st.Effect.Opaque = true
	}
}
