package pgsql

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// normalise writes a statement as the audit log keeps it: literals become ?,
// unquoted words are in lower case, comments go, white space is one blank. ok is
// false when the text cannot be cut into tokens; then only its first word is kept.
func normalise(text string) (normal string, ok bool) {
	b := make([]byte, 0, len(text))
	l := lexer{text: text}
	for end := 0; ; {
		t := l.next()
		switch t.kind {
		case tokenEnd:
			return string(b), true
		case tokenBroken:
			return firstWord(text), false
		}
		b = appendToken(b, text, t, end)
		end = t.end
		if t.kind == tokenLiteral {
			b = append(b, '?')
		}
	}
}

// appendShape is normalise for the plan cache. Where ? stands for a literal in the
// log but may be an operator, here it is a byte that no statement can hold, and
// then what decides the literal's type. It appends to an empty slice.
func appendShape(b []byte, text string) ([]byte, bool) {
	if strings.IndexByte(text, 0) >= 0 {
		return b, false
	}
	l := lexer{text: text}
	for end := 0; ; {
		t := l.next()
		switch t.kind {
		case tokenEnd:
			return b, true
		case tokenBroken:
			return b, false
		case tokenWord:
			const escapes = "uescape" // its literal decides what an identifier is
			if t.end-t.start == len(escapes) && strings.EqualFold(text[t.start:t.end], escapes) {
				return b, false
			}
		}
		b = appendToken(b, text, t, end)
		end = t.end
		if t.kind == tokenLiteral {
			b = append(b, 0)
			b = append(b, literalKind(text[t.start:t.end])...)
		}
	}
}

// appendLiterals appends the literals of a text: strings without their quotes, the
// rest as it is written.
func appendLiterals(found []string, text string) []string {
	l := lexer{text: text}
	for {
		t := l.next()
		switch t.kind {
		case tokenEnd, tokenBroken:
			return found
		case tokenLiteral:
			literal := text[t.start:t.end]
			if literal[0] == '\'' {
				literal = strings.ReplaceAll(literal[1:len(literal)-1], "''", "'")
			}
			found = append(found, literal)
		}
	}
}

// literalKind is the same for literals of one type: int4, int8, numeric, strings
// that are of no type yet. What is rare stands for itself.
func literalKind(literal string) string {
	switch c := literal[0]; {
	case c == 'b' || c == 'B' || c == 'x' || c == 'X':
		return literal
	case !isDigit(c) && c != '.':
		return "s"
	}
	points := 0
	for i := range len(literal) {
		switch c := literal[i]; {
		case c == '.':
			points++
		case !isDigit(c):
			return literal
		}
	}
	switch {
	case points == 1:
		return "f"
	case points > 1, literal != "0" && literal[0] == '0':
		return literal
	}
	return integerKind(literal)
}

// integerKind is literalKind for digits.
func integerKind(digits string) string {
	const surely = 9 // so many digits are an int4
	if len(digits) <= surely {
		return "i"
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		return digits
	case n <= math.MaxInt32:
		return "i"
	}
	return "l"
}

// appendToken appends a token as every normal form has it, literals left out;
// end is where the previous token ends.
func appendToken(b []byte, text string, t token, end int) []byte {
	if len(b) > 0 && t.start > end {
		b = append(b, ' ')
	}
	switch t.kind {
	case tokenLiteral:
		return b
	case tokenWord:
		word := len(b)
		b = append(b, text[t.start:t.end]...)
		for i, c := range b[word:] {
			if 'A' <= c && c <= 'Z' { // the server folds no others in UTF-8
				b[word+i] = c + 'a' - 'A'
			}
		}
		return b
	}
	return append(b, text[t.start:t.end]...)
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
