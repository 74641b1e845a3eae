package masking

// A Fitted is a mask made ready for the values of one column: what depends on the
// type alone is decided once. One goroutine may use it at a time.
type Fitted struct {
	mask  Mask
	kind  Type
	short shortcut
}

// A shortcut masks the usual values of one type in one pass over them.
type shortcut interface {
	// try appends what [Apply] would, or returns false for a value that it leaves
	// to Apply, and what it has appended is dropped.
	try(dst, text []byte) (out []byte, ok bool)
}

// Fit makes m ready for values of type t.
func Fit(m Mask, t Type) Fitted {
	f := Fitted{mask: m, kind: t, short: long{}}
	if has, ok := m.(interface{ shortcut(Type) shortcut }); ok {
		if short := has.shortcut(t); short != nil {
			f.short = short
		}
	}
	return f
}

// A long is the shortcut where there is none.
type long struct{}

func (long) try(dst, _ []byte) ([]byte, bool) { return dst, false }

// Append is [Apply].
func (f *Fitted) Append(dst, text []byte) (out []byte, ok bool) {
	if out, ok := f.Try(dst, text); ok {
		return out, true
	}
	return f.Apply(dst, text)
}

// Try is Append for the usual values. For others it returns false: they are left to
// Apply. Those who mask a whole column call the two by themselves, which saves a call
// for each value.
func (f *Fitted) Try(dst, text []byte) (out []byte, ok bool) { return f.short.try(dst, text) }

// Apply is Append for any value.
func (f *Fitted) Apply(dst, text []byte) (out []byte, ok bool) {
	return Apply(f.mask, dst, text, f.kind)
}

// Neutral appends the value that says nothing; see [Neutral].
func (f *Fitted) Neutral(dst []byte) (out []byte, ok bool) { return Neutral(dst, f.kind) }

// fits reports whether a column holds so many characters; length is that of its
// type.
func fits(n, length int) bool { return length <= 0 || n <= length }
