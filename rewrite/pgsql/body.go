package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// userCall resolves a call that may be any of the candidates; the server picks
// one by the arguments' types. names are those of named arguments, nil when
// there are none.
func (r *resolver) userCall(candidates []*Function, args []value, names []string) value {
	var out value
	fits := false
	for _, f := range candidates {
		if !f.takes(len(args)) {
			continue
		}
		v := r.functionValue(f, args, names)
		if fits {
			out = overloaded(out, v)
			continue
		}
		out, fits = v, true
	}
	if !fits { // none takes that many arguments: the server will say so
		return derived(args...)
	}
	out.exact = false
	return out
}

// overloaded is what one of two functions returns.
func overloaded(a, b value) value {
	out := either(a, b)
	if a.row != nil && b.row != nil {
		out.row = oneRow(a.row, b.row)
	}
	return out
}

func rowEither(a, b []column) []column {
	out := make([]column, len(a))
	for i := range a {
		out[i] = column{name: a[i].name, value: either(a[i].value, b[i].value)}
	}
	return out
}

// takes reports whether the function can be called with n arguments.
func (f *Function) takes(n int) bool {
	if f.Variadic {
		return n >= len(f.InTypes)-1-f.Defaults
	}
	return n <= len(f.InTypes) && n >= len(f.InTypes)-f.Defaults
}

// functionValue resolves a call of one user-written or extension function.
func (r *resolver) functionValue(f *Function, args []value, names []string) value {
	r.effects++
	if f.ReturnsSet || f.Extension == "" {
		r.bind()
	}
	if f.Extension != "" {
		switch {
		case !Judge(f.Schema, f.Name, f.Extension).Known:
		case isNamed(names):
			return r.judgedNamed(f.Schema, f.Name, f.Extension, args)
		default:
			return r.judged(f.Schema, f.Name, f.Extension, args)
		}
		return r.opaque(f, args, "its extension is not known")
	}
	if r.scope.Policy.Trusted(f.Schema, f.Name) {
		r.st.Effect.Opaque = true
		return r.madeFrom(f, tells(derived(args...)))
	}
	r.st.Routines = true
	switch {
	case r.depth >= maxDepth:
		return r.opaque(f, args, "functions are nested too deeply")
	case f.Locked:
		return r.opaque(f, args, "its body cannot be read now")
	case f.Kind == 'a' || f.Kind == 'w':
		return r.opaque(f, args, "it is a user-defined aggregate")
	}
	switch f.Language {
	case "sql":
		return r.activate(f, args, names, r.sqlFunction)
	case "plpgsql":
		return r.activate(f, args, names, r.plpgsqlFunction)
	}
	return r.opaque(f, args, "it is written in "+f.Language)
}

// An activation is a call of a function whose body is being resolved. A call of
// the same function in it gives it further arguments, and returns what is known
// of the result so far.
type activation struct {
	level  *queryLevel
	result value
	grown  bool // by further arguments
}

// activate resolves a function's body again and again until neither its
// arguments nor its result gain a source.
func (r *resolver) activate(f *Function, args []value, names []string, body func(*Function, []value, *queryLevel) value) value {
	level := r.argumentLevel(f, args, names)
	if a := r.calls[f.OID]; a != nil {
		a.grown = a.level.args.take(level.args) || a.grown
		return a.result
	}
	if r.calls == nil {
		r.calls = map[uint32]*activation{}
	}
	a := &activation{level: level, result: r.madeFrom(f, value{})}
	r.calls[f.OID] = a
	defer delete(r.calls, f.OID)
	for {
		a.grown = false
		before := a.result.sources()
		a.result = body(f, args, level)
		if !a.grown && a.result.sources() == before || !r.step() {
			return a.result
		}
	}
}

// take lets arguments hold those of another call too, and says whether that
// gave any of them a source.
func (b *boundArguments) take(other *boundArguments) bool {
	grown := false
	for i, v := range b.byNumber {
		b.byNumber[i] = either(v, other.byNumber[i])
		grown = grown || b.byNumber[i].sources() > v.sources()
	}
	for name, v := range other.byName {
		b.byName[name] = either(b.byName[name], v)
	}
	return grown
}

// opaque records a function that cannot be looked into.
func (r *resolver) opaque(f *Function, args []value, why string) value {
	r.st.Effect.Opaque = true
	r.st.Calls = append(r.st.Calls, rewrite.Call{Schema: f.Schema, Name: f.Name, Args: derived(args...).Value, Why: why})
	return r.madeFrom(f, derived(args...))
}

