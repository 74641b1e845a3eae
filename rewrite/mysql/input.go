package mysql

import (
	"strings"

	"sqlveil/rewrite"
)

// An input is one statement of a text, cut into tokens. Offsets count bytes of
// the whole text in UTF-8.
type input struct {
	mode    *mode
	raw     string // the whole text
	start   int
	end     int
	text    string // raw[start:end] as the parser shall see it: no comments, backquotes instead of ANSI quotes
	gaps    []span // what was blanked
	tokens  []token
	upper   string // raw from the offset from on in upper case, "" where keyword has to see to it
	from    int
	written []token               // tokens before anything was cut out
	params  map[int]int           // offset of a ? to its number from 1
	tables  map[string]cutOut     // what was cut out, by the name that stands for it
	lists   map[string]columnList // column lists that were cut off the aliases of subqueries
	cycles  bool                  // a WITH query ends where columns repeat
	fault   error                 // why the text cannot be read
}

// split cuts the next statement off a text, from an offset on, and returns
// where the one after it begins, -1 when it is the last. An executable comment
// may go on from one statement into the next: special says that it does.
func split(raw string, from int, special bool, m *mode) (in *input, next int, within bool) {
	return cut(raw, from, special, m, false)
}

// programInput cuts a whole text into tokens, semicolons included.
func programInput(raw string, m *mode) *input {
	in, _, _ := cut(raw, 0, false, m, true)
	return in
}

// usualTokens is how many tokens most statements do not exceed.
const usualTokens = 32

func cut(raw string, from int, special bool, m *mode, compound bool) (in *input, next int, within bool) {
	l := lexer{text: raw, mode: m, at: from, special: special}
	in = &input{mode: m, raw: raw, start: from, end: len(raw), params: map[int]int{}, tokens: make([]token, 0, usualTokens)}
	next = -1
	for {
		t := l.next()
		if t.kind == tokenEnd {
			break
		}
		if t.kind == tokenSemicolon && !compound {
			in.end, next = t.start, t.end
			break
		}
		if in.add(t); in.fault != nil {
			break
		}
		compound = compound || len(in.tokens) <= longestHead && in.compound()
	}
	in.gaps, in.written = l.gaps, in.tokens
	if text := raw[from:in.end]; len(text) <= longestUpper && isASCII(text) {
		in.upper, in.from = strings.ToUpper(text), from
	}
	in.trim()
	in.text = in.readable()
	return in, next, l.special
}

// longestUpper is up to how many bytes of a statement are kept in upper case.
const longestUpper = 16 << 10

// longestHead is within how many tokens a statement shows what it is: a DEFINER
// clause may stand before it.
const longestHead = 24

func (in *input) add(t token) {
	switch {
	case t.kind == tokenBroken:
		in.fault = errBroken
	case t.kind == tokenOdd:
		in.fault = errOdd
	case t.kind == tokenQuoted && in.raw[t.start] == '"' && strings.ContainsAny(in.raw[t.start+1:t.end-1], "`\"\\"):
		in.fault = errOdd
	case t.kind == tokenQuoted && in.oddName(in.raw[t.start+1:t.end-1]), t.kind == tokenWord && in.oddName(in.raw[t.start:t.end]):
		in.fault = errOdd
	case t.kind == tokenParam:
		in.params[t.start] = len(in.params) + 1
	}
	in.tokens = append(in.tokens, t)
}

// oddName says whether a server may take a name in the text for another one than
// we do. In most character sets of one byte, which is a letter is not known here.
func (in *input) oddName(name string) bool {
	if isASCII(name) {
		return oddName(name)
	}
	return oddName(name) || !strings.HasPrefix(in.mode.charset, "utf8") && in.mode.charset != "gbk"
}

// part is a part of the statement, by tokens, as a statement of its own.
func (in *input) part(from, to int) *input {
	p := *in
	p.tokens = in.tokens[from:to]
	p.start, p.end, p.text = in.end, in.end, ""
	if from < to {
		p.start, p.end = in.tokens[from].start, in.tokens[to-1].end
		p.text = in.text[p.start-in.start : p.end-in.start]
	}
	return &p
}

// trim moves the beginning and end to the tokens.
func (in *input) trim() {
	if in.fault == nil && len(in.tokens) > 0 {
		in.start, in.end = in.tokens[0].start, in.tokens[len(in.tokens)-1].end
	}
}

// readable is the statement with its comments blanked and with `name` for "name".
func (in *input) readable() string {
	text := in.raw[in.start:in.end]
	if len(in.gaps) == 0 && !in.mode.ansiQuotes {
		return text
	}
	out := []byte(text)
	for _, g := range in.gaps {
		for i := max(g.start, in.start); i < min(g.end, in.end); i++ {
			out[i-in.start] = ' '
		}
	}
	if in.mode.ansiQuotes && in.fault == nil {
		for _, t := range in.tokens {
			if t.kind == tokenQuoted && in.raw[t.start] == '"' {
				out[t.start-in.start], out[t.end-1-in.start] = '`', '`'
			}
		}
	}
	return string(out)
}

