package mywire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"sqlveil/protocol"
)

// connOf returns a Conn at which the given pieces arrive one by one.
func connOf(t testing.TB, pieces ...[]byte) *Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		for _, p := range pieces {
			if _, err := theirs.Write(p); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { ours.Close() })
	return NewConn(protocol.NewConn(ours))
}

// sinkOf returns a Conn and a function that closes it and returns what was
// written to it.
func sinkOf(t testing.TB) (*Conn, func() []byte) {
	t.Helper()
	ours, theirs := net.Pipe()
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(theirs) // a pipe only ends by being closed
		got <- b
	}()
	c := NewConn(protocol.NewConn(ours))
	return c, func() []byte {
		if err := c.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		c.Transport().Close()
		return <-got
	}
}

// packets returns the bodies as packets numbered from seq.
func packets(seq uint8, bodies ...string) []byte {
	var b []byte
	for _, body := range bodies {
		for {
			part := body[:min(len(body), maxPart)]
			b = append(protocol.AppendUint24LE(b, uint32(len(part))), seq)
			b = append(b, part...)
			seq++
			if body = body[len(part):]; len(part) < maxPart {
				break
			}
		}
	}
	return b
}

// everySplit calls f with stream cut in two at every byte, and cut into single bytes.
func everySplit(stream []byte, f func(pieces ...[]byte)) {
	for i := range stream {
		f(stream[:i], stream[i:])
	}
	single := make([][]byte, len(stream))
	for i := range stream {
		single[i] = stream[i : i+1]
	}
	f(single...)
}

func TestPacketsSplitAnywhere(t *testing.T) {
	t.Parallel()
	want := []string{"\x03SELECT 1", "", "\x00", "abc"}
	everySplit(packets(0, want...), func(pieces ...[]byte) {
		c := connOf(t, pieces...)
		for i, w := range want {
			p, err := c.Packet(100)
			if err != nil || string(p.Body) != w || int(p.Seq) != i {
				t.Fatalf("got %d %q, %v, want %q", p.Seq, p.Body, err, w)
			}
		}
		if _, err := c.Next(); err != io.EOF {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestPacketNumbers(t *testing.T) {
	t.Parallel()
	wrap := make([]string, 300)
	c := connOf(t, packets(0, wrap...))
	for i := range wrap {
		if _, err := c.Next(); err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
	}
	c = connOf(t, packets(1, "a"))
	if _, err := c.Next(); !errors.Is(err, ErrSequence) {
		t.Errorf("1 instead of 0: %v", err)
	}
	c = connOf(t, packets(7, "\xff\x00\x00bye"))
	if h, err := c.Next(); err != nil || ReplyOf(h) != ReplyError {
		t.Errorf("an error out of turn: %v", err)
	}
	c = connOf(t, packets(0, "a"), packets(0, "b"))
	for range 2 {
		c.Restart()
		if _, err := c.Next(); err != nil {
			t.Error(err)
		}
	}
}

func TestPacketLimit(t *testing.T) {
	t.Parallel()
	c := connOf(t, packets(0, "0123456789", "next"))
	if _, err := c.Packet(9); !errors.Is(err, protocol.ErrTooLarge) {
		t.Fatalf("10 bytes with limit 9: %v", err)
	}
	if p, err := c.Packet(9); err != nil || string(p.Body) != "next" {
		t.Fatalf("after a refused packet: %q, %v", p.Body, err)
	}
}

func TestPacketCutOff(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 10, 3 * protocol.BufferSize, maxPart} {
		b := packets(0, string(make([]byte, size)))
		c := connOf(t, b[:len(b)-1])
		if _, err := c.Packet(1 << 25); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// ways are all ways to pass a packet on.
var ways = map[string]func(from, to *Conn) error{
	"CopyTo": func(from, to *Conn) error { return from.CopyTo(to) },
	"PassRows": func(from, to *Conn) error {
		_, _, err := from.PassRows(to)
		return err
	},
	"RewriteRows": func(from, to *Conn) error {
		_, _, err := from.RewriteRows(to, MaxBody, same)
		return err
	},
	"RewriteRows and Body": func(from, to *Conn) error {
		if _, err := from.Body(MaxBody); err != nil {
			return err
		}
		_, _, err := from.RewriteRows(to, MaxBody, same)
		return err
	},
	"Body and Write": func(from, to *Conn) error {
		body, err := from.Body(MaxBody)
		if err != nil {
			return err
		}
		return to.Write(body)
	},
	"Body and CopyTo": func(from, to *Conn) error {
		if _, err := from.Body(MaxBody); err != nil {
			return err
		}
		return from.CopyTo(to)
	},
	"Begin and End": func(from, to *Conn) error {
		body, err := from.Body(MaxBody)
		if err != nil {
			return err
		}
		dst, err := to.Begin(10)
		if err != nil {
			return err
		}
		return to.End(append(dst, body...))
	},
}

// same is the Rewrite that changes nothing.
func same(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }

func TestPacketsPassOnInEveryWay(t *testing.T) {
	t.Parallel()
	var bodies []string
	for _, size := range []int{1, 0, 32763, 32764, 5, 32767, 32768, 32769, 7, 3, maxPart, 1} {
		bodies = append(bodies, string(bytes.Repeat([]byte("x"), size)))
	}
	in := packets(250, bodies...)
	want := packets(3, bodies...)
	for name, pass := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := connOf(t, in[:40_000], in[40_000:])
			to, written := sinkOf(t)
			from.Transport().FlushOnWait(to.Transport())
			from.seq, to.seq = 250, 3
			for {
				if _, err := from.Next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if err := pass(from, to); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(written(), want) {
				t.Error("other packets came out")
			}
		})
	}
}

func TestPassRowsStopsBehindTheLast(t *testing.T) {
	t.Parallel()
	for last, isLast := range map[string]bool{
		"\xfe\x00\x00\x02\x00": true, "\xff\x15\x04#28000no": true, "\xfb": false, "\x00": false, "": true,
	} {
		stream := packets(0, "one", "two", last, "more")
		from := connOf(t, stream)
		to, written := sinkOf(t)
		to.seq = 9
		if _, err := from.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := from.Transport().Peek(len(stream)); err != nil {
			t.Fatal(err)
		}
		rows, size, err := from.PassRows(to)
		want, wantSize := packets(9, "one", "two"), int64(6)
		if !isLast {
			want, wantSize = packets(9, "one", "two", last, "more"), int64(10+len(last))
		}
		if got := written(); !bytes.Equal(got, want) || size != wantSize || err != nil {
			t.Errorf("%q: %d rows, %d bytes, %v: %q, want %q", last, rows, size, err, got, want)
		}
		if !isLast {
			continue
		}
		if p, err := from.Packet(100); err != nil || string(p.Body) != last {
			t.Errorf("behind the rows: %q, %v", p.Body, err)
		}
	}
}

func TestRowsDoNotAllocate(t *testing.T) {
	body := []byte("\x011\x0fann@example.com\xfb")
	rows := NewTextRows([]CellRewriter{nil, stars{}, stars{}})
	dst := make([]byte, 0, 1<<10)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := rows.Rewrite(dst, body); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per row", allocs)
	}
}
