package mysql

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser/charset"
)

// singleByte are the character sets of one byte a character in which the bytes
// below 128 are ASCII: quotes, backslashes and comments can be told from their bytes.
var singleByte = []string{
	"ascii", "latin1", "latin2", "latin5", "latin7", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "greek",
	"hebrew", "koi8r", "koi8u", "tis620", "binary", "dec8", "macroman", "macce", "keybcs2", "armscii8", "geostd8",
}

// readable says whether statements in a character set can be cut into tokens
// safely. In the others a byte of a character may look like a quote or a backslash.
func readable(name string) bool {
	switch name {
	case "utf8mb4", "utf8mb3", "utf8", "gbk":
		return true
	}
	return slices.Contains(singleByte, name)
}

// charsetName is how a character set is called here: utf8 has two names.
func charsetName(name string) string {
	if name = strings.ToLower(strings.TrimSpace(name)); name == "utf8" {
		return "utf8mb3"
	}
	return name
}

// keepsLiterals says whether a literal stays what it is in the text: the server
// writes it in the connection's character set, with ? for what that does not have.
//
// https://dev.mysql.com/doc/refman/8.4/en/charset-connection.html
func (m *mode) keepsLiterals(text string) bool {
	switch m.connection {
	case "utf8mb4", "utf16", "utf16le", "utf32":
		return m.charset == "utf8mb4" || !beyondBMP(text)
	case m.charset:
		return true
	case "utf8mb3", "ucs2":
		return !beyondBMP(text)
	}
	return isASCII(text) && readable(m.connection)
}

// keepsPrepared says whether the text that a literal holds is what the server
// prepares. MySQL prepares it in UTF-8 of three bytes and reads it in the client's
// character set; MariaDB writes it back in that from the connection's.
func (m *mode) keepsPrepared(text string) bool {
	if m.flavour == flavourMariaDB {
		return m.keepsLiterals(text)
	}
	return isASCII(text) || strings.HasPrefix(m.charset, "utf8") && !beyondBMP(text)
}

// beyondBMP says whether a text has characters that take four bytes in UTF-8.
func beyondBMP(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return c > 0xffff })
}

var errCharset = errors.New("statements in this character set cannot be read safely")

// decode writes a text in UTF-8. back holds the offset of each byte in the
// original, nil when the text is the original. Bytes that are no character become
// [utf8.RuneError], which no name may hold: some servers make ? of them.
func decode(text, name string) (decoded string, back []int32, err error) {
	switch {
	case !readable(name):
		return "", nil, errCharset
	case isASCII(text), strings.HasPrefix(name, "utf8") && utf8.ValidString(text):
		return text, nil, nil
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/2)
	for i := 0; i < len(text); {
		char, size := text[i:i+1], 1
		switch {
		case text[i] < utf8.RuneSelf:
		case strings.HasPrefix(name, "utf8"):
			var c rune
			c, size = utf8.DecodeRuneInString(text[i:])
			char = string(c)
		case name == "gbk":
			char, size = decodeGBK(text[i:])
		default:
			char = string(rune(text[i])) // ISO 8859-1, or a stand-in for it
		}
		b.WriteString(char)
		for range len(char) {
			back = append(back, int32(i))
		}
		i += size
	}
	return b.String(), append(back, int32(len(text))), nil
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

var gbk = charset.FindEncoding(charset.CharsetGBK)

// decodeGBK is the first character of a text in GBK, and how many bytes it takes.
func decodeGBK(text string) (char string, size int) {
	if !isGBK(text) {
		return string(utf8.RuneError), 1
	}
	out, err := gbk.Transform(nil, []byte(text[:2]), charset.OpDecodeReplace)
	if err != nil || lacksGBK(text[:2], out) {
		return string(utf8.RuneError), 2
	}
	return string(out), 2
}

// lacksGBK says whether servers do not have a character that GBK has elsewhere: the
// euro sign, what later versions brought (radicals, ideographic description, extension A),
// and a second ideographic space.
func lacksGBK(code string, char []byte) bool {
	c, _ := utf8.DecodeRune(char)
	return c == '€' || c == 'ǹ' || 0x2e80 <= c && c <= 0x2fff || c == 0x303e || 0x3400 <= c && c <= 0x4dbf || code == "\xa3\xa0"
}

// isGBK says whether a text starts with a character of two bytes.
func isGBK(text string) bool {
	return len(text) > 1 && 0x81 <= text[0] && text[0] <= 0xfe &&
		(0x40 <= text[1] && text[1] <= 0x7e || 0x80 <= text[1] && text[1] <= 0xfe)
}
