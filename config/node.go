package config

import (
	"slices"
	"strconv"
)

// A node is one value of a YAML file and where it stands.
type node struct {
	kind         nodeKind
	file         string
	line, column int
	tag          string  // of a scalar: "!!str", "!!int", ...
	text         string  // of a scalar
	pairs        []pair  // of a mapping
	items        []*node // of a sequence
	bad          bool    // there is a problem with it, so what is missing in it is no news
}

type pair struct{ key, value *node }

type nodeKind uint8

const (
	scalar nodeKind = iota
	mapping
	sequence
)

var kindNames = [...]string{scalar: "a single value", mapping: "a mapping (key: value)", sequence: "a list"}

// at says something about the place.
func (n *node) at(message string) Problem {
	return Problem{File: n.file, Line: n.line, Column: n.column, Message: message}
}

// problem says that the value cannot be read.
func (n *node) problem(message string) Problem {
	n.bad = true
	return n.at(message)
}

// isNull reports whether the value was left out: "key:" and nothing behind it.
func (n *node) isNull() bool { return n.kind == scalar && n.tag == "!!null" }

// get returns the value of a key, nil when the mapping has none such.
func (n *node) get(key string) *node {
	if p := n.pair(key); p != nil {
		return p.value
	}
	return nil
}

func (n *node) pair(key string) *pair {
	at := slices.IndexFunc(n.pairs, func(p pair) bool { return p.key.text == key })
	if at < 0 {
		return nil
	}
	return &n.pairs[at]
}

// locate returns what stands at a path of keys and indexes: a single value
// itself, a mapping or list by its key. Where the path leads nowhere, it is the
// last thing on the way. It is nil below something that is bad.
func (n *node) locate(path []string) *node {
	place := n
	for _, step := range path {
		if n.bad {
			return nil
		}
		next := n.get(step)
		if next != nil {
			place = n.pair(step).key
		} else if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.items) {
			next = n.items[i]
			place = next
		}
		if next == nil {
			return place
		}
		n = next
	}
	if n.bad {
		return nil
	}
	if n.kind == scalar {
		return n
	}
	return place
}
