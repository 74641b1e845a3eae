package mysql

import (
	"errors"
	"strings"

	"sqlveil/rewrite"
)

// Dialect is the SQL of MySQL, MariaDB and TiDB. The Catalog of every scope it
// is given is a [*Catalog]; SearchPath is the current database, Mode what
// [ModeSQL] tells.
type Dialect struct{}

// Analyse implements [rewrite.Dialect].
func (Dialect) Analyse(scope rewrite.Scope, text string) []*rewrite.Statement {
	catalog := scope.Catalog.(*Catalog)
	m := *modeOf(scope.Mode, catalog.Mode)
	if strings.IndexByte(text, 0) >= 0 {
		return []*rewrite.Statement{unreadable(text, &m, errNUL)}
	}
	if len(text) > maxText {
		return []*rewrite.Statement{unreadable(text, &m, &tooComplexError{"bytes"})}
	}
	raw, back, err := decode(text, m.charset)
	if err != nil {
		return []*rewrite.Statement{unreadable(text, &m, err)}
	}
	a := analysis{scope: &scope, catalog: catalog, mode: m, raw: raw, schema: scope.Database}
	if len(scope.SearchPath) > 0 {
		a.schema = scope.SearchPath[0]
	}
	statements := a.statements()
	if back != nil {
		for _, st := range statements {
			st.Start, st.End = int(back[st.Start]), int(back[st.End])
		}
	}
	return statements
}

// unreadable stands for a text that cannot be cut into statements: nothing is
// known of it but its first word.
func unreadable(text string, m *mode, err error) *rewrite.Statement {
	l := lexer{text: text[:min(len(text), 1<<10)], mode: m}
	word := ""
	if t := l.next(); t.kind == tokenWord {
		word = strings.ToUpper(text[t.start:t.end])
	}
	st := &rewrite.Statement{Kind: rewrite.Kind(word), Text: word, Fingerprint: fingerprint(word), End: len(text)}
	opaque(st, err)
	return st
}

// opaque makes a statement one of which nothing is known.
func opaque(st *rewrite.Statement, err error) {
	st.Rows, st.Opaque, st.LiteralFree = true, true, false
	st.Effect = rewrite.Effect{Path: true, Catalog: true, Opaque: true}
	why := rewrite.Refusal{
		Code: rewrite.CodeSyntax, Message: "the statement cannot be parsed: " + err.Error(),
		Hint: "Nothing that cannot be parsed is sent for a role with masks.",
	}
	var complex *tooComplexError
	switch {
	case errors.As(err, &complex):
		why.Code, why.Hint = rewrite.CodeTooComplex, "Split the statement."
	case errors.Is(err, errCharset):
		why.Code, why.Hint = rewrite.CodeEncoding, "Use utf8mb4: SET NAMES utf8mb4."
	case errors.Is(err, errOdd):
		why.Code = rewrite.CodeUnsupported
	}
	st.Unknown = append(st.Unknown, why)
}

// An analysis goes through the statements of one text in order, since what one
// does to names and to the lexer decides what the next one means.
type analysis struct {
	scope   *rewrite.Scope
	catalog *Catalog
	mode    mode
	raw     string
	schema  string
	unsure  bool // an earlier statement makes the current database unpredictable
	changed bool // an earlier statement changes definitions
	moved   bool // an earlier statement changes how the rest is read, nobody can say how
}

func (a *analysis) statements() []*rewrite.Statement {
	var out []*rewrite.Statement
	at, special := 0, false
	for at >= 0 {
		var in *input
		start := at
		m := a.mode
		in, at, special = split(a.raw, start, special, &m)
		if len(in.tokens) == 0 && in.fault == nil && (strings.TrimSpace(a.raw[in.start:in.end]) == "" && at < 0) {
			break
		}
		st := a.statement(in)
		out = append(out, st)
		if in.fault != nil {
			break
		}
	}
	return out
}

func (a *analysis) statement(in *input) *rewrite.Statement {
	normal := normalise(in.raw, in.tokens)
	st := &rewrite.Statement{Text: normal, Fingerprint: fingerprint(normal), Start: in.start, End: in.end, Kind: in.kind(), LiteralFree: true}
	if in.fault != nil {
		opaque(st, in.fault)
		return st
	}
	r := &resolver{
		catalog: a.catalog, scope: a.scope, mode: in.mode, in: in, base: in.start, st: st,
		schema: a.schema, unsure: a.unsure || a.changed && st.Kind != "",
	}
	if a.moved || in.mode.foreign != "" {
		what := "the statement depends on a setting that an earlier statement of the same text makes"
		code := rewrite.CodeUnpredicted
		if in.mode.foreign != "" {
			what, code = "under sql_mode "+in.mode.foreign+" statements cannot be read", rewrite.CodeSetting
		}
		r.unknown(rewrite.Refusal{Code: code, Message: what, Hint: "Send the statements one by one, under another sql_mode."})
	}
	r.statement()
	if len(r.replaceable) > 0 {
		st.Instead = r.instead
	}
	st.Effect.Anywhere = anywhere.MatchString(a.raw)
	a.after(r)
	return st
}

// after carries what a statement does over to the next one of the same text.
func (a *analysis) after(r *resolver) {
	effect := &r.st.Effect
	switch {
	case r.newSchema != nil:
		a.schema, a.unsure = *r.newSchema, false
	case effect.Opaque:
		a.unsure = true
	}
	if r.newMode != nil {
		charset := a.mode.charset
		a.mode = *r.newMode
		a.moved = a.moved || a.mode.charset != charset && !isASCII(a.raw)
	}
	a.moved = a.moved || r.moves
	a.changed = a.changed || effect.Catalog || effect.Opaque
}
