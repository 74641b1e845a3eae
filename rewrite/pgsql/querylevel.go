package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// A queryLevel is one query with the names it can see; outer is the query around it.
type queryLevel struct {
	outer *queryLevel
	with  []*cte
	from  *namespace
	args  *boundArguments // of the function whose body this is

	aggregates aggregates
}

// under opens a query inside l.
func (l *queryLevel) under() *queryLevel { return &queryLevel{outer: l, from: &namespace{}} }

// A cte is one WITH query. Its columns are resolved when first asked for.
type cte struct {
	name      string
	query     *pg.CommonTableExpr
	level     *queryLevel
	state     cteState
	columns   []column
	recursive bool
}

// cteState says how far a WITH query is resolved.
type cteState uint8

const (
	ctePending   cteState = iota // nobody has asked yet
	cteResolving                 // being resolved: whoever asks now is its own recursive arm
	cteResolved                  // columns holds
)

// boundArguments are the parameters of a function whose body is being resolved.
type boundArguments struct {
	function string   // whose they are
	names    []string // by number
	byNumber []value
	byName   map[string]value

	// variables says that these are PL/pgSQL's, which a setting may put before
	// columns of the same name.
	variables bool
}

// cte finds the WITH query of that name, innermost first.
func (l *queryLevel) cte(name string) *cte {
	for ; l != nil; l = l.outer {
		for i := len(l.with) - 1; i >= 0; i-- {
			if l.with[i].name == name {
				return l.with[i]
			}
		}
	}
	return nil
}

// column resolves a bare name, innermost query first.
func (l *queryLevel) column(name string) (value, bool) {
	var out value
	found := false
	for at := l; at != nil; at = at.outer {
		if v, ok := at.from.find(name); ok && !found {
			out, found = v, true
		}
		if at.args == nil {
			continue
		}
		v, ok := at.args.byName[name]
		switch {
		case ok && !found:
			return v, true
		case ok && at.args.variables && !v.None():
			return either(out, v), true
		}
	}
	return out, found
}

// table resolves a table name that qualifies a column, innermost query first.
func (l *queryLevel) table(schema, name string) *table {
	for ; l != nil; l = l.outer {
		if t := l.from.table(schema, name); t != nil {
			return t
		}
	}
	return nil
}

// param is the value of $n.
func (l *queryLevel) param(n int) value {
	for at := l; at != nil; at = at.outer {
		if at.args != nil {
			if n <= len(at.args.byNumber) {
				return at.args.byNumber[n-1]
			}
			return value{}
		}
	}
	return value{constant: true, param: n}
}

// A resolver works out what one statement reads, returns and writes.
type resolver struct {
	catalog  *Catalog
	scope    *rewrite.Scope
	path     []string // the search path that names are looked up along
	session  []string // the one in force while it runs: a definition's own names do not follow it
	st       *rewrite.Statement
	depth    int         // of views and function bodies being resolved
	makes    *Relation   // the table that this statement makes, when that is all it does to names
	prepared string      // the text behind PREPARE ... AS
	made     []*Relation // tables that earlier statements of the same text make
	newPath  []string    // what SET search_path makes it, nil when it does not or that is not known

	movesPath   bool // something in the statement sets the search path, or what it depends on
	bodyReads   bool // a function's body looks for names along the session's own search path
	bodyDefines bool // a function's body changes definitions

	samePath bool // Effect.Path is about other settings than the search path
	foretold bool // path is what a SET makes it, as far as the schemas in it may be used
	asOwner  bool // $user in it is not the session's user
	steps    *int // done so far on the whole statement
	calls    map[uint32]*activation
	effects  int  // calls so far whose result is another one each time
	changed  bool // an earlier statement of the same text changes definitions

	places    *[]*place // where a stand-in may go, of the whole statement; nil where none may
	place     *place    // the one being resolved
	unreached int       // arms of CASE around what is being resolved that the server never works out

	views         map[*Relation][]column // whose queries were resolved
	recorded      map[rewrite.Use]bool   // what is among the uses
	subqueryNames map[*pg.SubLink]string // of the columns of subqueries in expressions
}

// use records that v stands in a clause; other forms than FormOther are recorded by the caller.
func (r *resolver) use(v value, clause string) {
	n := len(v.Plain) + len(v.Derived)
	if n == 0 || !r.spend(n) {
		return
	}
	for s := range v.Sources {
		r.record(rewrite.Use{Column: s.Column, Path: s.Path, In: clause})
	}
}

func (r *resolver) record(u rewrite.Use) {
	if r.recorded == nil {
		r.recorded = map[rewrite.Use]bool{}
	}
	if !r.recorded[u] {
		r.recorded[u] = true
		r.st.Uses = append(r.st.Uses, u)
	}
}

// fallible records that an expression over v can raise an error which depends on it.
func (r *resolver) fallible(v value) {
	if v.None() || r.unreached > 0 {
		return
	}
	if r.place != nil {
		r.place.mayFail(v)
	}
	r.use(v, rewrite.ClauseFallible)
}

// unknown records what could not be resolved; the zero value stands in for it.
func (r *resolver) unknown(why rewrite.Refusal) value {
	r.st.Unknown = append(r.st.Unknown, why)
	return value{}
}

// maxSteps bounds the expressions and queries that are resolved for one
// statement: views and WITH queries may ask for the same ones again and again.
const maxSteps = 500_000

// step counts one of them; false means that there are too many.
func (r *resolver) step() bool { return r.spend(1) }

// spend counts n of them.
func (r *resolver) spend(n int) bool {
	if r.steps == nil {
		r.steps = new(int)
	}
	before := *r.steps
	if *r.steps += n; before < maxSteps && *r.steps >= maxSteps {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeTooComplex, Message: "the statement, with the views and functions in it, is too complex",
			Hint: "Split the statement.",
		})
	}
	return *r.steps < maxSteps
}

// unsupported is unknown for a construct that the resolver does not know.
func (r *resolver) unsupported(what string) value {
	return r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnsupported, Message: what + " is not resolved",
		Hint: "Write the statement without it, or run it as a role that sees everything.",
	})
}
