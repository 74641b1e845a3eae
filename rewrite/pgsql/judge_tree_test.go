package pgsql_test

import (
	"fmt"
	"strconv"
	"strings"
)

// A tree is one element of a pg_node_tree, the text in which the server stores
// analysed queries: a node with fields, a list, or a word. A nil *tree is the
// server's <>, and every method takes it for an empty one.
//
// https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/nodes/outfuncs.c
type tree struct {
	kind   string // of a node: VAR, QUERY, ...
	fields []treeField
	items  []*tree // of a list
	word   string
	bytes  []byte // of a word that is a datum
}

type treeField struct {
	name  string
	value *tree
}

// at is a field of a node.
func (t *tree) at(name string) *tree {
	if t == nil {
		return nil
	}
	for _, f := range t.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// list is what a field that holds a list holds.
func (t *tree) list(name string) []*tree { return t.at(name).elements() }

func (t *tree) elements() []*tree {
	if t == nil {
		return nil
	}
	return t.items
}

// name is the kind of a node, "" for anything else. PostgreSQL 16 spells some
// kinds in full that were shorter before.
func (t *tree) name() string {
	if t == nil {
		return ""
	}
	switch t.kind {
	case "CASE", "COALESCE", "ROW", "MINMAX", "ROWCOMPARE":
		return t.kind + "EXPR"
	case "WHEN":
		return "CASEWHEN"
	case "RTE":
		return "RANGETBLENTRY"
	}
	return t.kind
}

func (t *tree) text(name string) string {
	if f := t.at(name); f != nil {
		return f.word
	}
	return ""
}

func (t *tree) flag(name string) bool { return t.text(name) == "true" }

// number is a field that holds a number, 0 when it holds none.
func (t *tree) number(name string) int { return t.at(name).value() }

func (t *tree) oid(name string) uint32 { return uint32(t.number(name)) }

// value is a word as a number.
func (t *tree) value() int {
	if t == nil {
		return 0
	}
	n, err := strconv.Atoi(t.word)
	if err != nil {
		return 0
	}
	return n
}

// children are the values of all fields, and the elements of a list.
func (t *tree) children() []*tree {
	if t == nil {
		return nil
	}
	out := t.items
	for _, f := range t.fields {
		out = append(out[:len(out):len(out)], f.value)
	}
	return out
}

// readTree reads a pg_node_tree.
func readTree(text string) (*tree, error) {
	r := treeReader{text: text}
	t, err := r.tree()
	if err != nil {
		return nil, fmt.Errorf("at byte %d: %w", r.at, err)
	}
	return t, nil
}

// A treeReader reads the format as the server's own nodes/read.c does.
type treeReader struct {
	text string
	at   int
}

// token is the next word, or one of the characters that are words of their own; "" at the end.
func (r *treeReader) token() string {
	for r.at < len(r.text) && strings.IndexByte(" \n\t", r.text[r.at]) >= 0 {
		r.at++
	}
	start := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '\\':
			r.at += 2
			continue
		case strings.IndexByte("(){}", c) >= 0:
			if r.at == start {
				r.at++
			}
			return r.text[start:r.at]
		case strings.IndexByte(" \n\t", c) >= 0:
			return r.text[start:r.at]
		}
		r.at++
	}
	return r.text[start:]
}

// peek is the next token without taking it.
func (r *treeReader) peek() string {
	at := r.at
	t := r.token()
	r.at = at
	return t
}

func (r *treeReader) tree() (*tree, error) {
	switch t := r.token(); t {
	case "":
		return nil, fmt.Errorf("the text ends too early")
	case "<>":
		return nil, nil
	case "{":
		return r.node()
	case "(":
		return r.items()
	default:
		return r.word(t)
	}
}

func (r *treeReader) node() (*tree, error) {
	n := &tree{kind: r.token()}
	for {
		name := r.token()
		switch {
		case name == "}":
			return n, nil
		case !strings.HasPrefix(name, ":"):
			return nil, fmt.Errorf("%q instead of a field of %s", name, n.kind)
		}
		value, err := r.tree()
		if err != nil {
			return nil, err
		}
		n.fields = append(n.fields, treeField{name[1:], value})
	}
}

// items reads a list; one of integers, OIDs or members of a set says so in a
// letter of its own.
func (r *treeReader) items() (*tree, error) {
	out := &tree{items: []*tree{}}
	switch r.peek() {
	case "i", "o", "b", "x":
		r.token()
	}
	for r.peek() != ")" {
		item, err := r.tree()
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, item)
	}
	r.token()
	return out, nil
}

// word reads what is neither node nor list; a datum is its length and its bytes.
func (r *treeReader) word(t string) (*tree, error) {
	out := &tree{word: unescapeWord(t)}
	if r.peek() != "[" {
		return out, nil
	}
	for r.token(); r.peek() != "]"; {
		n, err := strconv.Atoi(r.token())
		if err != nil {
			return nil, err
		}
		out.bytes = append(out.bytes, byte(n))
	}
	r.token()
	return out, nil
}

// unescapeWord undoes outToken: backslashes, and the quotes around a string.
func unescapeWord(t string) string {
	if len(t) >= 2 && t[0] == '"' && t[len(t)-1] == '"' {
		t = t[1 : len(t)-1]
	}
	if !strings.Contains(t, `\`) {
		return t
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] == '\\' && i+1 < len(t) {
			i++
		}
		b.WriteByte(t[i])
	}
	return b.String()
}
