package protocol

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// A peer that left is noticed although nothing is read, what it sent last included.
func TestPeerLeft(t *testing.T) {
	for name, network := range map[string]string{"TCP": "tcp", "a unix socket": "unix"} {
		for _, last := range []string{"", "bytes that nobody reads"} {
			if network == "unix" && last != "" {
				continue // what is unread hides the end there
			}
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			peer, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			nc, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c := NewConn(nc)
			defer c.Close()
			if c.PeerLeft() {
				t.Errorf("%s, %q: left before it did", name, last)
			}
			if _, err := peer.Write([]byte(last)); err != nil {
				t.Fatal(err)
			}
			if err := peer.Close(); err != nil {
				t.Fatal(err)
			}
			left := false
			for range 500 {
				if left = c.PeerLeft(); left {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if !left {
				t.Errorf("%s, %q: not noticed", name, last)
			}
		}
	}
}

// Beneath TLS it is the socket that is asked.
func TestSocketBeneathTLS(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if got := socketOf(tls.Server(&wire{Conn: near}, nil)); got != near {
		t.Errorf("got %T", got)
	}
}
