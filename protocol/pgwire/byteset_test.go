package pgwire

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestByteSetIsTold compares what is seen of eight bytes at once with each of them.
func TestByteSetIsTold(t *testing.T) {
	const controls = "\b\n\r"
	rapid.Check(t, func(t *rapid.T) {
		one, other := rapid.Byte().Draw(t, "one"), rapid.Byte().Draw(t, "other")
		set := newByteSet([2]byte{one, other}, controls)
		text := rapid.SliceOfN(rapid.SampledFrom([]byte{one, other, one + 1, other - 1, one ^ 0x80, 'a', 'b', 'c', 0, '\n', '\t', 0x1f, ' ', 0x7f, 0x80, 0xff}), 0, 30).Draw(t, "text")
		want := !bytes.ContainsAny(text, controls) && bytes.IndexByte(text, one) < 0 && bytes.IndexByte(text, other) < 0
		if got := set.misses(text); got != want {
			t.Errorf("a set of %q, %q and controls misses %q: %v", one, other, text, got)
		}
	})
}
