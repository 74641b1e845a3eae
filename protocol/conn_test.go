package protocol

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sqlveil/protocol/loop"
)

// kinds are the connections that a Conn treats in different ways.
var kinds = map[string]func(t *testing.T) (net.Conn, net.Conn){
	"pipe": func(*testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	"tcp":  tcpPair,
	"unix": unixPair,
	"tls":  tlsPair,
}

func tcpPair(t *testing.T) (net.Conn, net.Conn) { return pairOver(t, "tcp", "127.0.0.1:0") }

func unixPair(t *testing.T) (net.Conn, net.Conn) {
	return pairOver(t, "unix", t.TempDir()+"/socket")
}

func pairOver(t *testing.T, network, address string) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

func tlsPair(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	ours, theirs := tcpPair(t)
	server, client := configs(t)
	s, c := tls.Server(ours, server), tls.Client(theirs, client)
	done := make(chan error, 1)
	go func() { done <- c.Handshake() }()
	if err := errors.Join(s.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// configs returns a server's TLS configuration and a client's that trusts it.
func configs(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"db.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
			NextProtos:   []string{"proto"},
		},
		&tls.Config{RootCAs: roots, ServerName: "db.example", NextProtos: []string{"proto"}}
}

func TestConnPeeksAndSkips(t *testing.T) {
	t.Parallel()
	for name, pair := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pair(t)
			c := NewConn(ours)
			go func() {
				theirs.Write([]byte("hello, "))
				theirs.Write([]byte("world"))
				theirs.Close()
			}()
			for _, want := range []string{"hello", ", wor"} {
				if b, err := c.Peek(5); string(b) != want || err != nil {
					t.Fatalf("got %q, %v, want %q", b, err, want)
				}
				c.Skip(5)
			}
			if _, err := c.Peek(3); err != io.ErrUnexpectedEOF {
				t.Errorf("beyond the end: %v", err)
			}
			c.Skip(2)
			if _, err := c.Peek(1); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
			if c.in != nil {
				t.Error("a buffer is kept with nothing in it")
			}
		})
	}
}

// TestConnHoldsNoBufferWhileItWaits looks at a Conn whose reader waits.
func TestConnHoldsNoBufferWhileItWaits(t *testing.T) {
	t.Parallel()
	for name, pair := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pair(t)
			c := NewConn(&watched{Conn: ours})
			if c.raw = rawConn(ours); c.raw != nil {
				return // tryRead returns its buffer: TestTryRead
			}
			held := make(chan bool, 2)
			c.conn.(*watched).before = func() { held <- c.in != nil }
			go theirs.Write([]byte("x"))
			if _, err := c.Peek(1); err != nil {
				t.Fatal(err)
			}
			if <-held {
				t.Error("a buffer is held before the first byte")
			}
		})
	}
}

// watched is a connection that tells before it reads.
type watched struct {
	net.Conn
	before func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.before()
	return w.Conn.Read(p)
}

func TestTryRead(t *testing.T) {
	t.Parallel()
	ours, theirs := tcpPair(t)
	c := NewConn(ours)
	try := func() (done bool) {
		if err := c.raw.Control(func(fd uintptr) { done = c.tryRead(fd) }); err != nil {
			t.Fatal(err)
		}
		return done
	}
	if try() || c.in != nil {
		t.Error("something was read from nothing, or a buffer kept")
	}
	if _, err := theirs.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if b, err := c.Peek(1); string(b) != "x" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	theirs.Close()
	c.Skip(1)
	if _, err := c.Peek(1); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

// TestConnReadsMuchAtOnce is about connections whose reader waits for one byte:
// in the middle of a message it must not.
func TestConnReadsMuchAtOnce(t *testing.T) {
	t.Parallel()
	for name, pair := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pair(t)
			c := NewConn(ours)
			go theirs.Write(make([]byte, 10*BufferSize))
			reads := 0
			for got := 0; got < 10*BufferSize; reads++ {
				if err := c.Fill(); err != nil {
					t.Fatal(err)
				}
				got += len(c.Buffered())
				c.Skip(len(c.Buffered()))
			}
			if reads > 200 {
				t.Errorf("%d reads", reads)
			}
		})
	}
}

