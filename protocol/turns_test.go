package protocol

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"sqlveil/protocol/loop"
)

// A bridge is a session of which nothing is left but its two pumps: what comes from
// either side goes to the other.
type bridge struct {
	client, server *Conn
	ended          chan struct{} // closed when both pumps have returned
	up, down       error         // why they did; good once ended is closed
}

// build leaves both connections to a loop and lets the pumps run.
func build(t *testing.T, client, server *Conn) *bridge {
	t.Helper()
	b := &bridge{client: client, server: server, ended: make(chan struct{})}
	client.FlushOnWait(server)
	server.FlushOnWait(client)
	var pumps sync.WaitGroup
	pumps.Add(2)
	left := make(chan bool, 1)
	loop.Start(func(up *loop.Task) {
		Leave(up, client, server)
		left <- client.sock != nil && server.sock != nil
		client.ReadBy(up)
		server.WriteBy(up)
		up.Start(func(down *loop.Task) {
			defer pumps.Done()
			server.ReadBy(down)
			client.WriteBy(down)
			b.down = b.pump(server, client)
		})
		defer pumps.Done()
		b.up = b.pump(client, server)
	})
	if !<-left {
		t.Fatal("not left to a loop")
	}
	go func() {
		pumps.Wait()
		close(b.ended)
	}()
	t.Cleanup(func() {
		b.close()
		<-b.ended
	})
	return b
}

func (b *bridge) close() {
	b.client.Close()
	b.server.Close()
}

// pump copies until one side ends, which is the end of both.
func (b *bridge) pump(from, to *Conn) error {
	defer b.close()
	for {
		if _, err := from.Peek(1); err != nil {
			return errors.Join(err, to.Flush())
		}
		p := from.Buffered()
		if _, err := to.Write(p); err != nil {
			return err
		}
		from.Skip(len(p))
	}
}

// ciphers are what a leg may speak; nil is no TLS.
var ciphers = map[string]func(*tls.Config){
	"plain":   nil,
	"TLS 1.3": func(*tls.Config) {},
	"TLS 1.2": func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
	"TLS 1.2 with CBC": func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	},
}

// leg returns a connection of ours and whom it speaks to; we are the server, unless we
// dial.
func leg(t *testing.T, speak func(*tls.Config), dials bool) (*Conn, net.Conn) {
	t.Helper()
	nc, theirs := tcpPair(t)
	ours := NewConn(nc)
	if speak == nil {
		return ours, theirs
	}
	server, client := configs(t)
	speak(client)
	speak(server)
	start, peer := ours.StartTLSServer, func() *tls.Conn { return tls.Client(theirs, client) }
	config := server
	if dials {
		start, peer = ours.StartTLSClient, func() *tls.Conn { return tls.Server(theirs, server) }
		config = client
	}
	p := peer()
	done := make(chan error, 1)
	go func() { done <- p.Handshake() }()
	if err := errors.Join(start(t.Context(), config), <-done); err != nil {
		t.Fatal(err)
	}
	return ours, p
}

// What goes through a session both ways at once arrives whole and in order, whatever
// pieces it comes in, however slowly it is read and whoever encrypts it.
func TestBridge(t *testing.T) {
	t.Parallel()
	for near, clientSpeaks := range ciphers {
		for far, serverSpeaks := range ciphers {
			t.Run(near+", "+far, func(t *testing.T) {
				t.Parallel()
				client, theirClient := leg(t, clientSpeaks, false)
				server, theirServer := leg(t, serverSpeaks, true)
				b := build(t, client, server)
				const size = 1 << 20
				var done sync.WaitGroup
				for i, way := range [][2]net.Conn{{theirClient, theirServer}, {theirServer, theirClient}} {
					random := rand.New(rand.NewPCG(uint64(i), 1))
					sent := make([]byte, size)
					for j := range sent {
						sent[j] = byte(random.Uint32())
					}
					done.Go(func() { sendInPieces(t, way[0], sent, random) })
					done.Go(func() {
						got := make([]byte, size)
						if err := readSlowly(way[1], got, rand.New(rand.NewPCG(uint64(i), 2))); err != nil || !bytes.Equal(got, sent) {
							t.Errorf("not what was sent: %v", err)
						}
					})
				}
				done.Wait()
				theirClient.Close()
				<-b.ended
				if !errors.Is(b.up, io.EOF) {
					t.Errorf("the client's goodbye is %v", b.up)
				}
				if n, err := theirServer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("the server reads %d bytes more, %v", n, err)
				}
			})
		}
	}
}

