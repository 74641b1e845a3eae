package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// prepared resolves PREPARE, EXECUTE and DEALLOCATE PREPARE.
func (r *resolver) prepared(l *level) (columns []column, rows bool) {
	if r.program != nil {
		r.program.why = "it runs SQL from a text"
		return nil, false
	}
	switch {
	case r.in.words(0, "EXECUTE", "IMMEDIATE"):
		r.immediate(l)
		return nil, r.st.Rows
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
	in, whole := onlyStatement(s.SQLText, r.mode)
	if !whole {
		r.refuseKind("PREPARE of several statements")
	}
	if !r.mode.keepsPrepared(s.SQLText) {
		r.converted()
	}
	r.st.Inert = true
	r.st.Effect.Prepared = s.SQLText
	r.st.Effect.ReadsPath = true // the server keeps the current database for it
	r.st.Query = r.inner(in)
	for _, s := range r.st.Query.Short { // EXECUTE ... USING @name: how long that is, nobody sees
		r.fallible(value{Value: s.Beside})
	}
}

// immediate is MariaDB's EXECUTE IMMEDIATE 'text' [USING values]: the statement is
// what the text is.
//
// https://mariadb.com/kb/en/execute-immediate/
func (r *resolver) immediate(l *level) {
	text, ok := "", false
	if len(r.in.tokens) == 3 || r.in.word(3, "USING") {
		r.selected(2, 3, func(list *ast.FieldList) { text, ok = stringLiteral(list.Fields[0].Expr) })
		ok = ok && r.in.tokens[2].kind == tokenString && strings.ContainsRune(`'"`, rune(r.in.raw[r.in.tokens[2].start]))
	}
	in, whole := onlyStatement(text, r.mode)
	constant := ok && whole
	if !constant {
		r.refuseKind("EXECUTE IMMEDIATE of a text that is not a constant")
	} else if !r.mode.keepsPrepared(text) {
		r.converted()
	}
	if !constant || !r.mode.keepsPrepared(text) {
		r.st.Effect.Opaque, r.st.Effect.Catalog, r.st.Effect.Path, r.st.Rows = true, true, true, true
		return
	}
	outer := *r.st
	inner := r.another(in)
	r.newSchema, r.newMode, r.moves = inner.newSchema, inner.newMode, inner.moves
	*r.st = *inner.st
	r.st.Text = "execute immediate " + r.st.Text
	r.st.Fingerprint, r.st.Start, r.st.End, r.st.LiteralFree = fingerprint(r.st.Text), outer.Start, outer.End, false
	r.withoutParameters()
	if r.in.word(3, "USING") {
		v, ok := r.expression(r.in, 4, len(r.in.tokens), l)
		if !ok {
			r.unparsed(errForm)
		}
		r.use(v, "an argument of EXECUTE")
	}
}

// onlyStatement is the statement of a text, if it is the only one.
func onlyStatement(text string, mode *mode) (in *input, ok bool) {
	m := *mode
	in, next, _ := split(text, 0, false, &m)
	return in, next < 0 || strings.TrimSpace(text[next:]) == ""
}

// converted refuses a text to prepare that the server makes another one of first.
func (r *resolver) converted() {
	r.unknown(rewrite.Refusal{
		Code: rewrite.CodeEncoding, Message: "a text with characters that the connection's character set does not have cannot be prepared",
		Hint: "Use utf8mb4: SET NAMES utf8mb4.",
	})
}

// withoutParameters makes a statement one whose parameters the client does not
// send itself: nobody sees how long they are.
func (r *resolver) withoutParameters() {
	for _, s := range r.st.Short {
		r.fallible(value{Value: s.Beside})
	}
	r.st.Short = nil
	for i := range r.st.Writes {
		r.st.Writes[i].Param = 0
	}
	for i := range r.st.Equals {
		r.st.Equals[i].Constant.Param = 0
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