func TestConnDeadlineAndClose(t *testing.T) {
	t.Parallel()
	for name, pair := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, _ := pair(t)
			c := NewConn(ours)
			if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after the deadline: %v", err)
			}
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() {
				_, err := c.Peek(1)
				done <- err
			}()
			time.Sleep(10 * time.Millisecond)
			c.Close()
			if err := <-done; err == nil {
				t.Error("a read survived Close")
			}
		})
	}
}

func TestConnFlushesBeforeItWaits(t *testing.T) {
	t.Parallel()
	for name, pair := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, inPeer := pair(t)
			out, outPeer := pair(t)
			r, w := NewConn(in), NewConn(out)
			r.FlushOnWait(w)
			done := make(chan error)
			go func() {
				if _, err := w.Write([]byte("question")); err != nil {
					done <- err
					return
				}
				_, err := r.Peek(6)
				done <- err
			}()
			got := make([]byte, 8)
			if _, err := io.ReadFull(outPeer, got); err != nil || string(got) != "question" {
				t.Fatalf("%q, %v", got, err)
			}
			if _, err := inPeer.Write([]byte("answer")); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if w.pend != nil {
				t.Error("a buffer is kept with nothing in it")
			}
		})
	}
}

func TestConnTellsWhichSideFailed(t *testing.T) {
	t.Parallel()
	in, _ := net.Pipe()
	out, _ := net.Pipe()
	r, w := NewConn(in), NewConn(out)
	r.FlushOnWait(w)
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	_, err := r.Peek(1)
	var flush *FlushError
	if !errors.As(err, &flush) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("the failure of a write does not stick")
	}
	if _, err := w.Reserve(1); err == nil {
		t.Error("the failure of a write does not stick")
	}
}