func sendInPieces(t *testing.T, to io.Writer, p []byte, random *rand.Rand) {
	for len(p) > 0 {
		n := min(len(p), 1+random.IntN(1<<uint(random.IntN(17))))
		if _, err := to.Write(p[:n]); err != nil {
			t.Error(err)
			return
		}
		p = p[n:]
	}
}

func readSlowly(from io.Reader, p []byte, random *rand.Rand) error {
	for n := 0; n < len(p); {
		if random.IntN(20) == 0 {
			time.Sleep(time.Millisecond)
		}
		m, err := from.Read(p[n:min(len(p), n+1+random.IntN(1<<16))])
		if err != nil {
			return err
		}
		n += m
	}
	return nil
}

// secured is a session whose client speaks TLS through a tlsPeer and whose server
// speaks none.
func secured(t *testing.T) (b *bridge, client *tlsPeer, server net.Conn) {
	t.Helper()
	config, trusting := configs(t)
	config.SessionTicketsDisabled = true
	nc, theirs := tcpPair(t)
	ours := NewConn(nc)
	done := make(chan error, 1)
	go func() { done <- ours.StartTLSServer(t.Context(), config) }()
	client = shakeHands(t, theirs, trusting)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	other, server := leg(t, nil, true)
	return build(t, ours, other), client, server
}

// until waits for something that happens elsewhere.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// kept is how much the client's socket has not taken.
func (b *bridge) kept() int {
	b.client.wire.mu.Lock()
	defer b.client.wire.mu.Unlock()
	return len(b.client.wire.kept)
}

// stuck waits until the client's socket takes nothing more for a while.
func (b *bridge) stuck(t *testing.T) {
	t.Helper()
	seen := 0
	until(t, "the client's socket is full", func() bool {
		if seen++; b.kept() == 0 {
			seen = 0
		}
		return seen == 20
	})
}

// A client that asks for new keys while it reads nothing holds up neither direction:
// what it sends arrives while what it is sent waits for room, and it finds the answers
// between two records once it reads on.
func TestKeysChangeUnderPressure(t *testing.T) {
	t.Parallel()
	b, client, server := secured(t)
	large := bytes.Repeat([]byte("a result that is not read "), 1<<20)
	sent := make(chan error, 1)
	go func() {
		_, err := server.Write(large)
		sent <- err
	}()
	b.stuck(t)

	const updates = 100
	for i := range updates {
		word := fmt.Sprintf("word %3d", i)
		if _, err := client.Write(append(client.askForKeys(), client.seal(recordData, []byte(word)...)...)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(word))
		if _, err := io.ReadFull(server, got); err != nil || string(got) != word {
			t.Fatalf("the server reads %q, %v, want %q", got, err, word)
		}
	}
	for rest := large; len(rest) > 0; {
		got, err := client.data()
		if err != nil || !bytes.HasPrefix(rest, got) {
			t.Fatalf("%d bytes before the end: %d bytes that are not next, %v", len(rest), len(got), err)
		}
		rest = rest[len(got):]
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if client.updates != updates {
		t.Errorf("%d answers to %d KeyUpdates", client.updates, updates)
	}
}

// The answers to KeyUpdates that nobody reads take no more than a buffer, and then the
// session ends.
func TestKeysFlood(t *testing.T) {
	t.Parallel()
	b, client, server := secured(t)
	go io.Copy(io.Discard, server)
	go server.Write(make([]byte, 64<<20))
	b.stuck(t)
	for err := error(nil); err == nil; {
		if kept := b.kept(); kept > sealedSize {
			t.Fatalf("%d bytes kept", kept)
		}
		_, err = client.Write(append(client.askForKeys(), client.seal(recordData, 'x')...))
	}
	select {
	case <-b.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the session goes on")
	}
}

// A client that asks for one key after the other and says nothing is told that this
// is enough.
func TestKeysIdle(t *testing.T) {
	t.Parallel()
	b, client, _ := secured(t)
	for range 100 {
		if _, err := client.Write(client.askForKeys()); err != nil {
			break // it has been closed already
		}
	}
	select {
	case <-b.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the session goes on")
	}
	if b.up == nil || errors.Is(b.up, io.EOF) {
		t.Errorf("ended by %v", b.up)
	}
}

// What crypto/tls says by itself goes out though nobody writes.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		send func(*tlsPeer) []byte
		kind byte
		want string
	}{
		"to a KeyUpdate":       {(*tlsPeer).askForKeys, recordHandshake, string([]byte{keyUpdate, 0, 0, 1, 0})},
		"to a type unheard of": {func(p *tlsPeer) []byte { return p.seal(99, 'x') }, recordAlert, "\x02\x0a"}, // unexpected_message
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client, _ := secured(t)
			if _, err := client.Write(tt.send(client)); err != nil {
				t.Fatal(err)
			}
			if kind, body, err := client.record(); kind != tt.kind || string(body) != tt.want || err != nil {
				t.Errorf("a record of type %d, %x, %v, want %d, %x", kind, body, err, tt.kind, tt.want)
			}
		})
	}
}

