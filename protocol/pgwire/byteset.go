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
	rest := text
	for len(rest) >= 8 {
		w := protocol.Uint64At(rest)
		one, other := w^s.two[0], w^s.two[1] // with a zero for each of the two
		if ((w-' '*ones)&^w|(one-ones)&^one|(other-ones)&^other)&highs != 0 {
			break
		}
		rest = rest[8:]
	}
	for _, b := range rest {
		if s.has[b] {
			return false
		}
	}
	return true
}
