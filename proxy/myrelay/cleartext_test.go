package myrelay

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/session"
)

// A client with TLS answers sha256_password with the password itself, in its login
// when the greeting names that method. It does not go on to a server without TLS.
func TestSHA256PasswordIsNotExposed(t *testing.T) {
	authority, err := proxytest.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Server("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, greeted := range map[string]string{"greeting": sha256Password, "switch": "mysql_native_password"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		var exposed atomic.Bool
		go func() {
			nc, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			defer nc.Close()
			c := mywire.NewConn(protocol.NewConn(nc))
			greeting := mywire.Greeting{Version: "8.4.0", ThreadID: 7, Challenge: challenge(), Capabilities: sha2Capabilities, Collation: 255, Plugin: greeted}
			ask := mywire.AuthSwitch{Plugin: sha256Password, Challenge: challenge()}
			for next := greeting.Append(nil); errors.Join(c.Write(next), c.Flush()) == nil; next = ask.Append(nil) {
				p, err := c.Packet(1 << 16)
				if err != nil {
					return // the proxy left
				}
				if bytes.Contains(p.Body, []byte(proxytest.Password("dba"))) {
					exposed.Store(true)
				}
			}
		}()
		r := newRig(t, func(relay *Relay) {
			relay.ClientTLSMod = session.TLSRequire
			relay.ClientTLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate}} }
			relay.Address = l.Addr().String()
		})
		_, err = r.dial("dba", func(c *driver.Config) { c.TLSConfig = "skip-verify" })
		var told *driver.MySQLError
		if !errors.As(err, &told) || told.Number != mywire.CodeSecureTransport {
			t.Errorf("%s: got %v", name, err)
		}
		if exposed.Load() {
			t.Errorf("%s: the password came in clear", name)
		}
	}
}
