package protocol

import (
	"errors"
	"net"
	"testing"
)

// TestConnErrorsNameTheCall resets a connection and expects of both directions
// the error that package net gives: its callers tell by it which side failed.
func TestConnErrorsNameTheCall(t *testing.T) {
	peer, accepted := tcpPair(t)
	c := NewConn(accepted)
	defer c.Close()
	if err := peer.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	var failed *net.OpError
	if _, err := c.Peek(1); !errors.As(err, &failed) || failed.Op != "read" || failed.Addr == nil {
		t.Errorf("read: %#v", err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); !errors.As(err, &failed) || failed.Op != "write" || failed.Addr == nil {
		t.Errorf("write: %#v", err)
	}
}
