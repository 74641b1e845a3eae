package mysql

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"sqlveil/rewrite"
)

// normalise writes a statement as the audit log keeps it: literals become ?,
// unquoted words are in lower case, comments go, white space is one blank.
func normalise(text string, tokens []token) string {
	var b strings.Builder
	b.Grow(min(len(text), 1<<12))
	end := -1 // of the previous token
	for _, t := range tokens {
		if t.kind == tokenBroken || t.kind == tokenOdd {
			break
		}
		if end >= 0 && t.start > end {
			b.WriteByte(' ')
		}
		end = t.end
		switch t.kind {
		case tokenString, tokenNumber:
			b.WriteByte('?')
		case tokenWord:
			b.WriteString(strings.ToLower(text[t.start:t.end]))
		default:
			b.WriteString(text[t.start:t.end])
		}
	}
	return b.String()
}

// fingerprint names a normalised text: 64 bits of its SHA-256 in hexadecimal.
func fingerprint(normal string) string {
	sum := sha256.Sum256([]byte(normal))
	return hex.EncodeToString(sum[:8])
}

// AppendShape implements [rewrite.Shaper]: the text with ? for each literal. White
// space and comments stay, since columns are named after them.
func (Dialect) AppendShape(b []byte, scope rewrite.Scope, text string) (shape []byte, ok bool) {
	m := modeOf(scope.Mode, scope.Catalog.(*Catalog).Mode)
	if !strings.HasPrefix(m.charset, "utf8") || strings.IndexByte(text, 0) >= 0 {
		return b, false
	}
	done := 0
	l := lexer{text: text, mode: m}
	for {
		t := l.next()
		switch t.kind {
		case tokenEnd:
			return append(b, text[done:]...), true
		case tokenBroken, tokenOdd, tokenSemicolon, tokenParam: // a ? of its own would look like a literal
			return b, false
		case tokenString, tokenNumber:
			b = append(append(b, text[done:t.start]...), '?')
			b = append(b, kindMark(text[t.start])...)
			done = t.end
		}
	}
}

// AppendLiterals implements [rewrite.Shaper]: texts without their quotes, the rest as
// it is written.
func (Dialect) AppendLiterals(found []string, scope rewrite.Scope, text string) []string {
	m := modeOf(scope.Mode, scope.Catalog.(*Catalog).Mode)
	l := lexer{text: text, mode: m}
	for {
		t := l.next()
		switch t.kind {
		case tokenEnd, tokenBroken, tokenOdd:
			return found
		case tokenString, tokenNumber:
			literal := text[t.start:t.end]
			if quote := literal[:1]; kindMark(literal[0]) == "s" {
				literal = strings.ReplaceAll(literal[1:len(literal)-1], quote+quote, quote)
			}
			found = append(found, literal)
		}
	}
}

// kindMark tells texts from numbers and other literals: they are compared in
// other ways.
func kindMark(first byte) string {
	switch {
	case first == '\'' || first == '"':
		return "s"
	case isDigit(first) || first == '.':
		return "n"
	}
	return string(first)
}
