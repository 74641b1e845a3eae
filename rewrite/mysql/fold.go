package mysql

import (
	"slices"
	"strings"
	"unicode"

	"sqlveil/rewrite"
)

// oddName says whether a server may take a name for another one than we do. It
// compares names by a table of upper and lower case of its own, cuts off what
// they begin with and is not seen, and knows no characters beyond U+FFFF.
//
// https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
func oddName(name string) bool {
	if strings.HasPrefix(name, " ") || strings.HasSuffix(name, " ") {
		return true
	}
	for _, c := range name {
		if c < ' ' || c >= 0x7f && !plainLetter(c) {
			return true
		}
	}
	return false
}

// plainLetter says whether a character outside of ASCII has either no case, or
// one that every server and we see alike.
func plainLetter(c rune) bool {
	switch {
	case c == unicode.ReplacementChar, c > 0xffff, c < 0xa0:
		return false
	case unicode.ToLower(c) == c && unicode.ToUpper(c) == c && unicode.ToTitle(c) == c && unicode.SimpleFold(c) == c:
		return true
	}
	return 0xc0 <= c && c <= 0xfe && c != 0xdf || // Latin-1
		0x100 <= c && c <= 0x177 && (c < 0x130 || c > 0x131) || // Latin Extended-A
		0x391 <= c && c <= 0x3c9 && c != 0x3a3 && c != 0x3c2 && c != 0x3c3 || // Greek but for sigma
		0x400 <= c && c <= 0x45f // Cyrillic
}

// unsureNames says whether any column may have another name than we think.
func unsureNames(parts [][]column) bool {
	for _, columns := range parts {
		if slices.ContainsFunc(columns, func(c column) bool { return c.guess || oddName(c.name) }) {
			return true
		}
	}
	return false
}

// checkName refuses a name that a server may take for another one.
func (r *resolver) checkName(name string) {
	if oddName(name) {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeUnsupported, Message: "a name with characters that servers compare in other ways is not resolved",
			Hint: "Name it otherwise.",
		})
	}
}