// TestConnWritesInOrder mixes all ways to write with all sizes around the limits.
func TestConnWritesInOrder(t *testing.T) {
	t.Parallel()
	ours, theirs := tcpPair(t)
	c := NewConn(ours)
	got := make(chan []byte)
	go func() {
		b, err := io.ReadAll(theirs)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	var want []byte
	sizes := []int{0, 1, straightSize - 1, straightSize, 3, BufferSize - 1, BufferSize, BufferSize + 1, 5, 3 * BufferSize, 2}
	for round := range 3 {
		for i, size := range sizes {
			p := bytes.Repeat([]byte{byte('a' + i)}, size)
			want = append(want, p...)
			if i%3 == round {
				pend, err := c.Reserve(size / (round + 1))
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Commit(append(pend, p...)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if n, err := c.Write(p); n != size || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if c.Pending() != 0 {
		t.Error("something is left after Flush")
	}
	c.Close()
	if b := <-got; !bytes.Equal(b, want) {
		t.Errorf("%d bytes arrived, want %d, or in another order", len(b), len(want))
	}
}

func TestConnWriteTimeout(t *testing.T) {
	t.Parallel()
	ours, _ := net.Pipe()
	c := NewConn(ours)
	c.WriteTimeout = 20 * time.Millisecond
	if _, err := c.Write([]byte("nobody reads this")); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A peer that took its time once may take what comes much later.
func TestWriteTimeoutIsOfOneWait(t *testing.T) {
	t.Parallel()
	one, reader := tcpPair(t)
	two, _ := tcpPair(t)
	c, other := NewConn(one), NewConn(two)
	c.WriteTimeout = 200 * time.Millisecond
	if err := one.(*net.TCPConn).SetWriteBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	many := make([]byte, 1<<20) // more than the socket takes at once
	done := make(chan error, 1)
	loop.Start(func(task *loop.Task) {
		defer c.Close()
		Leave(task, c, other)
		c.WriteBy(task)
		if _, err := c.Write(many); err != nil {
			done <- err
			return
		}
		task.Aside()
		time.Sleep(2 * c.WriteTimeout)
		_, err := c.Write([]byte("x"))
		done <- errors.Join(err, c.Flush())
	})
	got, err := io.Copy(io.Discard, reader)
	if got != int64(len(many))+1 || err != nil {
		t.Errorf("%d bytes arrived: %v", got, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConnRefusesPlaintextBeforeTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	c := NewConn(ours)
	go theirs.Write([]byte("SINJECTED"))
	if _, err := c.Peek(9); err != nil {
		t.Fatal(err)
	}
	c.Skip(1)
	server, client := configs(t)
	if err := c.StartTLSServer(t.Context(), server); err != ErrPlaintextAfterTLSRequest {
		t.Errorf("server: %v", err)
	}
	if err := c.StartTLSClient(t.Context(), client); err != ErrPlaintextAfterTLSRequest {
		t.Errorf("client: %v", err)
	}
}

func TestConnStartsTLS(t *testing.T) {
	t.Parallel()
	starts := map[string]func(*Conn, context.Context, *tls.Config) error{
		"asked for": (*Conn).StartTLSServer,
		"direct": func(c *Conn, ctx context.Context, config *tls.Config) error {
			if _, err := c.Peek(1); err != nil {
				return err
			}
			return c.StartDirectTLS(ctx, config)
		},
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serverConfig, clientConfig := configs(t)
			ours, theirs := tcpPair(t)
			server, client := NewConn(ours), NewConn(theirs)
			done := make(chan error, 1)
			go func() {
				if err := client.StartTLSClient(t.Context(), clientConfig); err != nil {
					done <- err
					return
				}
				_, err := client.Write([]byte(strings.Repeat("x", 100_000)))
				done <- errors.Join(err, client.Flush())
			}()
			if err := start(server, t.Context(), serverConfig); err != nil {
				t.Fatal(err)
			}
			for range 100_000 {
				if b, err := server.Peek(1); err != nil || b[0] != 'x' {
					t.Fatalf("%q, %v", b, err)
				}
				server.Skip(1)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if server.TLS() == nil || server.TLS().NegotiatedProtocol != "proto" || NewConn(ours).TLS() != nil {
				t.Error("TLS state")
			}
		})
	}
}

// TestConnCloseDuringHandshake is for the race detector: a session is ended by
// another goroutine than the one that starts TLS.
func TestConnCloseDuringHandshake(t *testing.T) {
	t.Parallel()
	server, _ := configs(t)
	ours, _ := tcpPair(t)
	c := NewConn(ours)
	done := make(chan error)
	go func() { done <- c.StartTLSServer(t.Context(), server) }()
	time.Sleep(time.Millisecond)
	c.Close()
	if <-done == nil {
		t.Error("a handshake survived Close")
	}
}

func TestConnSteadyStateDoesNotAllocate(t *testing.T) {
	ours, theirs := tcpPair(t)
	c := NewConn(ours)
	question, answer := []byte("question"), make([]byte, 8)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := theirs.Write(question); err != nil {
			t.Fatal(err)
		}
		b, err := c.Peek(8)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		c.Skip(8)
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(theirs, answer); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per exchange", allocs)
	}
}

// TestConnHoldsWhatItNeeds exchanges messages of several sizes and looks at the
// buffers that a Conn holds in the middle of each.
func TestConnHoldsWhatItNeeds(t *testing.T) {
	t.Parallel()
	for name, pair := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pair(t)
			c := NewConn(ours)
			for _, step := range []struct{ size, held int }{
				{100, smallSize},
				{smallSize * 3, BufferSize}, // in a second read
				{smallSize * 3, BufferSize}, // in the first, as the one before was long
				{100, BufferSize},
				{100, smallSize},
			} {
				exchange(t, c, theirs, step.size, step.held)
			}
		})
	}
}

// exchange sends a message of a size to c and the same back, and expects c to hold
// buffers of another.
func exchange(t *testing.T, c *Conn, theirs net.Conn, size, held int) {
	t.Helper()
	message := bytes.Repeat([]byte("m"), size)
	go theirs.Write(message)
	got, err := c.Peek(size)
	if err != nil || !bytes.Equal(got, message) {
		t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
	}
	for piece := range slices.Chunk(got, 1000) {
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if cap(c.in) != held || cap(c.pend) != held {
		t.Errorf("%d bytes: buffers of %d and %d, want %d", size, cap(c.in), cap(c.pend), held)
	}
	c.Skip(size)
	answer := make([]byte, size)
	done := make(chan error, 1)
	go func() { _, err := io.ReadFull(theirs, answer); done <- err }()
	if err := errors.Join(c.Flush(), <-done); err != nil || !bytes.Equal(answer, message) {
		t.Fatalf("%d bytes came back wrong: %v", size, err)
	}
}

func TestLargeBuffersComeBack(t *testing.T) {
	t.Parallel()
	b := append(BorrowLarge(), make([]byte, 3*BufferSize)...)
	ReturnLarge(b)
	if got := BorrowLarge(); len(got) != 0 || cap(got) <= BufferSize {
		t.Errorf("%d of %d bytes", len(got), cap(got))
	}
	ReturnLarge(make([]byte, 0, largestKept+1)) // dropped
}
