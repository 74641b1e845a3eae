package mywire

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"sqlveil/protocol"
)

// TestRewriteRows compares what comes out of runs with what is expected of every row,
// whatever the sizes and wherever the stream is cut.
func TestRewriteRows(t *testing.T) {
	t.Parallel()
	for name, rewrite := range map[string]func(body []byte) []byte{
		"shorter": func(body []byte) []byte { return body[:len(body)/2] },
		"longer":  func(body []byte) []byte { return append(bytes.Repeat(body, 3), "longer"...) },
		"very long": func(body []byte) []byte {
			return append(bytes.Repeat(body[:min(1, len(body))], maxPart*(len(body)/200_000)), body...)
		},
		"empty": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			var bodies, want []string
			size := int64(0)
			for i := range 1000 {
				n := random.IntN(300)
				if large := map[int]int{100: protocol.BufferSize - headerSize, 200: protocol.BufferSize, 300: 200_000}[i]; large > 0 {
					n = large
				}
				body := bytes.Repeat([]byte{byte(i % 250)}, n)
				bodies = append(bodies, string(body))
				want = append(want, string(rewrite(body)))
				size += int64(n)
			}
			stream := packets(7, bodies...)
			from := connOf(t, stream[:1], stream[1:1000], stream[1000:])
			to, written := sinkOf(t)
			from.Transport().FlushOnWait(to.Transport())
			from.seq, to.seq = 7, 3
			var rows, read int64
			for rows < int64(len(bodies)) {
				if _, err := from.Next(); err != nil {
					t.Fatal(err)
				}
				n, bytes, err := from.RewriteRows(to, MaxBody, func(dst, body []byte) ([]byte, error) { return append(dst, rewrite(body)...), nil })
				if err != nil {
					t.Fatal(err)
				}
				rows, read = rows+n, read+bytes
			}
			if read != size {
				t.Errorf("%d bytes, want %d", read, size)
			}
			if err := to.Flush(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(written(), packets(3, want...)) {
				t.Error("what came out is not what was expected of each row")
			}
		})
	}
}

// TestRewriteRowsStops checks where a run ends, and what has been passed on then.
func TestRewriteRowsStops(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	until := func(bad string) Rewrite {
		return func(dst, body []byte) ([]byte, error) {
			if string(body) == bad {
				return append(dst, "half a row"...), no
			}
			return append(dst, body...), nil
		}
	}
	for name, tt := range map[string]struct {
		stream []byte
		limit  int
		bad    string
		want   string
		err    error
	}{
		"last packet":         {packets(0, "one", "two", "\xfe\x00\x00\x02\x00"), 99, "", "one two", nil},
		"error":               {packets(0, "one", "\xff\x15\x04#28000no"), 99, "", "one", nil},
		"empty":               {packets(0, "one", "", "two"), 99, "", "one", nil},
		"wrong number":        {append(packets(0, "one"), packets(2, "two")...), 99, "", "one", nil},
		"cut off":             {packets(0, "one", "two")[:13], 99, "", "one", nil},
		"too large":           {packets(0, "one"), 2, "", "", protocol.ErrTooLarge},
		"not to be rewritten": {packets(0, "one", "two", "bad", "three"), 99, "bad", "one two", no},
	} {
		from := connOf(t, tt.stream)
		to, written := sinkOf(t)
		if _, err := from.Next(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := from.RewriteRows(to, tt.limit, until(tt.bad)); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		}
		if err := to.Flush(); err != nil {
			t.Fatal(err)
		}
		var want []byte
		if tt.want != "" {
			for i, body := range bytes.Fields([]byte(tt.want)) {
				want = append(want, packets(uint8(i), string(body))...)
			}
		}
		if got := written(); !bytes.Equal(got, want) {
			t.Errorf("%s: %q came out, want %q", name, got, want)
		}
	}
}