// words reports whether the tokens from one on are these keywords.
func (in *input) words(at int, keywords ...string) bool {
	for i, k := range keywords {
		if at+i >= len(in.tokens) || !in.word(at+i, k) {
			return false
		}
	}
	return true
}

// word reports whether a token is that keyword, or the punctuation.
func (in *input) word(at int, keyword string) bool {
	if at < 0 || at >= len(in.tokens) {
		return false
	}
	t := in.tokens[at]
	switch t.kind {
	case tokenQuoted, tokenString, tokenVariable, tokenNumber:
		return false
	}
	return t.end-t.start == len(keyword) && strings.EqualFold(in.raw[t.start:t.end], keyword)
}

// keyword is a token as an upper-case keyword, "" when it is none. It may share the
// memory of the whole text.
func (in *input) keyword(at int) string {
	if at < 0 || at >= len(in.tokens) || in.tokens[at].kind != tokenWord {
		return ""
	}
	t := in.tokens[at]
	if in.upper != "" {
		return in.upper[t.start-in.from : t.end-in.from]
	}
	return strings.ToUpper(in.raw[t.start:t.end])
}

// kind is the first word as the statement's kind, in memory of its own.
func (in *input) kind() rewrite.Kind { return rewrite.Kind(strings.Clone(in.keyword(0))) }

// find returns the first token at the given depth of parentheses that is the
// keyword, from a token on; -1 when there is none.
func (in *input) find(from int, keyword string) int {
	depth := 0
	for i := from; i < len(in.tokens); i++ {
		switch in.tokens[i].kind {
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
		case tokenWord:
			if depth == 0 && in.word(i, keyword) {
				return i
			}
		}
	}
	return -1
}

// closing returns the token that closes the parenthesis at a token, -1 when
// there is none.
func (in *input) closing(at int) int {
	depth := 0
	for i := at; i < len(in.tokens); i++ {
		switch in.tokens[i].kind {
		case tokenOpen:
			depth++
		case tokenClose:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// identifier is a token as a name, ok when it can be one.
func (in *input) identifier(at int) (name string, ok bool) {
	if at < 0 || at >= len(in.tokens) {
		return "", false
	}
	t := in.tokens[at]
	text := in.raw[t.start:t.end]
	switch t.kind {
	case tokenWord:
		return text, true
	case tokenQuoted:
		quote := text[:1]
		return strings.ReplaceAll(text[1:len(text)-1], quote+quote, quote), true
	}
	return "", false
}

// literalIn says whether a literal stands in a part of the whole text.
func (in *input) literalIn(from, to int) bool {
	for _, t := range in.written {
		if t.start >= from && t.end <= to && (t.kind == tokenString || t.kind == tokenNumber) {
			return true
		}
	}
	return false
}

// quotes says whether a name may be written as a string in the statement.
func (in *input) quotes(name string) bool {
	for _, t := range in.written {
		if t.kind != tokenString {
			continue
		}
		if text := in.raw[t.start+1 : t.end-1]; text == name || strings.ContainsAny(text, "\\'\"") {
			return true
		}
	}
	return false
}

// bare is a part of the whole text without its comments, as the server names a
// column after its expression.
func (in *input) bare(from, to int) string {
	var b strings.Builder
	for _, g := range in.gaps {
		if g.end <= from || g.start >= to {
			continue
		}
		if g.start > from {
			b.WriteString(in.raw[from:g.start])
		}
		from = max(from, g.end)
	}
	if from < to {
		b.WriteString(in.raw[from:to])
	}
	return strings.TrimFunc(b.String(), func(c rune) bool { return c < 128 && isSpace(byte(c)) })
}

// compound reports whether the statement is of a kind that may hold other
// statements, semicolons included: where it ends only its grammar can say.
func (in *input) compound() bool {
	last := len(in.tokens) - 1
	switch in.keyword(0) {
	case "CREATE", "ALTER":
		return in.routineAt() == last
	case "BEGIN":
		return last == 1 && in.word(1, "NOT")
	case "IF", "CASE", "LOOP", "REPEAT", "WHILE", "FOR", "DECLARE":
		return last == 0 && in.mode.flavour == flavourMariaDB
	}
	// label: BEGIN ...
	return last == 1 && in.mode.flavour == flavourMariaDB && in.word(1, ":")
}

// routineAt is the token that says which kind of program a CREATE or ALTER
// makes, behind OR REPLACE, DEFINER = user and AGGREGATE; -1 when it makes none.
func (in *input) routineAt() int {
	at := 1
	if in.words(at, "OR", "REPLACE") {
		at += 2
	}
	definer := in.word(at, "DEFINER")
	for ; at < len(in.tokens); at++ {
		switch in.keyword(at) {
		case "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE":
			return at
		case "AGGREGATE":
			continue
		case "VIEW", "SQL":
			return -1
		}
		if !definer {
			return -1
		}
	}
	return -1
}
