package pgsql_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An origin is a column as the server names it.
type origin struct {
	rel uint32
	att int
}

// A part is a column, or what stands at a path in a document.
type part struct {
	origin
	path string // as rewrite.Source has it
}

// manner says how a value depends on a part; a value may do so in several ways.
type manner uint8

const (
	plainly   manner = 1 << iota // it may be the part itself
	derivedly                    // it is made from the part
	castly                       // it is the part in another type: either of the above will do
	loosely                      // by way of a user's function: it may, but need not, be part of the value
)

// A lineage says what one value is made of, by the server's own account. The
// zero lineage is made of no column. It is immutable.
type lineage struct {
	parts map[part]manner
	own   bool      // one column's own value, whatever queries and views it came through
	fixed bool      // a constant or a parameter, through casts
	row   []lineage // its fields, when it is a row of which they are known
}

// ofColumn is the value of a column.
func ofColumn(rel uint32, att int) lineage {
	return lineage{parts: map[part]manner{{origin: origin{rel, att}}: plainly}, own: true}
}

func (l lineage) none() bool { return len(l.parts) == 0 }

// either is a value that is one of several.
func eitherOf(ls ...lineage) lineage {
	out := lineage{parts: map[part]manner{}}
	for _, l := range ls {
		for p, m := range l.parts {
			out.parts[p] |= m
		}
	}
	return out
}

// from is what an expression makes of several values.
func from(ls ...lineage) lineage { return eitherOf(ls...).become(derivedly) }

// become is l after something was done to it; what came by way of a user's
// function stays that.
func (l lineage) become(m manner) lineage {
	out := lineage{parts: make(map[part]manner, len(l.parts))}
	for p, was := range l.parts {
		out.parts[p] |= m | was&loosely
		if was == loosely {
			out.parts[p] = loosely
		}
	}
	return out
}

// cast is l in another type.
func (l lineage) cast() lineage {
	out := lineage{parts: make(map[part]manner, len(l.parts)), fixed: l.fixed}
	for p, was := range l.parts {
		out.parts[p] = was&^plainly | castly
	}
	return out
}

// at is what stands at a key of the document l: at any of these steps.
func (l lineage) at(steps []string) lineage {
	out := lineage{parts: map[part]manner{}, own: l.own && len(steps) == 1}
	for p, was := range l.parts {
		if was&(plainly|castly) == 0 {
			out.parts[p] |= was
			continue
		}
		if p.path == "" {
			p.path = "$"
		}
		for _, step := range steps {
			out.parts[part{p.origin, p.path + step}] |= was
		}
	}
	return out
}

// whole is the row that columns make.
func whole(columns []lineage) lineage {
	out := from(columns...)
	out.row = columns
	return out
}

// origins are the columns of l, in order.
func (l lineage) origins() []origin {
	set := map[origin]bool{}
	for p := range l.parts {
		set[p.origin] = true
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b origin) int {
		if a.rel != b.rel {
			return int(a.rel) - int(b.rel)
		}
		return a.att - b.att
	})
}

// itself reports whether l is a column, or one part of a document, and nothing else.
func (l lineage) itself() bool {
	for _, m := range l.parts {
		if m&^(plainly|castly) != 0 {
			return false
		}
	}
	return l.own && !l.none()
}

// column reports whether l is a whole column and nothing else.
func (l lineage) column() bool {
	for p := range l.parts {
		if p.path != "" {
			return false
		}
	}
	return l.itself()
}

// countable reports whether l is a column, a row of columns, or made of none.
func (l lineage) countable() bool {
	return l.none() || l.column() || l.row != nil && !slices.ContainsFunc(l.row, func(f lineage) bool { return !f.countable() })
}

func sameLineages(a, b []lineage) bool {
	return slices.EqualFunc(a, b, func(x, y lineage) bool { return maps.Equal(x.parts, y.parts) })
}

func (m manner) String() string {
	var words []string
	for i, word := range []string{"plain", "derived", "cast", "loose"} {
		if m&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, "+")
}

func (o origin) String() string { return fmt.Sprintf("%d.%d", o.rel, o.att) }
