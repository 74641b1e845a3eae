package pgwire

import "sqlveil/protocol"

// A byteSet is a set of bytes, of which those that are no control characters are
// two.
type byteSet struct {
	has [256]bool
	two [2]uint64 // eight times each
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

func newByteSet(two [2]byte, controls string) (s byteSet) {
	for i, b := range two {
		s.has[b] = true
		s.two[i] = uint64(b) * ones
	}
	for _, b := range []byte(controls) {
		s.has[b] = true
	}
	return s
}

// misses says whether no byte of text is in the set. It looks at eight at once for
// any control character and the two others.
func (s *byteSet) misses(text []byte) bool {
	if len(text) < 8 {
		return s.missesEach(text)
	}
	last := len(text) - 8
	found := s.suspect(protocol.Uint64At(text[last:]))
	for i := 0; i < last; i += 8 {
		found |= s.suspect(protocol.Uint64At(text[i:]))
	}
	return found == 0 || s.missesEach(text)
}

// suspect marks any control character and the two others.
func (s *byteSet) suspect(w uint64) uint64 {
	one, other := w^s.two[0], w^s.two[1] // with a zero for each of the two
	return ((w-' '*ones)&^w | (one-ones)&^one | (other-ones)&^other) & highs
}

func (s *byteSet) missesEach(text []byte) bool {
	for _, b := range text {
		if s.has[b] {
			return false
		}
	}
	return true
}
