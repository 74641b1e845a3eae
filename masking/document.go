package masking

// A document masks the labelled values inside a JSON document and leaves the
// rest of its text alone. Strings become masked strings, other scalars and
// objects null; arrays are masked element by element. What is not JSON comes
// out as an empty object.
type document struct {
	shape *shape
	role  *Role
}

func (document) Name() string { return "json" }

func (m document) Append(dst, text []byte, t Type) ([]byte, bool) {
	if t.Kind != KindJSON && t.Kind != KindText {
		return dst, false
	}
	start := len(dst)
	w := documentWriter{scanner: scanner{text: text}, role: m.role, dst: dst}
	if !w.value(m.shape) || !w.end() {
		return appendEmptyDocument(w.dst[:start], t)
	}
	out := append(w.dst, text[w.copied:]...)
	if t.Kind == KindText && !valid(out[start:], t) {
		return appendEmptyDocument(out[:start], t)
	}
	return out, true
}

func appendEmptyDocument(dst []byte, t Type) ([]byte, bool) {
	empty := neutrals[KindJSON]
	if t.Length > 0 && t.Length < len(empty) {
		return dst, false
	}
	return append(dst, empty...), true
}

// looksLike reports whether a labelled string of the document has the shape of
// its own mask's output.
func (m document) looksLike(text []byte) bool {
	w := documentWriter{scanner: scanner{text: text}, role: m.role, guard: true}
	return w.value(m.shape) && w.end() && w.found
}

// A documentWriter copies a document while it masks what is labelled.
type documentWriter struct {
	scanner
	role   *Role
	dst    []byte
	copied int  // how much of the text is in dst, masked or not
	guard  bool // only look for strings that are masked already
	found  bool // there was one
}

// value reads one value, which is at the place that s says.
func (w *documentWriter) value(s *shape) bool {
	if s == nil {
		return w.skip()
	}
	w.blanks()
	if w.peek() == '[' {
		return w.array(func(index int) bool { return w.value(s.at(index)) })
	}
	if s.class != nil {
		return w.replace(w.role.mask(s.class))
	}
	if w.peek() == '{' {
		return w.object(func(key []byte) bool { return w.value(w.member(s, key)) })
	}
	return w.skip()
}

// member finds the place of a key. A key may be written with escapes; the end of
// dst serves as scratch space to read it.
func (w *documentWriter) member(s *shape, key []byte) *shape {
	start := len(w.dst)
	w.dst = appendUnquoted(w.dst, key)
	next := s.to(w.dst[start:])
	w.dst = w.dst[:start]
	return next
}

// replace reads one value and appends its masked form; a nil mask leaves it.
func (w *documentWriter) replace(m Mask) bool {
	start := w.pos
	if !w.skip() {
		return false
	}
	literal := w.text[start:w.pos]
	switch {
	case m == nil:
		return true
	case w.guard:
		w.found = w.found || literal[0] == '"' && LooksMasked(m, string(appendUnquoted(nil, literal)))
		return true
	}
	w.dst = append(w.dst, w.text[w.copied:start]...)
	w.copied = w.pos
	if literal[0] == '"' {
		w.dst = appendMaskedString(m, w.dst, literal)
	} else {
		w.dst = append(w.dst, jsonNull...)
	}
	return true
}
