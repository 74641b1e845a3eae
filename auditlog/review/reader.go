package review

import (
	"bytes"
	"encoding/json"
	"time"
	"unsafe"
)

// A reader reads JSON as the log writes it, without white space. It is several
// times faster than encoding/json, which is what most of the time of making an
// index would go into. After an error everything it gives is empty.
type reader struct {
	s   []byte
	i   int
	bad bool
}

// peek returns the next byte, 0 at the end and after an error.
func (r *reader) peek() byte {
	if r.bad || r.i >= len(r.s) {
		return 0
	}
	return r.s[r.i]
}

// take wants a certain byte.
func (r *reader) take(c byte) {
	if r.peek() != c {
		r.bad = true
		return
	}
	r.i++
}

// members calls f for each member of an object; f reads the value.
func (r *reader) members(f func(key string)) {
	r.list('{', '}', func() {
		key := r.text()
		r.take(':')
		if !r.bad {
			f(key)
		}
	})
}

// elements calls f for each element of an array; f reads it.
func (r *reader) elements(f func()) { r.list('[', ']', f) }

func (r *reader) list(open, end byte, f func()) {
	r.take(open)
	if r.peek() == end {
		r.i++
		return
	}
	for !r.bad {
		f()
		if r.peek() == end {
			r.i++
			return
		}
		r.take(',')
	}
}

// A field is a string member that is wanted.
type field struct {
	key string
	to  *string
}

// strings reads an object's string members into fields and passes the others.
func (r *reader) strings(fields ...field) {
	r.members(func(key string) {
		for i := range fields {
			if fields[i].key == key {
				*fields[i].to = r.text()
				return
			}
		}
		r.raw()
	})
}

// text reads a string. Without an escape in it, it aliases the line.
func (r *reader) text() string {
	r.take('"')
	if r.bad {
		return ""
	}
	rest := r.s[r.i:]
	size := bytes.IndexByte(rest, '"')
	switch {
	case size < 0:
		r.bad = true
		return ""
	case bytes.IndexByte(rest[:size], '\\') >= 0:
		return r.escaped(r.i)
	}
	r.i += size + 1
	return unsafe.String(unsafe.SliceData(rest), size)
}

func (r *reader) escaped(from int) (text string) {
	for ; r.i < len(r.s) && r.s[r.i] != '"'; r.i++ {
		if r.s[r.i] == '\\' {
			r.i++
		}
	}
	if r.i >= len(r.s) {
		r.bad = true
		return ""
	}
	r.i++
	r.bad = json.Unmarshal(r.s[from-1:r.i], &text) != nil
	return text
}

func (r *reader) number() (n int64) {
	negative := r.peek() == '-'
	if negative {
		r.i++
	}
	from := r.i
	for ; r.i < len(r.s) && r.s[r.i] >= '0' && r.s[r.i] <= '9' && r.i-from < 19; r.i++ {
		n = n*10 + int64(r.s[r.i]-'0')
	}
	r.bad = r.bad || r.i == from
	if negative {
		n = -n
	}
	return n
}

// time reads a time, whose every digit has its place.
func (r *reader) time() time.Time {
	text := r.text()
	const layout = "2026-11-23T08:15:02.113482Z"
	if len(text) != len(layout) {
		r.bad = true
		return time.Time{}
	}
	digits := func(from, to int) (n int) {
		for ; from < to; from++ {
			if text[from] < '0' || text[from] > '9' {
				r.bad = true
			}
			n = n*10 + int(text[from]-'0')
		}
		return n
	}
	return time.Date(digits(0, 4), time.Month(digits(5, 7)), digits(8, 10), digits(11, 13), digits(14, 16), digits(17, 19), digits(20, 26)*1000, time.UTC)
}

// raw reads any value and returns it as it stands.
func (r *reader) raw() []byte {
	from := r.i
	r.skip(0)
	if r.bad {
		return nil
	}
	return r.s[from:r.i]
}

const deepest = 16

func (r *reader) skip(depth int) {
	if depth > deepest {
		r.bad = true
		return
	}
	switch r.peek() {
	case '"':
		r.text()
	case '{':
		r.members(func(string) { r.skip(depth + 1) })
	case '[':
		r.elements(func() { r.skip(depth + 1) })
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	default:
		r.number()
	}
}

func (r *reader) literal(word string) {
	if r.i+len(word) > len(r.s) || string(r.s[r.i:r.i+len(word)]) != word {
		r.bad = true
		return
	}
	r.i += len(word)
}
