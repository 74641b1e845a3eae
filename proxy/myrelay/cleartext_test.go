package myrelay

import (
	"bytes"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/session"
)

// A client with TLS answers sha256_password with the password itself, in its login
// when the greeting names that method. It does not go on to a server without TLS.
func TestSHA256PasswordIsNotExposed(t *testing.T) {
	certificate := certificate(t)
	for name, greeted := range map[string]string{"greeting": sha256Password, "switch": "mysql_native_password"} {
		var exposed atomic.Bool
		server := func(c *mywire.Conn) error {
			greeting := mywire.Greeting{Version: "8.4.0", ThreadID: 7, Challenge: challenge(), Capabilities: scriptedCapabilities, Collation: 255, Plugin: greeted}
			ask := mywire.AuthSwitch{Plugin: sha256Password, Challenge: challenge()}
			for next := greeting.Append(nil); ; next = ask.Append(nil) {
				answer, err := exchange(c, next)
				if err != nil {
					return err
				}
				if bytes.Contains(answer, []byte(proxytest.Password("dba"))) {
					exposed.Store(true)
				}
			}
		}
		r := newRig(t, func(relay *Relay) {
			relay.ClientTLSMod = session.TLSRequire
			relay.ClientTLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate}} }
			relay.Address = scripted(t, server)
		})
		_, err := r.dial("dba", func(c *driver.Config) { c.TLSConfig = "skip-verify" })
		var told *driver.MySQLError
		if !errors.As(err, &told) || told.Number != mywire.CodeSecureTransport {
			t.Errorf("%s: got %v", name, err)
		}
		if exposed.Load() {
			t.Errorf("%s: the password came in clear", name)
		}
	}
}