// argumentLevel is the level around a function's body: it knows the arguments.
func (r *resolver) argumentLevel(f *Function, args []value, names []string) *queryLevel {
	byNumber := make([]value, len(f.InTypes))
	byName := map[string]value{}
	in := f.inNames()
	for i, v := range args {
		v.exact, v.constant, v.literal = false, false, false
		at := i
		if i < len(names) && names[i] != "" {
			at = indexOf(in, names[i])
		}
		if at >= 0 && at < len(byNumber) {
			if f.Variadic && at == len(byNumber)-1 {
				v = derived(byNumber[at], v)
			}
			byNumber[at] = r.declaredAs(v, f.InTypes[at])
		} else if len(byNumber) > 0 { // a further variadic argument
			byNumber[len(byNumber)-1] = derived(byNumber[len(byNumber)-1], v)
		}
	}
	for i, name := range in {
		if name != "" && i < len(byNumber) {
			byName[name] = byNumber[i]
		}
	}
	return &queryLevel{from: &namespace{}, args: &boundArguments{function: f.Name, names: in, byNumber: byNumber, byName: byName}}
}

// inNames are the names of the arguments that a call gives.
func (f *Function) inNames() []string {
	if len(f.ArgModes) == 0 {
		return f.ArgNames
	}
	var out []string
	for i, mode := range f.ArgModes {
		if mode == 'i' || mode == 'b' || mode == 'v' {
			name := ""
			if i < len(f.ArgNames) {
				name = f.ArgNames[i]
			}
			out = append(out, name)
		}
	}
	return out
}

func indexOf(list []string, s string) int {
	for i, have := range list {
		if have == s {
			return i
		}
	}
	return -1
}

// sqlFunction resolves the body of a function in SQL: its value is that of the
// last statement.
func (r *resolver) sqlFunction(f *Function, args []value, l *queryLevel) value {
	text := f.Source
	if f.Body != "" {
		text = standardBody(f.Body)
	}
	stmts, err := parse(text)
	if err != nil {
		return r.opaque(f, args, "its body cannot be parsed")
	}
	var columns []column
	r.within(r.functionPaths(f), func() {
		for _, s := range stmts {
			columns = r.bodyStatement(s.Stmt, l)
		}
	})
	return r.result(f, columns)
}

// bodyPaths are the search paths of a function's body.
type bodyPaths struct {
	names     []string // that the names in it are looked up along
	session   []string // in force while it runs
	inherited bool     // both are the caller's
	foretold  bool     // names is what a setting makes it, as far as the schemas in it may be used
	asOwner   bool     // $user in it is not the session's user
}

// within runs resolve under other search paths, one level deeper.
func (r *resolver) within(p bodyPaths, resolve func()) {
	path, session, reads, foretold, asOwner := r.path, r.session, r.st.Effect.ReadsPath, r.foretold, r.asOwner
	r.path, r.session, r.foretold, r.asOwner = p.names, p.session, p.foretold || p.inherited && foretold, p.asOwner || p.inherited && asOwner
	r.st.Effect.ReadsPath = false
	r.depth++
	resolve()
	r.depth--
	r.path, r.session, r.foretold, r.asOwner = path, session, foretold, asOwner
	r.bodyReads = r.bodyReads || p.inherited && r.st.Effect.ReadsPath
	r.st.Effect.ReadsPath = reads || r.st.Effect.ReadsPath
}

// settle refuses a statement whose bodies look for names along the session's
// search path while something in it changes that path, or what is found there:
// which comes first is not known.
func (r *resolver) settle() {
	if r.bodyReads && (r.movesPath || r.bodyDefines) {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeUnpredicted, Message: "a function looks for names along the search path while the statement changes what is found there",
			Hint: "Send what changes it as a statement of its own.",
		})
	}
}

// functionPaths are what a function's body sees: the path of its own SET clause,
// else the caller's. The names in a standard body were looked up long ago.
func (r *resolver) functionPaths(f *Function) bodyPaths {
	p := bodyPaths{names: r.session, session: r.session, inherited: true, asOwner: f.SecurityDefiner}
	for _, setting := range f.Config {
		if list, ok := strings.CutPrefix(setting, "search_path="); ok {
			listed := splitPath(list)
			path := r.effectivePath(listed)
			p = bodyPaths{names: path, session: path, foretold: true, asOwner: f.SecurityDefiner && slices.Contains(listed, "$user")}
		}
	}
	if f.Body != "" {
		p.names, p.inherited, p.foretold, p.asOwner = f.Path, false, false, false
	}
	return p
}

