package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// A program is the body of a stored routine while it is resolved. Control flow
// is not followed: a variable may hold anything that is assigned to it anywhere.
type program struct {
	vars    map[string]value    // parameters and variables, lower case
	cursors map[string][]column // what they return
	returns []value             // of RETURN
	results [][]column          // of SELECT without INTO: what the client gets
	open    int                 // how many blocks and control structures are open
	why     string              // why it cannot be resolved, "" when it can
}

// routine resolves a call of a stored function or procedure by its body.
func (r *resolver) routine(f *Routine, args []value) value {
	p, ok := r.body(f, args)
	if !ok {
		return derived(args...)
	}
	var out value
	for i, v := range p.returns {
		if i == 0 {
			out = v.opaque()
		} else {
			out = either(out, v)
		}
	}
	out.exact, out.certain = false, false
	return out
}

// body resolves a routine's body; ok is false when it could not be, which is on
// record then.
func (r *resolver) body(f *Routine, args []value) (p *program, ok bool) {
	r.st.Routines = true
	full := f.Schema + "." + f.Name
	switch {
	case r.scope.Policy.Trusted(f.Schema, f.Name):
		r.st.Effect.Opaque = true
		return nil, false
	case f.External:
		return nil, r.opaqueRoutine(f, args, "it is not written in SQL")
	case f.Unreadable:
		return nil, r.opaqueRoutine(f, args, "its body cannot be read")
	case r.depth >= maxDepth:
		return nil, r.opaqueRoutine(f, args, "routines are nested too deeply")
	case slices.Contains(r.around, full):
		return nil, r.opaqueRoutine(f, args, "it calls itself")
	}
	m := *r.mode
	m.setSQLMode(f.SQLMode)
	m.charset, m.connection = "utf8mb4", "ascii" // what its maker had holds that
	in := programInput(f.Body, &m)
	if in.fault != nil {
		return nil, r.opaqueRoutine(f, args, "its body cannot be parsed")
	}
	outer, uses := r.program, r.assigns
	r.around = append(r.around, full)
	r.inside(in, f.Schema, func() { p = r.rounds(f, args, in) })
	r.around = r.around[:len(r.around)-1]
	r.program, r.assigns = outer, uses
	if p.why != "" {
		return nil, r.opaqueRoutine(f, args, p.why)
	}
	return p, true
}

// opaqueRoutine records a routine that cannot be looked into.
func (r *resolver) opaqueRoutine(f *Routine, args []value, why string) bool {
	r.st.Effect.Opaque = true
	r.st.Calls = append(r.st.Calls, rewrite.Call{Schema: f.Schema, Name: f.Name, Args: derived(args...).Value, Why: why})
	return false
}

// mostBodyRounds bounds how often a body is resolved until its variables stand still.
const mostBodyRounds = 16

// rounds resolves a body until what its variables may hold stands still.
func (r *resolver) rounds(f *Routine, args []value, in *input) *program {
	vars := map[string]value{}
	for i, param := range f.Parameters {
		v := value{constant: true}
		if i < len(args) && !param.Out {
			v = args[i].opaque()
			v.constant = v.None()
		}
		vars[strings.ToLower(param.Name)] = v
	}
	for range mostBodyRounds {
		before := sources(vars)
		p := &program{vars: vars, cursors: map[string][]column{}}
		r.program = p
		r.walk(in, &level{from: &namespace{}, locals: vars})
		if p.why != "" || sources(vars) == before {
			return p
		}
	}
	return &program{why: "its variables do not come to rest"}
}

// sources counts what variables are made of.
func sources(vars map[string]value) int {
	n := 0
	for _, v := range vars {
		n += len(v.Plain) + len(v.Derived)
	}
	return n
}

// assign notes that v goes into a variable.
func (p *program) assign(name string, v value) {
	name = strings.ToLower(name)
	if old, ok := p.vars[name]; ok && !old.None() {
		v = either(old, v)
	}
	v = v.opaque()
	v.constant = v.None()
	p.vars[name] = v
}

