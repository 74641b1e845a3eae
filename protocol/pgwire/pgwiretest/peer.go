package pgwiretest

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
)

// Patience is how long a Peer waits for a message before the test fails.
const Patience = 10 * time.Second

// maxBody is the largest body that a Peer takes.
const maxBody = 64 << 20

// A Peer is one end of a conversation: what it sends is of its side, what it
// expects of the other.
type Peer struct {
	t        testing.TB
	side     Side
	notation *Notation
	conn     *protocol.Conn
	reader   *pgwire.Reader
}

// NewPeer returns a Peer that plays side over nc and is closed when the test ends.
func NewPeer(t testing.TB, side Side, n *Notation, nc net.Conn) *Peer {
	t.Helper()
	conn := protocol.NewConn(nc)
	t.Cleanup(func() { conn.Close() })
	return &Peer{t: t, side: side, notation: n, conn: conn, reader: pgwire.NewReader(conn)}
}

// Pipe returns a Peer and the connection that it talks to.
func Pipe(t testing.TB, side Side, n *Notation) (*Peer, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	return NewPeer(t, side, n, ours), theirs
}

// Conn returns the Peer's connection, for TLS and the like.
func (p *Peer) Conn() *protocol.Conn { return p.conn }

// Close ends the conversation without a goodbye.
func (p *Peer) Close() { p.conn.Close() }

// Send sends the messages in one piece. A pipe makes it wait until the other end
// has read all of it.
func (p *Peer) Send(lines ...string) {
	p.t.Helper()
	for _, line := range lines {
		message, err := p.notation.Encode(p.side, line)
		if err != nil {
			p.t.Fatal(err)
		}
		if _, err := p.conn.Write(message); err != nil {
			p.t.Fatalf("send %s: %v", line, err)
		}
	}
	if err := p.conn.Flush(); err != nil {
		p.t.Fatalf("send %v: %v", lines, err)
	}
}

// Expect waits for the messages and fails the test when others come.
func (p *Peer) Expect(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		if got := p.Next(); got != want {
			p.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// ExpectStartup waits for a packet without letter.
func (p *Peer) ExpectStartup(want string) *pgwire.Startup {
	p.t.Helper()
	p.hurry()
	s, err := p.reader.Startup()
	if err != nil {
		p.t.Fatalf("got %v, want %s", err, want)
	}
	if got := p.notation.DecodeStartup(s); got != want {
		p.t.Fatalf("got  %s\nwant %s", got, want)
	}
	return s
}

// ExpectByte waits for a single byte, the answer to an SSLRequest.
func (p *Peer) ExpectByte(want byte) {
	p.t.Helper()
	p.hurry()
	b, err := p.conn.Peek(1)
	if err != nil || b[0] != want {
		p.t.Fatalf("got %q, %v, want %q", b, err, want)
	}
	p.conn.Skip(1)
}

// ExpectEnd waits for the other end to leave.
func (p *Peer) ExpectEnd() {
	p.t.Helper()
	if got := p.Next(); got != End {
		p.t.Fatalf("got  %s\nwant the end", got)
	}
}

// End is what Next returns when the other end has left.
const End = "(end)"

// Next waits for a message and returns its line.
func (p *Peer) Next() string {
	p.t.Helper()
	p.hurry()
	f, err := p.reader.Frame(maxBody)
	if errors.Is(err, io.EOF) {
		return End
	}
	if err != nil {
		p.t.Fatalf("next message: %v", err)
	}
	return p.notation.Decode(1-p.side, f)
}

// hurry bounds the wait for what comes next.
func (p *Peer) hurry() {
	p.t.Helper()
	err := p.conn.SetReadDeadline(time.Now().Add(Patience))
	if err != nil && !errors.Is(err, io.ErrClosedPipe) { // a pipe that the other end closed is for the read to tell
		p.t.Fatal(err)
	}
}