// standardBody makes plain statements of a SQL-standard function body as the
// server prints it: RETURN expression, or BEGIN ATOMIC statements END.
func standardBody(body string) string {
	body = strings.TrimSpace(body)
	if expr, ok := strings.CutPrefix(body, "RETURN "); ok {
		return "SELECT " + expr
	}
	body = strings.TrimPrefix(body, "BEGIN ATOMIC")
	return strings.TrimSuffix(body, "END")
}

// bodyStatement resolves one statement of a body. Of what it is only the effects
// are the whole statement's.
func (r *resolver) bodyStatement(n *pg.Node, l *queryLevel) []column {
	kind, rows, defines := r.st.Kind, r.st.Rows, r.st.Effect.Catalog
	r.st.Effect.Catalog = false
	columns := r.bodyColumns(n, l)
	r.bodyDefines = r.bodyDefines || r.st.Effect.Catalog
	r.st.Kind, r.st.Rows, r.st.Effect.Catalog = kind, rows, defines || r.st.Effect.Catalog
	return columns
}

// bodyColumns are what a statement of a body returns.
func (r *resolver) bodyColumns(n *pg.Node, l *queryLevel) []column {
	switch s := n.GetNode().(type) {
	case *pg.Node_SelectStmt, *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
		return r.query(n, l)
	case *pg.Node_CallStmt:
		return r.called(s.CallStmt, l)
	case *pg.Node_ExplainStmt, *pg.Node_PrepareStmt, *pg.Node_ExecuteStmt, *pg.Node_DeclareCursorStmt, *pg.Node_FetchStmt,
		*pg.Node_CopyStmt, *pg.Node_VariableShowStmt, *pg.Node_DoStmt: // what it returns is no query's of the body
		r.unsupported("a statement about a statement in a function's body")
	case nil:
	default:
		r.utility(n, l)
	}
	return nil
}

// result shapes the columns of a body's last query into the function's value.
func (r *resolver) result(f *Function, columns []column) value {
	declared, row := r.resultColumns(f)
	if row && len(columns) == 1 && columns[0].value.row != nil {
		columns = columns[0].value.row
	}
	if !row && len(columns) == 1 {
		v := columns[0].value
		v.exact, v.constant, v.literal = false, false, false
		return r.declaredAs(v, f.Returns)
	}
	switch {
	case len(declared) == 0: // a record: the call says what is in it
		return rowOf(columns)
	case len(declared) != len(columns): // the server will not have it
		return r.madeFrom(f, rowOf(columns))
	}
	named := make([]column, len(columns))
	for i, c := range columns {
		c.value.exact, c.value.constant, c.value.literal = false, false, false
		named[i] = column{name: declared[i].name, value: r.declaredAs(c.value, declared[i].typ)}
	}
	return rowOf(named)
}

// madeFrom is what a function returns into which v goes in some way.
func (r *resolver) madeFrom(f *Function, v value) value {
	v = derived(v)
	declared, row := r.resultColumns(f)
	if !row {
		return r.declaredAs(v, f.Returns)
	}
	columns := make([]column, len(declared))
	for i, d := range declared {
		columns[i] = column{name: d.name, value: r.declaredAs(v, d.typ)}
	}
	if len(columns) == 0 { // a record: the call says what is in it
		v.rows = true
		return v
	}
	return rowOf(columns)
}

// declaredAs is v where a function declares that type. What a polymorphic type
// stands for the call decides; a row's fields stay what they are made of.
func (r *resolver) declaredAs(v value, oid uint32) value {
	t := r.catalog.TypeByOID(oid)
	if t != nil && polymorphic(t) {
		if v.typ == "unknown" || strings.HasPrefix(t.Name, "anycompatible") { // the other arguments decide too
			v.typ, v.declared = "", nil
		}
		return v
	}
	row := v.row
	if v = r.typed(v, t); len(row) == len(v.row) && row != nil {
		for i := range row {
			v.row[i].value.Value = row[i].value.Value
		}
	}
	return v
}
