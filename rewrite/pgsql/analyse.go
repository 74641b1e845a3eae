package pgsql

import (
	"errors"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// Dialect is PostgreSQL's SQL. The Catalog of every scope it is given is a [*Catalog].
type Dialect struct{}

// Analyse implements [rewrite.Dialect].
func (Dialect) Analyse(scope rewrite.Scope, text string) []*rewrite.Statement {
	raws, err := parse(text)
	if err == nil {
		err = readable(scope.Mode, text)
	}
	if err != nil {
		return []*rewrite.Statement{unreadable(text, err)}
	}
	a := analysis{scope: &scope, text: text, path: scope.SearchPath}
	out := make([]*rewrite.Statement, 0, len(raws))
	for _, raw := range raws {
		out = append(out, a.statement(raw))
	}
	return out
}

// AppendShape implements [rewrite.Shaper].
func (Dialect) AppendShape(dst []byte, scope rewrite.Scope, text string) ([]byte, bool) {
	if readable(scope.Mode, text) != nil {
		return dst, false
	}
	return appendShape(dst, text)
}

// AppendLiterals implements [rewrite.Shaper].
func (Dialect) AppendLiterals(dst []string, _ rewrite.Scope, text string) []string {
	return appendLiterals(dst, text)
}

// A modeError says that a setting of the session makes a text mean something
// else than what was read.
type modeError struct{ code, what string }

func (e *modeError) Error() string { return e.what }

// readable checks that the server reads text as the parser does. mode holds the
// settings that are not as usual: name=value, separated by blanks. Without
// standard_conforming_strings only a backslash makes a difference; SQL_ASCII
// means that the server takes the bytes as they are, which are UTF-8 here.
func readable(mode, text string) error {
	for _, setting := range strings.Fields(mode) {
		switch name, value, _ := strings.Cut(setting, "="); {
		case name == "standard_conforming_strings" && strings.IndexByte(text, '\\') >= 0:
			return &modeError{rewrite.CodeSetting, "standard_conforming_strings is off and the statement has a backslash"}
		case name == "client_encoding" && value != "SQL_ASCII":
			return &modeError{rewrite.CodeEncoding, "client_encoding is " + value + ", not UTF8"}
		}
	}
	return nil
}

// unreadable stands for a text that cannot be parsed: nothing is known of it
// but its first word.
func unreadable(text string, err error) *rewrite.Statement {
	normal := firstWord(text)
	st := &rewrite.Statement{Kind: rewrite.Kind(normal), Text: normal, Fingerprint: fingerprint(normal), End: len(text), Rows: true, Opaque: true}
	st.Effect = rewrite.Effect{Path: true, Catalog: true, Opaque: true}
	refusal := rewrite.Refusal{Code: rewrite.CodeSyntax, Message: "the statement cannot be parsed: " + err.Error(), Hint: "Nothing that cannot be parsed is sent for a role with masks."}
	var syntax *syntaxError
	var complex *tooComplexError
	var mode *modeError
	switch {
	case errors.As(err, &mode):
		refusal = rewrite.Refusal{Code: mode.code, Message: "the statement cannot be read safely: " + mode.what, Hint: "Change the setting on the client or for the role."}
	case errors.As(err, &syntax):
		refusal = rewrite.Refusal{Code: rewrite.CodeSyntax, SQLState: "42601", Message: syntax.message, Position: syntax.position}
	case errors.As(err, &complex):
		refusal.Code = rewrite.CodeTooComplex
		refusal.Hint = "Split the statement."
	}
	if normal, ok := normalise(text); ok && complex == nil && mode == nil {
		st.Text, st.Fingerprint = normal, fingerprint(normal)
	}
	st.Unknown = []rewrite.Refusal{refusal}
	return st
}

// An analysis goes through the statements of one text in order, since what one
// does to names decides what the next one means.
type analysis struct {
	scope   *rewrite.Scope
	text    string
	path    []string    // nil when an earlier statement makes it unpredictable
	made    []*Relation // tables that earlier statements make
	changed bool        // an earlier statement changes definitions: tables may be others by now
	pathSet bool        // an earlier statement sets the search path
}

func (a *analysis) statement(raw *pg.RawStmt) *rewrite.Statement {
	start := int(raw.StmtLocation)
	end := len(a.text)
	if raw.StmtLen > 0 {
		end = start + int(raw.StmtLen)
	}
	normal, _ := normalise(a.text[start:end])
	st := &rewrite.Statement{Text: normal, Fingerprint: fingerprint(normal), Start: start, End: end, LiteralFree: true}
	r := a.resolver(st)
	r.prepared = preparedText(a.text[start:end])
	before := *a
	r.statement(raw.Stmt)
	r.settle()
	if !moves(st.Flows, *r.places) {
		st.Instead = instead(raw.Stmt, *r.places, func(text string) *rewrite.Statement { return before.instead(st, text) })
	}
	a.after(r, raw.Stmt)
	for i := range st.Unknown {
		st.Unknown[i].Position = a.characters(st.Unknown[i].Position)
	}
	return st
}

// resolver is one for the next statement.
func (a *analysis) resolver(st *rewrite.Statement) *resolver {
	return &resolver{
		catalog: a.scope.Catalog.(*Catalog), scope: a.scope, path: a.path, session: a.path, st: st, changed: a.changed, made: a.made,
		foretold: a.pathSet, steps: new(int), places: new([]*place),
	}
}

// instead is st when text is sent in its place; nil when text cannot be resolved.
func (a *analysis) instead(st *rewrite.Statement, text string) *rewrite.Statement {
	raws, err := parse(text)
	if err != nil || len(raws) != 1 || readable(a.scope.Mode, text) != nil {
		return nil
	}
	other := &rewrite.Statement{Text: st.Text, Fingerprint: st.Fingerprint, Start: st.Start, End: st.End, SQL: text}
	r := a.resolver(other)
	r.statement(raws[0].Stmt)
	r.settle()
	return other
}

// after carries what a statement does over to the next one of the same text.
func (a *analysis) after(r *resolver, n *pg.Node) {
	effect := r.st.Effect
	switch {
	case r.newPath != nil:
		a.path, a.pathSet = r.newPath, true
	case effect.Path && !r.samePath, effect.Opaque:
		a.path = nil
	case effect.End && a.pathSet:
		a.path = nil
	}
	switch {
	case r.makes != nil:
		a.made = append(a.made, r.makes)
	case effect.Catalog, effect.Opaque:
		a.changed = true
		if effect.Opaque || !keepsTables(n) {
			a.made = nil
		}
	case effect.End && len(a.made) > 0: // ROLLBACK, or ON COMMIT DROP
		a.made, a.changed = nil, true
	}
}

// keepsTables says whether every table is still there after a statement that
// changes definitions, under the name that it had.
func keepsTables(n *pg.Node) bool {
	switch n.GetNode().(type) {
	case *pg.Node_IndexStmt, *pg.Node_CommentStmt, *pg.Node_TruncateStmt, *pg.Node_GrantStmt, *pg.Node_CreateStmt,
		*pg.Node_CreateTableAsStmt, *pg.Node_SelectStmt, *pg.Node_ViewStmt, *pg.Node_CreateSeqStmt:
		return true
	}
	return false
}

// characters turns a byte position in the text into one in characters.
func (a *analysis) characters(position int) int {
	if position <= 1 || position > len(a.text) {
		return position
	}
	return utf8.RuneCountInString(a.text[:position-1]) + 1
}
