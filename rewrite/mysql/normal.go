package mysql

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
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
