package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// A level is one query with the names it can see; outer is the query around it.
type level struct {
	outer   *level
	with    []*cte
	from    *namespace
	aliases []column         // the select list so far: subqueries in it, HAVING and ORDER BY see it
	locals  map[string]value // parameters and variables of a stored program, lower case
}

// under opens a query inside l.
func (l *level) under() *level { return &level{outer: l, from: &namespace{}} }

// withoutFrom is l as a FROM item sees it that is not LATERAL: its WITH queries
// and what is around it, but none of its tables.
func (l *level) withoutFrom() *level {
	if l == nil {
		return nil
	}
	return &level{outer: l.outer, with: l.with, from: &namespace{}, locals: l.locals}
}

// A cte is one WITH query. Its columns are resolved when first asked for.
type cte struct {
	name      string
	query     *ast.CommonTableExpression
	level     *level
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

// cte finds the WITH query of that name, innermost first. near is one whose name
// differs in upper and lower case only.
func (l *level) cte(name string) (exact, near *cte) {
	for ; l != nil; l = l.outer {
		for i := len(l.with) - 1; i >= 0; i-- {
			switch c := l.with[i]; {
			case c.name == name:
				return c, nil
			case near == nil && strings.EqualFold(c.name, name):
				near = c
			}
		}
	}
	return nil, near
}

// local finds a variable of the stored program around.
func (l *level) local(name string) (value, bool) {
	for ; l != nil; l = l.outer {
		if v, ok := l.locals[strings.ToLower(name)]; ok {
			return v, true
		}
	}
	return value{}, false
}

// column resolves a bare name: a variable of the stored program around, else a
// column, innermost query first. In the queries around, a name may stand for a
// column of their select list as well. Where a column's name is a guess, the name
// may be its own or that of another further out: the value is either's.
func (l *level) column(name string) (value, bool) {
	if v, ok := l.local(name); ok {
		return v, true
	}
	var out value
	found := absent
	note := func(v value, is certainty) {
		switch {
		case is == absent:
			return
		case found == absent:
			out = v
		default:
			out = either(out, v)
		}
		found = max(found, is)
	}
	for at := l; at != nil && found < sure; at = at.outer {
		note(lookUp(name, at.from.parts...))
		if at != l {
			note(lookUp(name, at.aliases))
		}
	}
	return out, found >= likely
}

// table resolves a table name that qualifies a column, innermost query first.
func (r *resolver) table(l *level, schema, name string) *table {
	for ; l != nil; l = l.outer {
		for _, t := range l.from.tables {
			if r.named(t, schema, name) {
				return t
			}
		}
	}
	return nil
}

// named says whether a table is what a name with or without a database stands for.
func (r *resolver) named(t *table, schema, name string) bool {
	return r.sameName(t.name, name) && (schema == "" || t.schema != "" && r.sameName(t.schema, schema))
}

// sameName compares the names of tables, aliases and databases by the server's rule.
func (r *resolver) sameName(a, b string) bool {
	return a == b || r.catalog.foldTables && strings.EqualFold(a, b)
}

// A resolver works out what one statement reads, returns and writes.
type resolver struct {
	catalog *Catalog
	scope   *rewrite.Scope
	mode    *mode
	in      *input // the text that is being resolved: the statement's, a view's, a routine's
	base    int    // where in it the parsed part begins
	st      *rewrite.Statement

	schema    string // the current database, "" when there is none
	unsure    bool   // an earlier statement of the same text decides what it is
	where     string // the part of the statement, as the server's messages call it
	clause    string // the same as uses call it
	strict    bool   // writes tables: a conversion that warns elsewhere may fail here
	assigns   bool   // sets user variables while it runs
	depth     int    // of views and routines being resolved
	program   *program
	anonymous bool     // that is a block of the caller's own
	around    []string // routines being resolved, from the outermost

	failing     []*rewrite.TableColumn // what expressions may fail over, as often as they do
	unreached   bool                   // what is being resolved is never worked out
	replaceable []replacement          // expressions of the select list that may give way
	toClient    *ast.FieldList         // what the client gets, of a statement that may be sent in other words

	explains bool  // EXPLAIN is to show the statement's plan
	selects  value // what its queries select then, those of its subqueries and views too

	newSchema *string // what USE makes the current database
	newMode   *mode   // what SET makes the mode; nil when it does not
	moves     bool    // changes the mode in a way that cannot be foreseen
}

// use records that v stands in a clause; other forms than FormOther are recorded by the caller.
func (r *resolver) use(v value, clause string) {
	for s := range v.Sources {
		r.record(rewrite.Use{Column: s.Column, Path: s.Path, In: clause})
	}
}

func (r *resolver) record(u rewrite.Use) {
	for _, have := range r.st.Uses {
		if have == u {
			return
		}
	}
	r.st.Uses = append(r.st.Uses, u)
}

// recordAll records the same use of each column.
func (r *resolver) recordAll(columns []*rewrite.TableColumn, u rewrite.Use) {
	for _, c := range columns {
		u.Column = c
		r.record(u)
	}
}

// fallible records that an expression over v can raise an error or a warning, or
// be NULL, depending on v's value.
func (r *resolver) fallible(v value) {
	if r.unreached {
		return
	}
	for s := range v.Sources {
		r.failing = append(r.failing, s.Column)
	}
	r.use(v, rewrite.ClauseFallible)
}

// flow records that v goes to a place that no label protects.
func (r *resolver) flow(v value, into string) {
	if !v.None() {
		r.st.Flows = append(r.st.Flows, rewrite.Flow{Value: v.Value, Into: into})
	}
}

// unknown records what could not be resolved; the zero value stands in for it.
func (r *resolver) unknown(why rewrite.Refusal) value {
	r.st.Unknown = append(r.st.Unknown, why)
	return value{}
}

// unsupported is unknown for a construct that the resolver does not know.
func (r *resolver) unsupported(what string) value {
	return r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnsupported, Message: what + " is not resolved",
		Hint: "Write the statement without it, or run it as a role that sees everything.",
	})
}

// refuseKind refuses a kind of statement for roles with masks.
func (r *resolver) refuseKind(what string) {
	r.unknown(rewrite.Refusal{
		Code: rewrite.CodeKind, Message: what + " is not for roles with masks",
		Hint: "Run it as a role that sees everything.",
	})
}
