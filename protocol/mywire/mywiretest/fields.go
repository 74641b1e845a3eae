package mywiretest

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// fields are the words of a line behind the name of its packet.
type fields struct {
	words []word
	err   error
}

// A word is bare, quoted, in hexadecimal or NULL; with a key in front, perhaps.
type word struct {
	key   string
	value []byte // nil is NULL
}

func split(line string) *fields {
	f := &fields{}
	for line = strings.TrimSpace(line); line != "" && f.err == nil; line = strings.TrimSpace(line) {
		var w word
		if key, rest, ok := strings.Cut(line, "="); ok && !strings.ContainsAny(key, " \"") {
			w.key, line = key, rest
		}
		w.value, line, f.err = take(line)
		f.words = append(f.words, w)
	}
	return f
}

// take reads one value and returns what follows it.
func take(line string) (value []byte, rest string, err error) {
	if digits, ok := strings.CutPrefix(line, "x"); ok && strings.HasPrefix(digits, `"`) {
		text, rest, err := quoted(digits)
		if err != nil {
			return nil, "", err
		}
		value, err = hex.DecodeString(text)
		return append([]byte{}, value...), rest, err
	}
	if strings.HasPrefix(line, `"`) {
		text, rest, err := quoted(line)
		return append([]byte{}, text...), rest, err
	}
	text, rest, _ := strings.Cut(line, " ")
	if text == "NULL" {
		return nil, rest, nil
	}
	return []byte(text), rest, nil
}

func quoted(line string) (text, rest string, err error) {
	prefix, err := strconv.QuotedPrefix(line)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", line, err)
	}
	text, err = strconv.Unquote(prefix)
	return text, line[len(prefix):], err
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
	f.words = nil
}

// next returns the next word.
func (f *fields) next() word {
	if len(f.words) == 0 {
		f.fail("too few fields")
		return word{}
	}
	w := f.words[0]
	f.words = f.words[1:]
	return w
}

func (f *fields) bytes() []byte { return f.next().value }
func (f *fields) text() string  { return string(f.next().value) }

// number returns the next word as a number.
func (f *fields) number() uint64 { return f.parse(f.text()) }

func (f *fields) parse(s string) uint64 {
	if f.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		f.fail("%s is no number", s)
	}
	return n
}

// option returns the value of the word with a key, or what it is without one.
func (f *fields) option(key, otherwise string) string {
	for i, w := range f.words {
		if w.key == key {
			f.words = append(f.words[:i:i], f.words[i+1:]...)
			return string(w.value)
		}
	}
	return otherwise
}

// end fails when there are words left.
func (f *fields) end() error {
	if f.err == nil && len(f.words) > 0 {
		f.fail("too many fields")
	}
	return f.err
}
