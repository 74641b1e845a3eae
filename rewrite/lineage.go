package rewrite

// A Source is a column that a value comes from, and, for a JSON document, the
// path into it ("$.phone"); an empty Path is the whole value.
type Source struct {
	Column *TableColumn
	Path   string
}

// A Value says what one SQL value is made of.
type Value struct {
	Plain   []Source // the value may be this column's own value
	Derived []Source // the value depends on this column in some other way
}