// What crypto/tls has read arrives though the socket is silent by then.
func TestDecryptedAlready(t *testing.T) {
	t.Parallel()
	_, client, server := secured(t)
	body := bytes.Repeat([]byte("a long record "), 1000) // more than a buffer takes that an idle connection borrows
	var stream []byte
	for range 3 {
		stream = append(stream, client.seal(recordData, body...)...)
	}
	if _, err := client.Write(stream); err != nil {
		t.Fatal(err)
	}
	if err := server.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3*len(body))
	if _, err := io.ReadFull(server, got); err != nil || !bytes.Equal(got, bytes.Repeat(body, 3)) {
		t.Errorf("not what was sent: %v", err)
	}
}

// What comes in parts, a KeyUpdate over two records included, means what it means as a
// whole.
func TestRecordsInParts(t *testing.T) {
	t.Parallel()
	_, client, server := secured(t)
	stream := client.seal(recordData, []byte("one, ")...)
	stream = append(stream, client.seal(recordHandshake, keyUpdate, 0)...)
	stream = append(stream, client.seal(recordHandshake, 0, 1, 1)...)
	client.out.update()
	stream = append(stream, client.seal(recordData, []byte("two")...)...)
	for _, b := range stream {
		if _, err := client.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond) // so that most of them are read alone
	}
	got := make([]byte, len("one, two"))
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "one, two" {
		t.Errorf("the server reads %q, %v", got, err)
	}
	if _, err := server.Write([]byte("three")); err != nil {
		t.Fatal(err)
	}
	if got, err := client.data(); string(got) != "three" || client.updates != 1 {
		t.Errorf("the client reads %q, %v, after %d new keys", got, err, client.updates)
	}
}

// A client that leaves in the middle of a record has not said it, and one that sends
// what it has not sealed is not believed.
func TestRecordsBroken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		send func(*tlsPeer) []byte
		want func(error) bool
	}{
		"header cut": {
			func(p *tlsPeer) []byte { return p.seal(recordData, []byte("half")...)[:3] },
			func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		},
		"body cut": {
			func(p *tlsPeer) []byte { return p.seal(recordData, []byte("half")...)[:12] },
			func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		},
		"between two records": {
			func(*tlsPeer) []byte { return nil },
			func(err error) bool { return errors.Is(err, io.EOF) },
		},
		"goodbye": {
			func(p *tlsPeer) []byte { return p.seal(recordAlert, 1, 0) },
			func(err error) bool { return errors.Is(err, io.EOF) },
		},
		"changed": {
			func(p *tlsPeer) []byte {
				record := p.seal(recordData, []byte("whole")...)
				record[7] ^= 1
				return record
			},
			isAlert("bad record MAC"),
		},
		"too long": {
			func(*tlsPeer) []byte { return []byte{recordData, 3, 3, 0xff, 0xff} },
			func(err error) bool { return err != nil && !errors.Is(err, io.EOF) },
		},
		"the peer's alert": {
			func(p *tlsPeer) []byte { return p.seal(recordAlert, 2, 80) },
			isAlert("internal error"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, client, server := secured(t)
			if _, err := client.Write(append(client.seal(recordData, 'x'), tt.send(client)...)); err != nil {
				t.Fatal(err)
			}
			if err := client.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			<-b.ended
			if !tt.want(b.up) {
				t.Errorf("the session ends with %v", b.up)
			}
			if got, err := io.ReadAll(server); err != nil || string(got) != "x" {
				t.Errorf("the server has read %q, %v", got, err)
			}
		})
	}
}

