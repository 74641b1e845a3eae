package masking

import "bytes"

// LooksMasked reports whether text has the shape of what m makes of a text, so
// that writing it back would put a masked value in place of a real one. A nil
// mask makes nothing.
func LooksMasked(m Mask, text string) bool {
	value := bytes.TrimSpace([]byte(text))
	if m == nil || len(value) == 0 {
		return false
	}
	if doc, ok := m.(document); ok {
		return doc.looksLike(value)
	}
	if string(value) == neutralTexts[0] || onlyRune(value, '*') {
		return true
	}
	shaped, ok := m.(interface{ looksLike(text []byte) bool })
	return ok && shaped.looksLike(value)
}
