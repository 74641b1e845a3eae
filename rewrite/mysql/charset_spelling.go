package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/charset"
)

// charsets are the character sets of MySQL and MariaDB. The parser knows few.
//
// https://dev.mysql.com/doc/refman/8.4/en/charset-charsets.html
var charsets = strings.Fields(`armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 dec8
	eucjpms euckr gb18030 gb2312 gbk geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 latin5 latin7 macce macroman
	sjis swe7 tis620 ucs2 ujis utf16 utf16le utf32 utf8 utf8mb3 utf8mb4`)

// charsetSpelled puts a character set or collation that the parser knows in the
// place of one that it does not, where a token names one: which it is decides
// nothing about columns, and none that stands for others can hold every character.
func (in *input) charsetSpelled(at int) *input {
	switch {
	case in.words(at, "CHARACTER", "SET"):
		return in.knownCharset(in.behindEquals(at+2), "ascii", "gbk")
	case in.word(at, "CHARSET") && (in.isType(at-1) || in.isOption(at)):
		return in.knownCharset(in.behindEquals(at+1), "ascii", "gbk")
	case in.word(at, "USING") && in.word(at+2, ")"):
		return in.knownCharset(at+1, "ascii", "gbk")
	case in.word(at, "COLLATE"):
		return in.knownCollation(in.behindEquals(at + 1))
	}
	if name, ok := strings.CutPrefix(strings.ToLower(in.keyword(at)), "_"); ok && at+1 < len(in.tokens) && slices.Contains(charsets, name) {
		if kind := in.tokens[at+1].kind; kind == tokenString || kind == tokenNumber {
			return in.knownCharset(at, "_ascii", "_utf8", "_gbk")
		}
	}
	return in
}

// textTypes are the types that a character set may follow.
var textTypes = []string{"CHAR", "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT"}

// isType says whether a type that a character set may follow ends with a token.
// CHARSET is a keyword behind it and may be a name elsewhere.
func (in *input) isType(at int) bool {
	types := textTypes
	if in.word(at, ")") {
		at = in.opening(at) - 1
		types = append(slices.Clip(types), "ENUM", "SET")
	}
	return slices.Contains(types, in.keyword(at)) && !in.word(at-1, ".")
}

// isOption says whether a token stands where options of a table or database do, or
// is that of SET CHARSET name.
func (in *input) isOption(at int) bool {
	switch in.keyword(0) {
	case "SET":
		return at == 1 && !in.word(at+1, "=")
	case "CREATE", "ALTER":
		depth := 0
		for i := range at {
			switch {
			case in.word(i, "("):
				depth++
			case in.word(i, ")"):
				depth--
			case in.beginsQuery(i):
				if !in.word(i, "TABLE") {
					return false
				}
			}
		}
		return depth == 0
	}
	return false
}

func (in *input) behindEquals(at int) int {
	if in.word(at, "=") {
		return at + 1
	}
	return at
}

// named is a token that is a name or a text.
func (in *input) named(at int) (string, bool) {
	if at < len(in.tokens) && in.tokens[at].kind == tokenString {
		t := in.tokens[at]
		return in.raw[t.start+1 : t.end-1], true
	}
	return in.identifier(at)
}

func (in *input) knownCharset(at int, others ...string) *input {
	name, ok := in.named(at)
	bare := strings.ToLower(strings.TrimPrefix(name, "_"))
	if !ok || !slices.Contains(charsets, bare) {
		return in
	}
	if _, err := charset.GetCharsetInfo(bare); err == nil {
		return in
	}
	return in.respellFitting(at, others)
}

func (in *input) knownCollation(at int) *input {
	name, ok := in.named(at)
	if !ok {
		return in
	}
	if _, err := charset.GetCollationByName(name); err == nil {
		return in
	}
	return in.respellFitting(at, []string{"utf8mb4_bin", "utf8_bin", "binary"})
}

// respellFitting writes a token as the first of others that is not longer.
func (in *input) respellFitting(at int, others []string) *input {
	t := in.tokens[at]
	for _, o := range others {
		if len(o) <= t.end-t.start {
			return in.respell(at, o)
		}
	}
	return in
}
