package pgwiretest

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A field is one word of a line: bare, quoted, in hexadecimal, or NULL; with a
// key in front, perhaps.
type field struct {
	key   string
	value []byte // nil is NULL
	bare  bool
}

// split cuts a line into its fields.
func split(line string) ([]field, error) {
	var fields []field
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		var f field
		if key, rest, ok := strings.Cut(line, "="); ok && isKey(key) {
			f.key, line = key, rest
		}
		var err error
		if f.value, f.bare, line, err = take(line); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func isKey(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '_' {
			return false
		}
	}
	return s != ""
}

// take reads one value and returns what follows it.
func take(line string) (value []byte, bare bool, rest string, err error) {
	switch {
	case strings.HasPrefix(line, `"`):
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return nil, false, "", fmt.Errorf("%s: %w", line, err)
		}
		s, err := strconv.Unquote(quoted)
		return append([]byte{}, s...), false, line[len(quoted):], err
	case strings.HasPrefix(line, `x"`):
		digits, rest, ok := strings.Cut(line[2:], `"`)
		if !ok {
			return nil, false, "", fmt.Errorf("%s: no end of quotes", line)
		}
		b, err := hex.DecodeString(digits)
		return append([]byte{}, b...), false, rest, err
	}
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		end = len(line)
	}
	if line[:end] == "NULL" {
		return nil, true, line[end:], nil
	}
	return []byte(line[:end]), true, line[end:], nil
}

// quote is the inverse of take.
func quote(value []byte) string {
	switch {
	case value == nil:
		return "NULL"
	case utf8.Valid(value) && !strings.ContainsFunc(string(value), unprintable):
		return strconv.Quote(string(value))
	default:
		return `x"` + hex.EncodeToString(value) + `"`
	}
}

// unprintable says whether a text with r is better shown in hexadecimal.
func unprintable(r rune) bool {
	return r != '\n' && r != '\t' && r != '\r' && !strconv.IsPrint(r)
}
