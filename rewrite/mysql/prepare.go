package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// prepared resolves PREPARE, EXECUTE and DEALLOCATE PREPARE.
func (r *resolver) prepared(l *level) (columns []column, rows bool) {
	if r.program != nil {
		r.program.why = "it runs SQL from a text"
		return nil, false
	}
	switch {
	case r.in.words(0, "EXECUTE", "IMMEDIATE"):
		r.refuseKind("EXECUTE IMMEDIATE")
		r.st.Effect.Opaque, r.st.Effect.Catalog, r.st.Effect.Path = true, true, true
		return nil, true
	case r.in.word(0, "PREPARE"):
		r.prepare()
		return nil, false
	case r.in.word(0, "EXECUTE"):
		return r.execute(l)
	}
	if name, ok := r.in.identifier(2); ok {
		r.kind("DEALLOCATE PREPARE")
		r.st.Effect.Forget = strings.ToLower(name)
	}
	return nil, false
}

// prepare is PREPARE name FROM 'text'. A text that comes from elsewhere is known
// only to the server.
func (r *resolver) prepare() {
	r.kind("PREPARE")
	name, ok := r.in.identifier(1)
	node, err := r.parse("", r.in.start, r.in.end)
	s, parsed := node.(*ast.PrepareStmt)
	r.st.Effect.Prepare = strings.ToLower(name)
	if !ok || err != nil || !parsed || s.SQLVar != nil {
		r.refuseKind("PREPARE of a text that is not a constant")
		return
	}
	m := *r.mode
	in, next, _ := split(s.SQLText, 0, false, &m)
	if next >= 0 && strings.TrimSpace(s.SQLText[next:]) != "" {
		r.refuseKind("PREPARE of several statements")
	}
	r.st.Inert = true
	r.st.Effect.Prepared = s.SQLText
	r.st.Query = r.inner(in)
	for _, s := range r.st.Query.Short { // EXECUTE ... USING @name: how long that is, nobody sees
		r.fallible(value{Value: s.Beside})
	}
}

// execute is EXECUTE name USING values.
func (r *resolver) execute(l *level) (columns []column, rows bool) {
	name, ok := r.in.identifier(1)
	if !ok {
		r.refuseKind("this EXECUTE")
	}
	r.kind("EXECUTE")
	r.st.Effect.Execute = strings.ToLower(name)
	if r.in.word(2, "USING") {
		v, ok := r.expression(r.in, 3, len(r.in.tokens), l)
		if !ok {
			r.unparsed(errForm)
		}
		r.use(v, "an argument of EXECUTE")
	}
	return nil, true
}
