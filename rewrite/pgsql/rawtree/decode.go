package rawtree

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// A decoder reads JSON without white space, as the parser writes it. Its first
// failure sticks.
type decoder struct {
	text  string
	at    int
	err   error
	kinds map[string]field // what a node may be
	fresh []pg.Node        // not used yet
	items []*pg.Node       // of the lists that are being read, one behind the other
}

// fail says what should be where the decoder stands. Nothing is read after that.
func (d *decoder) fail(expected string) {
	if d.err == nil {
		d.err = fmt.Errorf("tree of a statement: at byte %d is not %s", d.at, expected)
		d.at = len(d.text)
	}
}

// accept takes a character if it is next.
func (d *decoder) accept(c byte) bool {
	if d.at < len(d.text) && d.text[d.at] == c {
		d.at++
		return true
	}
	return false
}

// expect takes a character that has to be next.
func (d *decoder) expect(c byte) {
	if !d.accept(c) {
		d.fail(strconv.QuoteRune(rune(c)))
	}
}

// message reads a message and returns a pointer to it.
func (d *decoder) message(f *form) reflect.Value {
	made := reflect.New(f.message)
	d.object(made.Elem(), f)
	return made
}

// object reads a message into a struct. Members in another order than the fields',
// or twice, are unknown ones.
func (d *decoder) object(into reflect.Value, f *form) {
	d.expect('{')
	if d.accept('}') {
		return
	}
	rest := f.fields()
	for {
		name := d.name()
		d.expect(':')
		for len(rest) > 0 && rest[0].name != name {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			d.fail("behind the name of a member of " + f.message.Name())
			return
		}
		d.member(into, &rest[0])
		rest = rest[1:]
		if !d.accept(',') {
			d.expect('}')
			return
		}
	}
}

// member reads the value of a field into the struct that has it.
func (d *decoder) member(into reflect.Value, f *field) {
	if f.wrapper == nil {
		f.read(d, into.Field(f.index))
		return
	}
	into.Field(f.index).Set(d.wrapped(f))
}

// wrapped reads the value of a field of a choice and returns a pointer to its wrapper.
func (d *decoder) wrapped(f *field) reflect.Value {
	wrapper := reflect.New(f.wrapper)
	f.read(d, wrapper.Elem().Field(0))
	return wrapper
}

// node reads a node: an object with one member, named after its type, or none where
// a list has a gap. Nodes are allocated some at a time, as they live as long as
// their tree.
func (d *decoder) node() *pg.Node {
	const atATime = 16
	if len(d.fresh) == 0 {
		d.fresh = make([]pg.Node, atATime)
	}
	n := &d.fresh[0]
	d.fresh = d.fresh[1:]
	d.expect('{')
	if d.accept('}') {
		return n
	}
	f, ok := d.kinds[d.name()]
	d.expect(':')
	if !ok {
		d.fail("behind the name of a node")
		return n
	}
	choose(&n.Node, d.wrapped(&f).Interface())
	d.expect('}')
	return n
}

// choose sets a choice, whose type has no name here, to a wrapper.
func choose[T any](choice *T, wrapper any) { *choice = wrapper.(T) }

// nodes reads a list of nodes; an empty one is nil.
func (d *decoder) nodes() []*pg.Node {
	start := len(d.items)
	d.array(func() { d.items = append(d.items, d.node()) })
	list := slices.Clone(d.items[start:])
	d.items = d.items[:start]
	return list
}

// array reads a list, with item for each of what is in it.
func (d *decoder) array(item func()) {
	d.expect('[')
	if d.accept(']') {
		return
	}
	for {
		item()
		if !d.accept(',') {
			d.expect(']')
			return
		}
	}
}

// word reads what is in no quotes. It aliases the text.
func (d *decoder) word() string {
	start := d.at
	for d.at < len(d.text) && d.text[d.at] != ',' && d.text[d.at] != '}' {
		d.at++
	}
	return d.text[start:d.at]
}

// number reads an integer of so many bits.
func (d *decoder) number(bits int) int64 {
	n, err := strconv.ParseInt(d.word(), 10, bits)
	if err != nil {
		d.fail("behind a number")
	}
	return n
}

// unsigned reads an integer of so many bits that has no sign.
func (d *decoder) unsigned(bits int) uint64 {
	n, err := strconv.ParseUint(d.word(), 10, bits)
	if err != nil {
		d.fail("behind a number without a sign")
	}
	return n
}

// bool reads a truth value.
func (d *decoder) bool() bool {
	switch d.word() {
	case "true":
		return true
	case "false":
	default:
		d.fail("behind a truth value")
	}
	return false
}

// name reads a string without escapes. It aliases the text.
func (d *decoder) name() string {
	d.expect('"')
	rest := d.text[d.at:]
	length := strings.IndexByte(rest, '"')
	if length < 0 {
		d.fail("a name")
		return ""
	}
	d.at += length + 1
	return rest[:length]
}

// string reads a string.
func (d *decoder) string() string {
	start := d.at + 1
	if name := d.name(); strings.IndexByte(name, '\\') < 0 {
		return strings.Clone(name)
	}
	d.at = start
	var b []byte
	for !d.accept('"') {
		switch {
		case d.at >= len(d.text):
			d.fail("a string")
			return ""
		case d.accept('\\'):
			b = append(b, d.escape())
		default:
			b = append(b, d.text[d.at])
			d.at++
		}
	}
	return string(b)
}

// escapes are the characters that are written with a letter behind a backslash.
var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\'}

// escape reads what is behind a backslash: it stands for a character of ASCII.
func (d *decoder) escape() byte {
	const digits = len("u0000")
	rest := d.text[d.at:]
	if len(rest) >= digits && rest[0] == 'u' {
		c, err := strconv.ParseUint(rest[1:digits], 16, 7)
		if err != nil {
			d.fail("a character of ASCII")
			return 0
		}
		d.at += digits
		return byte(c)
	}
	if rest == "" || escapes[rest[0]] == 0 {
		d.fail("an escape")
		return 0
	}
	d.at++
	return escapes[rest[0]]
}
