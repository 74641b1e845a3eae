package pgsql

import (
	"sqlveil/rewrite"
)

// A value is what is known of one expression while a statement is resolved.
type value struct {
	rewrite.Value
	exact    bool      // all of Plain is one column's own value: not one of several, not a branch
	scan     *scan     // whose row it is taken from, when exact and the query itself reads the table
	constant bool      // a literal or a parameter, through casts
	text     string    // the literal, when it is a string
	literal  bool      // text holds
	written  string    // the literal, a number too; "" when it is something else
	small    bool      // a number that is written down, not zero, and of few digits
	param    int       // the parameter's number from 1, 0 when it is none
	typ      string    // the type's name in pg_catalog, "" when unknown
	declared *TypeInfo // the type itself, when v is known to be of just that: a domain, an enum
	row      []column
	elements []column // of an array of rows: the fields of each
	rows     bool     // it may be rows, or be made of rows, whose fields are not known
}

// mayBeRow reports whether v may have fields, or elements with fields, that
// are not known.
func (v value) mayBeRow() bool {
	return (v.typ == "" || v.typ == arrayOfUnknown) && (v.rows || v.row != nil || v.elements != nil)
}

// exactly is the table column, or the part of a document in one, that the value
// is, when it is that and nothing else, and then the columns of the views that it
// came through; nil otherwise.
func (v value) exactly() []rewrite.Source {
	if !v.exact || len(v.Derived) > 0 {
		return nil
	}
	return v.Plain
}

// columns are those of exactly, when they are whole columns.
func (v value) columns() []*rewrite.TableColumn {
	sources := v.exactly()
	out := make([]*rewrite.TableColumn, len(sources))
	for i, s := range sources {
		if s.Path != "" {
			return nil
		}
		out[i] = s.Column
	}
	return out
}

// sources counts what goes into v and its fields.
func (v value) sources() int {
	n := len(v.Plain) + len(v.Derived)
	for _, c := range v.row {
		n += c.value.sources()
	}
	return n
}

// countable reports whether v is a column, a row of columns, or made of none.
func (v value) countable() bool {
	if v.None() || len(v.columns()) > 0 {
		return true
	}
	for _, c := range v.row {
		if !c.value.countable() {
			return false
		}
	}
	return v.row != nil
}

// untyped reports whether v is of the type that its surroundings ask for.
func (v value) untyped() bool {
	return v.None() && (v.typ == "unknown" || v.param > 0 && v.typ == "")
}

// branch is v as one of the values that an expression may have: of what it is
// by itself only the type is left.
func (v value) branch() value {
	return value{Value: v.Value, typ: v.typ, declared: v.declared, rows: v.mayBeRow()}
}

// either joins the branches of CASE, the arms of UNION, the rows of VALUES.
func either(a, b value) value {
	out := value{Value: a.Either(b.Value), rows: a.mayBeRow() || b.mayBeRow()}
	if a.typ == b.typ {
		out.typ = a.typ
	}
	if a.declared == b.declared {
		out.declared = a.declared
	}
	return out
}

// made is what an expression makes of vs.
func made(vs []value) rewrite.Value {
	var few [4]rewrite.Value
	parts := few[:0]
	for _, v := range vs {
		parts = append(parts, v.Value)
	}
	return rewrite.Made(parts...)
}

// derived is the value of an expression over vs of which none survives as it is.
func derived(vs ...value) value {
	var out value
	for _, v := range vs {
		out.rows = out.rows || v.mayBeRow()
	}
	out.Value = made(vs)
	return out
}

// A column is one named column that a FROM item, or a row, offers.
type column struct {
	name   string
	value  value
	hidden bool // found by name, not by *: a system column
}

// A table is what one name in FROM stands for.
type table struct {
	schema  string // the schema it was written or found with; "" for an alias
	name    string
	columns []column // which may be those of other tables, too: they are not changed
	scan    *scan    // whose row the columns are taken from, when the query itself reads the table
	row     *value   // all of them, when somebody has asked
}

// value is that of a column of the table.
func (t *table) value(c *column) value {
	v := c.value
	if t.scan != nil {
		v.scan = t.scan
	}
	return v
}

// find returns the column of that name, and whether there is one.
func (t *table) find(name string) (value, bool) { return findIn(name, t) }

// findIn returns the column of that name among those of some tables, and whether
// there is one. Of several, which are ambiguous to the server too, it is either.
func findIn(name string, tables ...*table) (out value, found bool) {
	for _, t := range tables {
		for i := range t.columns {
			c := &t.columns[i] // which is large
			switch {
			case c.name != name:
			case found:
				out = either(out, t.value(c))
			default:
				out, found = t.value(c), true
			}
		}
	}
	return out, found
}

// visible are the columns that * stands for.
func visible(tables ...*table) []column {
	n := 0
	for _, t := range tables {
		n += len(t.columns)
	}
	out := make([]column, 0, n)
	for _, t := range tables {
		for i := range t.columns {
			if c := &t.columns[i]; !c.hidden {
				out = append(out, column{name: c.name, value: t.value(c)})
			}
		}
	}
	return out
}

// whole is the table's row as one value.
func (t *table) whole() value {
	if t.row == nil {
		row := visible(t)
		cells := make([]value, len(row))
		for i, c := range row {
			cells[i] = c.value
		}
		t.row = &value{Value: made(cells), row: row}
	}
	return *t.row
}

// A namespace is what a FROM clause, or a part of one, makes visible.
type namespace struct {
	tables []*table // by qualified name
	parts  []*table // whose columns are found by bare name and by *, in order
}

// add puts two FROM items side by side.
func (n *namespace) add(m *namespace) {
	n.tables = append(n.tables, m.tables...)
	n.parts = append(n.parts, m.parts...)
}

func (n *namespace) find(name string) (value, bool) { return findIn(name, n.parts...) }

// table returns the FROM item called name, in schema if that is not empty.
func (n *namespace) table(schema, name string) *table {
	for _, t := range n.tables {
		if t.name == name && (schema == "" || schema == t.schema) {
			return t
		}
	}
	return nil
}

// namespaceOf is the namespace of one table.
func namespaceOf(t *table) *namespace {
	one := []*table{t}
	return &namespace{tables: one[:1:1], parts: one[:1:1]}
}
