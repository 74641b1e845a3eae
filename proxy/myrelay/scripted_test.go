package myrelay

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// scripted plays a server until the test ends: script has each connection, and what it
// returns is logged, as the proxy may leave at any time. It returns the address.
func scripted(t *testing.T, script func(*mywire.Conn) error) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		socket.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			nc, err := socket.Accept()
			if err != nil {
				return // closed
			}
			wg.Go(func() {
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(20 * time.Second)) // fails only on a closed connection
				if err := script(mywire.NewConn(protocol.NewConn(nc))); err != nil && !errors.Is(err, io.EOF) {
					t.Logf("server: %v", err)
				}
			})
		}
	})
	return socket.Addr().String()
}

// scriptedCapabilities are those of a server that is played.
const scriptedCapabilities = mywire.CapMySQL | mywire.CapProtocol41 | mywire.CapSecureConnection | mywire.CapPluginAuth |
	mywire.CapTransactions | mywire.CapConnectWithDB | mywire.CapLenencAuth | mywire.CapMultiStatements | mywire.CapMultiResults

// challenge returns 20 random bytes without a zero.
func challenge() []byte {
	b := make([]byte, 20)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = b[i]&0x7f | 1
	}
	return b
}

// exchange sends a packet and returns a copy of the next one.
func exchange(c *mywire.Conn, body []byte) ([]byte, error) {
	if err := errors.Join(c.Write(body), c.Flush()); err != nil {
		return nil, err
	}
	p, err := c.Packet(1 << 16)
	return bytes.Clone(p.Body), err
}

// deny ends a login.
func deny(c *mywire.Conn) error {
	e := mywire.Error{Code: mywire.CodeAccessDenied, State: "28000", Message: "Access denied"}
	return errors.Join(c.Write(e.Append(nil)), c.Flush())
}

// answerOK answers the login and every command with an OK until the client leaves.
func answerOK(c *mywire.Conn) error {
	for {
		if err := errors.Join(c.Write([]byte{0, 0, 0, 2, 0, 0, 0}), c.Flush()); err != nil {
			return err
		}
		c.Restart()
		if _, err := c.Packet(1 << 16); err != nil {
			return err
		}
	}
}

// certificate makes one for 127.0.0.1.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	authority, err := proxytest.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Server("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
