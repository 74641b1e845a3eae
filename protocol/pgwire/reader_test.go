package pgwire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"sqlveil/protocol"
)

// connOf returns a connection at which the given pieces arrive one by one.
func connOf(t testing.TB, pieces ...[]byte) *protocol.Conn {
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
	return protocol.NewConn(ours)
}

// sinkOf returns a connection and a function that closes it and returns what
// was written to it.
func sinkOf(t testing.TB) (*protocol.Conn, func() []byte) {
	t.Helper()
	ours, theirs := net.Pipe()
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(theirs) // a pipe only ends by being closed
		got <- b
	}()
	c := protocol.NewConn(ours)
	return c, func() []byte {
		if err := c.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		c.Close()
		return <-got
	}
}

// message returns one encoded message.
func message(letter byte, body string) []byte {
	b := append([]byte{letter}, 0, 0, 0, 0)
	protocol.PutUint32(b[1:], uint32(len(body)+lengthSize))
	return append(b, body...)
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

func TestReaderSplitAnywhere(t *testing.T) {
	t.Parallel()
	var stream []byte
	want := []Frame{{'Q', []byte("select 1\x00")}, {'S', nil}, {'X', nil}, {'d', []byte("abc")}}
	for _, f := range want {
		stream = append(stream, message(f.Type, string(f.Body))...)
	}
	everySplit(stream, func(pieces ...[]byte) {
		r := NewReader(connOf(t, pieces...))
		for _, w := range want {
			f, err := r.Frame(100)
			if err != nil || f.Type != w.Type || !bytes.Equal(f.Body, w.Body) {
				t.Fatalf("got %q %q %v, want %q %q", f.Type, f.Body, err, w.Type, w.Body)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestReaderRefusesLengths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		header string
		want   error
	}{
		{"D\x00\x00\x00\x00", protocol.ErrMalformed},
		{"D\x00\x00\x00\x03", protocol.ErrMalformed},
		{"D\x7f\xff\xff\xff", protocol.ErrTooLarge},
		{"D\x80\x00\x00\x00", protocol.ErrTooLarge},
		{"D\xff\xff\xff\xff", protocol.ErrTooLarge},
		{"D\x00\x00", io.ErrUnexpectedEOF},
		{"", io.EOF},
	}
	for _, tt := range tests {
		_, err := NewReader(connOf(t, []byte(tt.header))).Next()
		if !errors.Is(err, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.header, err, tt.want)
		}
	}
}

func TestReaderBodyLimit(t *testing.T) {
	t.Parallel()
	r := NewReader(connOf(t, message('D', "0123456789"), message('Z', "I")))
	if _, err := r.Frame(9); !errors.Is(err, protocol.ErrTooLarge) {
		t.Fatalf("10 bytes with limit 9: %v", err)
	}
	if f, err := r.Frame(9); err != nil || f.Type != 'Z' {
		t.Fatalf("after a refused body: %q, %v", f.Type, err)
	}
}

func TestReaderCutOffBody(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 3*protocol.BufferSize)
	for _, body := range []string{"hello", large} {
		m := message('D', body)
		r := NewReader(connOf(t, m[:len(m)-1]))
		if _, err := r.Frame(len(body)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", len(m)-1, len(m), err)
		}
	}
}

// TestReaderWays passes the same messages on in every way there is; sizes are
// around the size of the buffer.
func TestReaderWays(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*Reader, *Writer) error{
		"CopyTo": func(r *Reader, w *Writer) error { return r.CopyTo(w) },
		"PassRun": func(r *Reader, w *Writer) error {
			_, _, err := r.PassRun(w)
			return err
		},
		"Body and CopyTo": func(r *Reader, w *Writer) error {
			if _, err := r.Body(1 << 20); err != nil {
				return err
			}
			return r.CopyTo(w)
		},
		"Body and Pass": func(r *Reader, w *Writer) error {
			body, err := r.Body(1 << 20)
			if err != nil {
				return err
			}
			return w.Pass(Frame{'d', body})
		},
		"Begin and End": func(r *Reader, w *Writer) error {
			body, err := r.Body(1 << 20)
			if err != nil {
				return err
			}
			dst, err := w.Begin('d', 10)
			if err != nil {
				return err
			}
			return w.End(append(dst, body...))
		},
	}
	var stream []byte
	for _, size := range []int{0, 1, 32763, 32764, 5, 32767, 32768, 32769, 7, 100_000, 3} {
		stream = append(stream, message('d', strings.Repeat("x", size))...)
	}
	for name, pass := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := connOf(t, stream[:40_000], stream[40_000:])
			out, written := sinkOf(t)
			in.FlushOnWait(out)
			r, w := NewReader(in), NewWriter(out)
			for {
				if _, err := r.Next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if err := pass(r, w); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(written(), stream) {
				t.Error("the stream was changed")
			}
		})
	}
}