// isAlert says whether an error is an alert of that text.
func isAlert(text string) func(error) bool {
	return func(err error) bool {
		var op *net.OpError
		return errors.As(err, &op) && op.Err.Error() == "tls: "+text
	}
}

// A session that is closed goes on, whatever its tasks wait for, and says goodbye where
// there is room for it.
func TestBridgeClosed(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]bool{"nothing to read": false, "no room to write": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, client, server := secured(t)
			if full {
				go server.Write(make([]byte, 64<<20))
				b.stuck(t)
			}
			b.close()
			<-b.ended
			if !errors.Is(b.up, net.ErrClosed) || !errors.Is(b.down, net.ErrClosed) {
				t.Errorf("ended by %v and %v", b.up, b.down)
			}
			if full {
				return
			}
			if _, err := client.data(); err != io.EOF {
				t.Errorf("the client reads %v in the place of a goodbye", err)
			}
		})
	}
}

// A read deadline ends the wait for input alone.
func TestBridgeDeadline(t *testing.T) {
	t.Parallel()
	for name, speak := range ciphers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := leg(t, speak, false)
			server, _ := leg(t, speak, true)
			b := build(t, client, server)
			if err := client.SetReadDeadline(time.Now()); err != nil {
				t.Fatal(err)
			}
			<-b.ended
			if !errors.Is(b.up, os.ErrDeadlineExceeded) {
				t.Errorf("got %v", b.up)
			}
		})
	}
}

// A peer that takes nothing for WriteTimeout is given up, one that takes what it is
// sent in the end may then be silent for longer.
func TestBridgeWriteTimeout(t *testing.T) {
	t.Parallel()
	for name, speak := range ciphers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, theirClient := leg(t, speak, false)
			server, theirServer := leg(t, speak, true)
			const patience = 300 * time.Millisecond
			client.WriteTimeout = patience
			b := build(t, client, server)

			got := make([]byte, 16<<20)
			go theirServer.Write(make([]byte, len(got)))
			if err := readSlowly(theirClient, got, rand.New(rand.NewPCG(1, 1))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * patience)
			go theirServer.Write([]byte("!"))
			if _, err := io.ReadFull(theirClient, got[:1]); err != nil || got[0] != '!' {
				t.Fatalf("after a rest: %q, %v", got[:1], err)
			}

			go theirServer.Write(make([]byte, 64<<20))
			<-b.ended
			if !errors.Is(b.down, os.ErrDeadlineExceeded) {
				t.Errorf("given up for %v", b.down)
			}
		})
	}
}

// A connection is closed beside its way to the loop. It is for the race detector.
func TestCloseWhileLeft(t *testing.T) {
	t.Parallel()
	for range 20 {
		client, _ := leg(t, ciphers["TLS 1.3"], false)
		server, _ := leg(t, nil, true)
		ctx, stop := context.WithCancel(t.Context())
		context.AfterFunc(ctx, func() { client.Close() })
		done := make(chan error, 1)
		loop.Start(func(task *loop.Task) {
			go stop()
			Leave(task, client, server)
			client.ReadBy(task)
			context.AfterFunc(ctx, func() { client.Close() }) // as what came before may have found another connection
			_, err := client.Peek(1)
			done <- errors.Join(err, server.Close())
		})
		if err := <-done; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	}
}