// declare makes a variable known.
func (p *program) declare(name string) {
	if name = strings.ToLower(name); !has(p.vars, name) {
		p.vars[name] = value{constant: true}
	}
}

func has(vars map[string]value, name string) bool {
	_, ok := vars[name]
	return ok
}

// walk resolves the statements of a body one after the other. What the server
// has stored is well formed: control structures are opened as they come, and
// their ends skipped.
func (r *resolver) walk(in *input, l *level) {
	at := 0
	for at < len(in.tokens) && r.program.why == "" {
		next := r.step(in, at, l)
		if next <= at {
			r.program.why = "its body cannot be parsed"
			return
		}
		at = next
	}
}

// step resolves what begins at a token, and returns where the next step begins.
func (r *resolver) step(in *input, at int, l *level) int {
	switch in.keyword(at) {
	case "BEGIN":
		r.program.open++
		if in.word(at+1, "NOT") {
			return at + 3
		}
		return at + 1
	case "END":
		return r.ends(in, at)
	case "IF":
		r.program.open++
		return r.steering(in, at+1, "THEN", l)
	case "ELSEIF", "WHEN":
		return r.steering(in, at+1, "THEN", l)
	case "WHILE":
		r.program.open++
		return r.steering(in, at+1, "DO", l)
	case "UNTIL":
		return r.steering(in, at+1, "END", l) - 1
	case "CASE":
		r.program.open++
		if in.word(at+1, "WHEN") {
			return at + 1
		}
		return r.steering(in, at+1, "WHEN", l) - 1
	case "LOOP", "REPEAT":
		r.program.open++
		return at + 1
	case "ELSE":
		return at + 1
	case "LEAVE", "ITERATE", "OPEN", "CLOSE":
		return in.semicolon(at) + 1
	case "FETCH":
		return r.fetch(in, at)
	case "DECLARE":
		return r.declare(in, at, l)
	case "RETURN":
		end := in.semicolon(at)
		r.program.returns = append(r.program.returns, r.fragment(in, at+1, end, l))
		return end + 1
	case "SIGNAL", "RESIGNAL":
		return r.signal(in, at, l)
	case "GET":
		return r.diagnostics(in, at)
	case "FOR", "GOTO", "PREPARE", "EXECUTE", "DEALLOCATE", "HANDLER", "LOAD":
		r.program.why = "it has a statement that is not resolved: " + in.keyword(at)
		return at
	}
	if in.tokens[at].kind == tokenSemicolon {
		return at + 1
	}
	if in.word(at+1, ":") { // a label
		return at + 2
	}
	end := in.semicolon(at)
	r.bodyStatement(in.part(at, end), l)
	return end + 1
}

// ends closes a block or control structure. Behind the last of a body there is
// nothing: it would be a statement of its own, read as the body left the session.
func (r *resolver) ends(in *input, at int) int {
	next := in.semicolon(at) + 1
	if r.program.open--; r.program.open == 0 && next < len(in.tokens) {
		r.program.why = "something follows its end"
	}
	return next
}

// semicolon is the token that ends the statement at a token: the next semicolon
// outside of parentheses, or the end.
func (in *input) semicolon(at int) int {
	depth := 0
	for i := at; i < len(in.tokens); i++ {
		switch in.tokens[i].kind {
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
		case tokenSemicolon:
			if depth == 0 {
				return i
			}
		}
	}
	return len(in.tokens)
}

// steering resolves a condition up to a keyword; CASE expressions in it have the
// same keywords.
func (r *resolver) steering(in *input, at int, keyword string, l *level) int {
	depth, cases := 0, 0
	for i := at; i < len(in.tokens); i++ {
		switch word := in.keyword(i); {
		case in.tokens[i].kind == tokenOpen:
			depth++
		case in.tokens[i].kind == tokenClose:
			depth--
		case depth == 0 && cases == 0 && word == keyword:
			r.steer(in, at, i, l)
			return i + 1
		case word == "CASE":
			cases++
		case word == "END" && cases > 0:
			cases--
		}
	}
	r.program.why = "its body cannot be parsed"
	return at
}

