package mywiretest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
)

// Patience is how long a Peer waits for a packet before the test fails.
const Patience = 10 * time.Second

// maxBody is the largest body that a Peer takes.
const maxBody = 64 << 20

// A Peer is one end of a conversation.
type Peer struct {
	t        testing.TB
	notation *Notation
	conn     *mywire.Conn
}

// NewPeer returns a Peer that talks over nc and is closed when the test ends.
func NewPeer(t testing.TB, n *Notation, nc net.Conn) *Peer {
	t.Helper()
	p := &Peer{t: t, notation: n, conn: mywire.NewConn(protocol.NewConn(nc))}
	t.Cleanup(p.Close)
	return p
}

// Pipe returns a Peer and the connection that it talks to.
func Pipe(t testing.TB, n *Notation) (*Peer, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	return NewPeer(t, n, ours), theirs
}

// Conn returns the Peer's connection, for TLS and the like.
func (p *Peer) Conn() *mywire.Conn { return p.conn }

// Close ends the conversation without a goodbye.
func (p *Peer) Close() { p.conn.Transport().Close() }

// Send sends the packets in one piece. A command begins to count anew.
func (p *Peer) Send(lines ...string) {
	p.t.Helper()
	for _, line := range lines {
		body := p.encode(line)
		if IsCommand(line) {
			p.conn.Restart()
		}
		if err := p.conn.Write(body); err != nil {
			p.t.Fatalf("send %s: %v", line, err)
		}
	}
	if err := p.conn.Flush(); err != nil {
		p.t.Fatalf("send %v: %v", lines, err)
	}
}

// Expect waits for the packets and fails the test when others come.
func (p *Peer) Expect(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		body := p.encode(want)
		if IsCommand(want) {
			p.conn.Restart()
		}
		if got := p.Next(); !bytes.Equal(got, body) {
			p.t.Fatalf("got  %q\nwant %q\nthat is %s", got, body, want)
		}
	}
}

func (p *Peer) encode(line string) []byte {
	p.t.Helper()
	body, err := p.notation.Encode(line)
	if err != nil {
		p.t.Fatal(err)
	}
	return body
}

// Next waits for a packet and returns its body, nil when the other end has left.
func (p *Peer) Next() []byte {
	p.t.Helper()
	err := p.conn.Transport().SetReadDeadline(time.Now().Add(Patience))
	if err != nil && !errors.Is(err, io.ErrClosedPipe) { // a pipe that the other end closed is for the read to tell
		p.t.Fatal(err)
	}
	packet, err := p.conn.Packet(maxBody)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		p.t.Fatalf("next packet: %v", err)
	}
	return append([]byte{}, packet.Body...)
}

// ExpectEnd waits for the other end to leave.
func (p *Peer) ExpectEnd() {
	p.t.Helper()
	if got := p.Next(); got != nil {
		p.t.Fatalf("got  %q\nwant the end", got)
	}
}