func TestPassRunCounts(t *testing.T) {
	t.Parallel()
	stream := bytes.Join([][]byte{
		message('D', "one"), message('D', "three"), message('D', ""), message('C', "SELECT 3\x00"), message('D', "x"),
	}, nil)
	out, written := sinkOf(t)
	r, w := NewReader(connOf(t, stream[:1], stream[1:])), NewWriter(out)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	count, size, err := r.PassRun(w)
	if count != 3 || size != 8 || err != nil {
		t.Errorf("got %d rows, %d bytes, %v; want 3, 8", count, size, err)
	}
	if h, err := r.Next(); h.Type != 'C' || err != nil {
		t.Errorf("after the run: %q, %v", h.Type, err)
	}
	if got := written(); !bytes.Equal(got, stream[:23]) {
		t.Errorf("passed %q", got)
	}
}

func TestReaderReady(t *testing.T) {
	t.Parallel()
	whole := append(message('Q', "a\x00"), message('S', "")...)
	r := NewReader(connOf(t, whole[:1], whole[1:], message('Q', "bc\x00")[:6]))
	if r.Ready() {
		t.Error("ready with nothing read")
	}
	if _, err := r.Frame(10); err != nil {
		t.Fatal(err)
	}
	if !r.Ready() {
		t.Error("not ready with a message in the buffer")
	}
	if _, err := r.Frame(10); err != nil {
		t.Fatal(err)
	}
	if r.Ready() {
		t.Error("ready at the end of the buffer")
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if r.Ready() {
		t.Error("ready within a message cut off")
	}
}

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// endless is a connection on which the same bytes come again and again.
type endless struct {
	net.Conn
	stream []byte
	at     int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.stream[e.at:])
	e.at = (e.at + n) % len(e.stream)
	return n, nil
}

// TestAnnouncedSizesAreNotBelieved has messages announce a gigabyte and send
// next to nothing.
func TestAnnouncedSizesAreNotBelieved(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		r := NewReader(connOf(t, []byte("D\x3f\x00\x00\x00only this")))
		if _, err := r.Frame(MaxBody); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 100*4*protocol.BufferSize {
		t.Errorf("%d bytes allocated", used)
	}
}

// TestLargeMessagesStreamThrough passes a message of 100 MB on. Under the race
// detector the pool of buffers forgets some, so the bound is a generous one.
func TestLargeMessagesStreamThrough(t *testing.T) {
	const size = 100 << 20
	header := protocol.AppendUint32([]byte{'d'}, size+lengthSize)
	in := protocol.NewConn(&endless{stream: append(header, make([]byte, size)...)})
	out := protocol.NewConn(discard{})
	r, w := NewReader(in), NewWriter(out)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 3 {
		if h, err := r.Next(); err != nil || h.Size != size {
			t.Fatal(h, err)
		}
		if err := r.CopyTo(w); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 3*size/2 {
		t.Errorf("%d bytes allocated for 3 messages of %d", used, size)
	}
}
