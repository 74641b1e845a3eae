package pgsql

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// normalise writes a statement as the audit log keeps it: literals become ?,
// unquoted words are in lower case, comments go, white space is one blank. ok is
// false when the text cannot be cut into tokens; then only its first word is kept.
func normalise(text string) (normal string, ok bool) {
	var b strings.Builder
	b.Grow(len(text))
	l := lexer{text: text}
	end := 0 // of the previous token
	for {
		t := l.next()
		switch t.kind {
		case tokenEnd:
			return b.String(), true
		case tokenBroken:
			return firstWord(text), false
		}
		if b.Len() > 0 && t.start > end {
			b.WriteByte(' ')
		}
		end = t.end
		switch t.kind {
		case tokenLiteral:
			b.WriteByte('?')
		case tokenWord:
			b.WriteString(strings.ToLower(text[t.start:t.end]))
		default:
			b.WriteString(text[t.start:t.end])
		}
	}
}

// firstWord is the statement's first keyword, "" when it does not start with one.
func firstWord(text string) string {
	l := lexer{text: text}
	if t := l.next(); t.kind == tokenWord {
		return strings.ToUpper(text[t.start:t.end])
	}
	return ""
}

// fingerprint names a normalised text: 64 bits of its SHA-256 in hexadecimal.
func fingerprint(normal string) string {
	sum := sha256.Sum256([]byte(normal))
	return hex.EncodeToString(sum[:8])
}
