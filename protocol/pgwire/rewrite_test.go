package pgwire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"sqlveil/protocol"
)

// rewriteAll passes everything on, rewritten, and returns how many messages there
// were and how many bytes their bodies had.
func rewriteAll(t *testing.T, r *Reader, w *Writer, rewrite Rewrite) (count, size int64) {
	t.Helper()
	for {
		switch _, err := r.Next(); {
		case err == io.EOF:
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			return count, size
		case err != nil:
			t.Fatal(err)
		}
		n, bytes, err := r.RewriteRun(w, rewrite)
		if err != nil {
			t.Fatal(err)
		}
		if n < 1 {
			t.Fatal("a run of no message")
		}
		count += n
		size += bytes
	}
}

// TestRewriteRunIsOneByOne compares what comes out of runs with what is expected of
// every message, whatever the sizes and wherever the stream is cut.
func TestRewriteRunIsOneByOne(t *testing.T) {
	t.Parallel()
	rewrites := map[string]func(body []byte) []byte{
		"same":     func(body []byte) []byte { return body },
		"shorter":  func(body []byte) []byte { return body[:len(body)/2] },
		"longer":   func(body []byte) []byte { return append(bytes.Repeat(body, 3), "longer"...) },
		"none":     func([]byte) []byte { return nil },
		"now,then": func(body []byte) []byte { return body[:len(body)&1*len(body)] },
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name, rewrite := range rewrites {
		var stream, want []byte
		messages, size := int64(0), int64(0)
		for i := range 3000 {
			n := random.IntN(300)
			switch i {
			case 100:
				n = 32763
			case 200:
				n = 32768
			case 300:
				n = 200_000
			}
			letter := byte('D')
			if i%700 == 0 {
				letter = 'C'
			}
			body := bytes.Repeat([]byte{byte(i)}, n)
			stream = append(stream, message(letter, string(body))...)
			if out := rewrite(body); len(out) > 0 {
				want = append(want, message(letter, string(out))...)
			}
			messages++
			size += int64(n)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := connOf(t, stream[:1], stream[1:1000], stream[1000:])
			out, written := sinkOf(t)
			in.FlushOnWait(out)
			count, bytesIn := rewriteAll(t, NewReader(in), NewWriter(out), func(dst, body []byte) ([]byte, error) {
				return append(dst, rewrite(body)...), nil
			})
			if count != messages || bytesIn != size {
				t.Errorf("%d messages of %d bytes; want %d of %d", count, bytesIn, messages, size)
			}
			if !bytes.Equal(written(), want) {
				t.Error("what came out is not what was expected of each message")
			}
		})
	}
}

// TestRewriteRunFails checks what has been passed on when a rewrite fails.
func TestRewriteRunFails(t *testing.T) {
	t.Parallel()
	stream := bytes.Join([][]byte{message('D', "one"), message('D', "two"), message('D', "bad"), message('D', "four")}, nil)
	out, written := sinkOf(t)
	r, w := NewReader(connOf(t, stream)), NewWriter(out)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("bad")
	count, size, err := r.RewriteRun(w, func(dst, body []byte) ([]byte, error) {
		if string(body) == "bad" {
			return append(dst, "part of it"...), bad
		}
		return append(dst, body...), nil
	})
	if count != 2 || size != 6 || !errors.Is(err, bad) {
		t.Errorf("got %d messages of %d bytes, %v; want 2 of 6, bad", count, size, err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := written(); !bytes.Equal(got, stream[:16]) {
		t.Errorf("passed on %q", got)
	}
}

// TestRewriteRunStops checks that a run leaves to Next what it cannot judge.
func TestRewriteRunStops(t *testing.T) {
	t.Parallel()
	echo := func(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }
	for name, rest := range map[string]string{
		"another type":   string(message('C', "SELECT 1\x00")),
		"half a header":  "D\x00\x00",
		"half a body":    string(message('D', "1234")[:7]),
		"a wrong length": "D\x00\x00\x00\x03",
		"too long":       "D\xff\xff\xff\xff",
	} {
		out, written := sinkOf(t)
		r, w := NewReader(connOf(t, append(message('D', "one"), rest...))), NewWriter(out)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if count, _, err := r.RewriteRun(w, echo); count != 1 || err != nil {
			t.Errorf("%s: %d messages, %v; want 1", name, count, err)
		}
		if got := string(r.Conn().Buffered()); got != rest {
			t.Errorf("%s: %q is left", name, got)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := string(written()); got != string(message('D', "one")) {
			t.Errorf("%s: passed on %q", name, got)
		}
	}
}

// TestRunsDoNotAllocate rewrites rows that stay, shrink and grow.
func TestRunsDoNotAllocate(t *testing.T) {
	source := &repeated{data: bytes.Repeat(message('D', string(row("1", "ann@example.com", nil, strings.Repeat("x", 90)))), 100)}
	in := protocol.NewConn(source)
	out := protocol.NewConn(discard{})
	in.FlushOnWait(out)
	r, w := NewReader(in), NewWriter(out)
	rewrite := NewCells([]CellRewriter{nil, grown{}, nil, stars{}}).Rewrite
	allocs := testing.AllocsPerRun(2000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.RewriteRun(w, rewrite); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per run", allocs)
	}
}

// repeated is a connection that sends the same again and again.
type repeated struct {
	net.Conn
	data []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.data[r.at:])
	r.at = (r.at + n) % len(r.data)
	return n, nil
}

// grown makes values longer.
type grown struct{}

func (grown) AppendCell(dst, cell []byte) ([]byte, bool) {
	return append(append(dst, cell...), "longer than before"...), true
}
