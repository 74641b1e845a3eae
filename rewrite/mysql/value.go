package mysql

import (
	"strings"

	"sqlveil/rewrite"
)

// A value is what is known of one expression while a statement is resolved.
type value struct {
	rewrite.Value
	exact    bool     // all of Plain is one column's own value: not one of several, not a branch
	constant bool     // a literal, a parameter or a variable that the statement does not set
	literal  bool     // text holds
	text     string   // the literal's
	param    int      // the parameter's number from 1, 0 when it is none
	kind     typeKind // typeUnknown when it cannot be said
	digits   int      // of a number: most digits before the point, 0 when unknown
	scale    int      // and behind it
	unsigned bool
	null     bool // the literal NULL
	certain  bool // is never NULL
	calm     bool // working it out neither warns nor takes time
	length   int  // of a text: most characters, 0 when unknown
	row      []value
	scan     *scan // the FROM item of the same query that v is read from, nil unless it has a key
}

// columns are the table column that the value is, when it is that and nothing
// else, and then the columns of the views that it came through; nil otherwise.
func (v value) columns() []*rewrite.TableColumn {
	if !v.exact || len(v.Derived) > 0 {
		return nil
	}
	out := make([]*rewrite.TableColumn, len(v.Plain))
	for i, s := range v.Plain {
		if s.Path != "" {
			return nil
		}
		out[i] = s.Column
	}
	return out
}

// either joins the branches of CASE, the arms of UNION, the rows of VALUES.
func either(a, b value) value {
	out := value{Value: a.Either(b.Value), certain: a.certain && b.certain}
	if n, m := a.characters(), b.characters(); n > 0 && m > 0 {
		out.length = max(n, m)
	}
	switch {
	case a.null:
		out.kind, out.digits, out.scale, out.unsigned, out.length = b.kind, b.digits, b.scale, b.unsigned, b.length
	case b.null:
		out.kind, out.digits, out.scale, out.unsigned, out.length = a.kind, a.digits, a.scale, a.unsigned, a.length
	case a.kind == typeBytes || b.kind == typeBytes:
		out.kind = typeBytes
	case a.kind == b.kind:
		out.kind, out.digits, out.scale, out.unsigned = a.kind, a.digits, a.scale, a.unsigned
	}
	if a.kind == b.kind && !a.null && !b.null {
		out.unsigned = a.unsigned || b.unsigned
		if a.digits == 0 || b.digits == 0 {
			out.digits = 0
		} else {
			out.digits, out.scale = max(a.digits, b.digits), max(a.scale, b.scale)
		}
	}
	return out
}

// derived is the value of an expression over vs of which none survives as it is.
func derived(vs ...value) value {
	var out value
	for _, v := range vs {
		out.Value = out.Into(v.Value)
	}
	return out
}

// of gives a derived value a type.
func (v value) of(kind typeKind) value {
	v.kind = kind
	return v
}

// opaque is v as a part of the statement that cannot be looked into any more:
// no literal, no column itself.
func (v value) opaque() value {
	v.length = v.characters()
	v.exact, v.constant, v.literal, v.param, v.null = false, false, false, 0, false
	return v
}

// rowOf is the row that columns make.
func rowOf(columns []column) value {
	var out value
	for _, c := range columns {
		out.row = append(out.row, c.value)
		out.Value = out.Into(c.value.Value)
	}
	return out
}

// A column is one named column that a FROM item, or a query, offers.
type column struct {
	name   string
	value  value
	hidden bool // found by name, not by *
	guess  bool // the server may name it otherwise
}

// A table is what one name in FROM stands for.
type table struct {
	schema  string // the database it was found in, "" for an alias of something else
	name    string
	columns []column
}

// find returns the column of that name, and whether there is one.
func (t *table) find(name string) (value, bool) { return find(name, t.columns) }

// find returns the column of that name, in any case, and whether there is one.
// Of several, which the server would call ambiguous, it is any.
func find(name string, parts ...[]column) (value, bool) {
	v, is := lookUp(name, parts...)
	return v, is >= likely
}

// certainty says whether a name is one of some columns.
type certainty uint8

const (
	absent   certainty = iota
	possible           // a column is there whose name the server makes by itself
	likely             // such a column has the name, as far as can be told
	sure
)

// lookUp returns what a name may stand for among columns: those of that name, in
// any case, and those whose name is a guess.
func lookUp(name string, parts ...[]column) (value, certainty) {
	var out value
	is := absent
	for _, columns := range parts {
		for i := range columns {
			c := &columns[i] // which is large
			switch this := c.called(name); {
			case this == absent:
			case is == absent:
				out, is = c.value, this
			default:
				out, is = either(out, c.value), max(is, this)
			}
		}
	}
	return out, is
}

// called says whether a column has a name, in any case.
func (c *column) called(name string) certainty {
	switch same := strings.EqualFold(c.name, name); {
	case same && !c.guess:
		return sure
	case same:
		return likely
	case c.guess:
		return possible
	}
	return absent
}

// guessed is the value of all columns whose names are guesses.
func guessed(parts ...[]column) value {
	var out value
	for _, columns := range parts {
		for i := range columns {
			if columns[i].guess {
				out = derived(out, columns[i].value)
			}
		}
	}
	return out
}

// visible are the columns that * stands for.
func visible(parts ...[]column) []column {
	n := 0
	for _, columns := range parts {
		n += len(columns)
	}
	out := make([]column, 0, n)
	for _, columns := range parts {
		for i := range columns {
			if !columns[i].hidden {
				out = append(out, columns[i])
			}
		}
	}
	return out
}

// A namespace is what a FROM clause, or a part of one, makes visible.
type namespace struct {
	tables []*table   // by qualified name
	parts  [][]column // by bare name and by *, in order
}

// add puts two FROM items side by side.
func (n *namespace) add(m *namespace) {
	n.tables = append(n.tables, m.tables...)
	n.parts = append(n.parts, m.parts...)
}

// namespaceOf is the namespace of one table.
func namespaceOf(t *table) *namespace {
	return &namespace{tables: []*table{t}, parts: [][]column{t.columns}}
}
