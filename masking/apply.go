package masking

import "bytes"

// Apply appends the masked form of text, a value of type t, to dst. It is
// m.Append under the laws of the package: where the mask would return its input
// or something that the type cannot hold, the neutral value of the type comes
// out, and where there is none ok is false: the value becomes NULL.
func Apply(m Mask, dst, text []byte, t Type) (out []byte, ok bool) {
	start := len(dst)
	if doc, isDocument := m.(document); isDocument {
		return doc.Append(dst, text, t)
	}
	if t.Kind == KindJSON {
		return applyJSON(m, dst, text)
	}
	out, ok = m.Append(dst, text, t)
	if !ok {
		return dst, false
	}
	if masked := out[start:]; !bytes.Equal(masked, text) && valid(masked, t) {
		return out, true
	}
	return Neutral(out[:start], t)
}

// applyJSON masks a JSON value as a whole: a string becomes a masked string,
// every other scalar null, and an object or array the neutral value.
func applyJSON(m Mask, dst, text []byte) ([]byte, bool) {
	switch {
	case m == Null:
		return dst, false
	case m == Redact, m == Withheld:
		return append(dst, neutrals[KindJSON]...), true
	}
	s := scanner{text: text}
	s.blanks()
	start, first := s.pos, s.peek()
	if !s.skip() || !s.end() {
		return append(dst, neutrals[KindJSON]...), true
	}
	switch first {
	case '"':
		return appendMaskedString(m, dst, bytes.TrimRight(text[start:], jsonBlanks)), true
	case '{', '[':
		return append(dst, neutrals[KindJSON]...), true
	}
	return append(dst, jsonNull...), true
}
