package masking

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// A partial mask keeps characters at either end: 138****8000.
type partial struct {
	first, last int
	char        rune
}

// maxKept bounds what a partial mask may be told to keep on one side.
const maxKept = 64

func newPartial(o *options) Mask {
	m := partial{
		first: o.whole("first", 0, 0, maxKept),
		last:  o.whole("last", 0, 0, maxKept),
		char:  o.char("char", '*'),
	}
	if m.first+m.last == 0 && len(o.problems) == 0 {
		o.problem("", "partial keeps nothing without first or last; redact does that")
	}
	return m
}

func (partial) Name() string { return "partial" }

func (m partial) Append(dst, text []byte, t Type) ([]byte, bool) {
	if t.Kind != KindText || !isUTF8(text) {
		return Neutral(dst, t)
	}
	// A char(n) comes padded with blanks, which are not part of the value.
	value := bytes.TrimRight(text, " ")
	n := utf8.RuneCount(value)
	if !m.hidesEnough(n) {
		return Neutral(dst, t)
	}
	head := prefixLen(value, m.first)
	tail := len(value) - suffixLen(value, m.last)
	dst = append(dst, value[:head]...)
	for range n - m.first - m.last {
		dst = utf8.AppendRune(dst, m.char)
	}
	dst = append(dst, value[tail:]...)
	return append(dst, text[len(value):]...), true
}

// An asciiPartial is a partial mask for texts in ASCII.
type asciiPartial struct {
	first, last int
	char        byte
	least       int // the fewest characters that are shown in part
	most        int // that a column holds
}

func (m partial) shortcut(t Type) shortcut {
	if t.Kind != KindText || m.char >= utf8.RuneSelf {
		return nil
	}
	short := &asciiPartial{first: m.first, last: m.last, char: byte(m.char), most: math.MaxInt}
	for !m.hidesEnough(short.least) {
		short.least++
	}
	if t.Length > 0 {
		short.most = t.Length
	}
	return short
}

// try implements [shortcut].
func (m *asciiPartial) try(dst, text []byte) ([]byte, bool) {
	n := len(text)
	for n > 0 && text[n-1] == ' ' {
		n--
	}
	if n < m.least || len(text) > m.most || !isPlain(text) {
		return dst, false
	}
	start := len(dst)
	dst = append(dst, text...)
	hidden := dst[start+m.first : start+n-m.last]
	changed := false
	for i, c := range hidden {
		changed = changed || c != m.char
		hidden[i] = m.char
	}
	return dst, changed
}

// fewestHidden is how many characters must be hidden where more than half of
// them is kept.
const fewestHidden = 4

// hidesEnough reports whether a value of n characters may be shown in part: at
// most half of it, or at most two thirds of it as long as fewestHidden are
// hidden, which is what the usual forms of mobile (3+4 of 11) and card numbers
// (6+4 of 16) need.
func (m partial) hidesEnough(n int) bool {
	kept := m.first + m.last
	return kept <= n/2 || n-kept >= fewestHidden && 3*kept <= 2*n
}

// prefixLen is how many bytes the first n characters of text take.
func prefixLen(text []byte, n int) int {
	size := 0
	for range n {
		_, width := utf8.DecodeRune(text[size:])
		size += width
	}
	return size
}

// suffixLen is how many bytes the last n characters of text take.
func suffixLen(text []byte, n int) int {
	size := 0
	for range n {
		_, width := utf8.DecodeLastRune(text[:len(text)-size])
		size += width
	}
	return size
}

// looksLike reports whether text can be this mask's output.
func (m partial) looksLike(text []byte) bool {
	if utf8.RuneCount(text) <= m.first+m.last {
		return false
	}
	hidden := text[prefixLen(text, m.first) : len(text)-suffixLen(text, m.last)]
	return onlyRune(hidden, m.char)
}

// onlyRune reports whether text is made of r alone, at least once.
func onlyRune(text []byte, r rune) bool {
	for rest := text; len(rest) > 0; {
		got, width := utf8.DecodeRune(rest)
		if got != r {
			return false
		}
		rest = rest[width:]
	}
	return len(text) > 0
}