// steer resolves an expression that decides what the body does.
func (r *resolver) steer(in *input, from, to int, l *level) {
	outer := r.in
	r.in = in
	ok := r.selected(from, to, func(list *ast.FieldList) {
		for _, f := range list.Fields {
			r.within("field list", "routine body", func() { r.condition(f.Expr, l.under()) })
		}
	})
	r.in = outer
	if !ok {
		r.program.why = "its body cannot be parsed"
	}
}

// fragment resolves an expression of the body.
func (r *resolver) fragment(in *input, from, to int, l *level) value {
	v, ok := r.expression(in, from, to, l)
	if !ok {
		r.program.why = "its body cannot be parsed"
	}
	return v
}

// declare resolves DECLARE: variables, a cursor, a condition, or a handler,
// whose statement follows.
func (r *resolver) declare(in *input, at int, l *level) int {
	end := in.semicolon(at)
	if in.word(at+2, "HANDLER") {
		return in.afterConditions(at + 4)
	}
	if in.word(at+2, "CONDITION") {
		return end + 1
	}
	if in.word(at+2, "CURSOR") {
		query := in.find(at, "FOR")
		name, ok := in.identifier(at + 1)
		if query < 0 || query >= end || !ok || in.tokens[at+3].kind == tokenOpen {
			r.program.why = "it has a cursor that is not resolved"
			return end + 1
		}
		r.program.cursors[strings.ToLower(name)] = r.partQuery(in.part(query+1, end), l)
		return end + 1
	}
	var names []string
	for i := at + 1; i < end; i += 2 {
		name, ok := in.identifier(i)
		if !ok {
			break
		}
		names = append(names, name)
		r.program.declare(name)
		if in.tokens[min(i+1, len(in.tokens)-1)].kind != tokenComma {
			break
		}
	}
	if start := in.find(at, "DEFAULT"); start >= 0 && start < end {
		v := r.fragment(in, start+1, end, l)
		for _, name := range names {
			r.program.assign(name, v)
		}
	}
	return end + 1
}

// fetch is FETCH [[NEXT] FROM] cursor INTO variables.
func (r *resolver) fetch(in *input, at int) int {
	end := in.semicolon(at)
	into := in.find(at, "INTO")
	if into < 0 || into >= end {
		r.program.why = "its body cannot be parsed"
		return end + 1
	}
	cursor, _ := in.identifier(into - 1)
	columns, ok := r.program.cursors[strings.ToLower(cursor)]
	if !ok {
		r.program.why = "it has a cursor that is not resolved"
	}
	for i := into + 1; i < end; i += 2 {
		name, _ := in.identifier(i)
		if place := (i - into - 1) / 2; place < len(columns) {
			r.program.assign(name, columns[place].value)
		}
	}
	return end + 1
}

// afterConditions is where a handler's statement begins.
func (in *input) afterConditions(at int) int {
	for at < len(in.tokens) {
		switch {
		case in.words(at, "SQLSTATE", "VALUE"):
			at += 3
		case in.word(at, "SQLSTATE"), in.words(at, "NOT", "FOUND"):
			at += 2
		default:
			at++
		}
		if at >= len(in.tokens) || in.tokens[at].kind != tokenComma {
			return at
		}
		at++
	}
	return at
}

// bodyStatement resolves one statement of a body.
func (r *resolver) bodyStatement(part *input, l *level) {
	outer := r.in
	base := r.base
	r.in, r.base = part, part.start
	columns, rows := r.run(l)
	r.in, r.base = outer, base
	r.unsure = r.unsure || r.anonymous && r.st.Effect.Catalog
	if rows {
		r.program.results = append(r.program.results, columns)
	}
}

// partQuery resolves a part of a body that is a query.
func (r *resolver) partQuery(part *input, l *level) []column {
	outer, base := r.in, r.base
	r.in, r.base = part, part.start
	columns, _ := r.run(l)
	r.in, r.base = outer, base
	return columns
}
