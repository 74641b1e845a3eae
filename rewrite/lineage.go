package rewrite

import "slices"

// A Source is a column that a value comes from, and, for a JSON document, the
// path into it ("$.phone"); an empty Path is the whole value.
type Source struct {
	Column *TableColumn
	Path   string
}

// A Value says what one SQL value is made of. The zero Value is made of no
// column: a constant, a parameter, the time of day. A Value is immutable: its
// operations return new ones and may share the slices of their operands.
type Value struct {
	Plain   []Source // the value may be this column's own value
	Derived []Source // the value depends on this column in some other way

	// Nulls says that the value may be NULL where none of its sources is: whether
	// it is tells something about them.
	Nulls bool
}

// Of is the value of column itself.
func Of(column *TableColumn) Value { return Value{Plain: []Source{{Column: column}}} }

// None reports whether no column goes into the value.
func (v Value) None() bool { return len(v.Plain) == 0 && len(v.Derived) == 0 }

// Either is a value that is one of the two: a branch of CASE, an arm of UNION.
func (v Value) Either(w Value) Value {
	return Value{Plain: union(v.Plain, w.Plain), Derived: union(v.Derived, w.Derived), Nulls: v.Nulls || w.Nulls}
}

// Into is what an expression makes of v and w: it depends on both and is neither.
func (v Value) Into(w Value) Value {
	return Value{Derived: union(v.Derive().Derived, w.Derive().Derived), Nulls: v.Nulls || w.Nulls}
}

// Made is what an expression makes of all of vs.
func Made(vs ...Value) Value {
	n := 0
	for _, v := range vs {
		n += len(v.Plain) + len(v.Derived)
	}
	out := Value{}
	if n <= mostCompared {
		for _, v := range vs {
			out = out.Into(v)
		}
		return out
	}
	seen := make(map[Source]struct{}, n)
	for _, v := range vs {
		out.Nulls = out.Nulls || v.Nulls
		for s := range v.Sources {
			if _, known := seen[s]; !known {
				seen[s] = struct{}{}
				out.Derived = append(out.Derived, s)
			}
		}
	}
	return out
}

// Derive is what an expression makes of v alone.
func (v Value) Derive() Value {
	if len(v.Plain) == 0 {
		return v
	}
	return Value{Derived: union(v.Plain, v.Derived), Nulls: v.Nulls}
}

// At is the value at a path of a JSON document; step is ".name" or "[*]".
func (v Value) At(step string) Value {
	narrow := make([]Source, len(v.Plain))
	for i, s := range v.Plain {
		if s.Path == "" {
			s.Path = "$"
		}
		narrow[i] = Source{Column: s.Column, Path: s.Path + step}
	}
	return Value{Plain: narrow, Derived: v.Derived, Nulls: v.Nulls}
}

// Sources calls yield for each source, plain ones first.
func (v Value) Sources(yield func(s Source, derived bool) bool) {
	for _, s := range v.Plain {
		if !yield(s, false) {
			return
		}
	}
	for _, s := range v.Derived {
		if !yield(s, true) {
			return
		}
	}
}

// mostCompared is up to how many sources are looked for one by one.
const mostCompared = 64

// union joins two sets; either may be returned itself.
func union(a, b []Source) []Source {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0, len(a) == len(b) && &a[0] == &b[0]:
		return a
	case len(a)+len(b) > mostCompared:
		return Made(Value{Derived: a}, Value{Derived: b}).Derived
	}
	out := slices.Clip(a)
	for _, s := range b {
		if !slices.Contains(a, s) {
			out = append(out, s)
		}
	}
	return out
}
