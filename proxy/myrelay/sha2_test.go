package myrelay

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/session"
)

// A sha2Server lets users in by caching_sha2_password as the specification has it,
// and answers every command with an OK.
type sha2Server struct {
	t           *testing.T
	certificate *tls.Certificate // nil: it offers no TLS
	switches    bool             // greets with another method
	cached      bool             // it knows the hashes of passwords
	key         *rsa.PrivateKey

	mu    sync.Mutex
	clear bool // a password came in clear without TLS; guarded by mu
}

func (s *sha2Server) serve(c *mywire.Conn) error {
	nonce := challenge()
	greeting := mywire.Greeting{Version: "8.4.0", ThreadID: 7, Challenge: nonce, Capabilities: scriptedCapabilities, Collation: 255, Plugin: cachingSHA2}
	if s.switches {
		greeting.Plugin = "mysql_native_password"
	}
	if s.certificate != nil {
		greeting.Capabilities |= mywire.CapSSL
	}
	login, err := s.login(c, &greeting)
	if err != nil {
		return err
	}
	response := login.Response
	if s.switches {
		nonce = challenge()
		ask := mywire.AuthSwitch{Plugin: cachingSHA2, Challenge: nonce}
		if response, err = exchange(c, ask.Append(nil)); err != nil {
			return err
		}
	}
	password := []byte(proxytest.Password(string(login.User)))
	in := false
	switch {
	case !s.cached:
		in, err = s.full(c, nonce, password)
	case bytes.Equal(response, scramble(password, nonce)):
		in, err = true, c.Write(mywire.AppendAuthMore(nil, []byte{fastAuthOK}))
	}
	if err != nil {
		return err
	}
	if !in {
		return deny(c)
	}
	return answerOK(c)
}

// login greets and reads the client's login, behind TLS where it asks for that.
func (s *sha2Server) login(c *mywire.Conn, greeting *mywire.Greeting) (*mywire.Login, error) {
	body, err := exchange(c, greeting.Append(nil))
	if err != nil {
		return nil, err
	}
	if mywire.IsSSLRequest(body) {
		if err := errors.Join(c.Discard(), c.Transport().StartDirectTLS(s.t.Context(), &tls.Config{Certificates: []tls.Certificate{*s.certificate}})); err != nil {
			return nil, err
		}
		p, err := c.Packet(1 << 16)
		if err != nil {
			return nil, err
		}
		body = p.Body
	}
	return mywire.DecodeLogin(bytes.Clone(body))
}

// full asks for the password itself.
func (s *sha2Server) full(c *mywire.Conn, nonce, password []byte) (bool, error) {
	answer, err := exchange(c, mywire.AppendAuthMore(nil, []byte{fullAuth}))
	if err != nil {
		return false, err
	}
	want := append(bytes.Clone(password), 0)
	if c.Transport().TLS() != nil {
		return bytes.Equal(answer, want), nil
	}
	if !bytes.Equal(answer, []byte{askForKey}) {
		s.mu.Lock()
		s.clear = true
		s.mu.Unlock()
		return false, nil
	}
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		return false, err
	}
	answer, err = exchange(c, mywire.AppendAuthMore(nil, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err != nil {
		return false, err
	}
	got, err := rsa.DecryptOAEP(sha1.New(), nil, s.key, answer, nil)
	for i := range got {
		got[i] ^= nonce[i%len(nonce)]
	}
	return bytes.Equal(got, want), err
}

// scramble is the answer to the challenge.
func scramble(password, nonce []byte) []byte {
	once := sha256.Sum256(password)
	twice := sha256.Sum256(once[:])
	mix := sha256.Sum256(append(twice[:], nonce...))
	for i := range mix {
		mix[i] ^= once[i]
	}
	return mix[:]
}

// Logins by caching_sha2_password work with TLS on both sides, on none and towards
// the server alone; where it is on the client's side alone a password that the
// server wants in full is not sent on.
func TestCachingSHA2(t *testing.T) {
	certificate := certificate(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1 << 4 { // the bits from the right: TLS of the client, of the server; the hash is known; another method first
		clientTLS, serverTLS, cached, switches := i&1 != 0, i&2 != 0, i&4 != 0, i&8 != 0
		t.Run(fmt.Sprintf("%04b", i), func(t *testing.T) {
			server := &sha2Server{t: t, cached: cached, switches: switches, key: key}
			r := newRig(t, func(relay *Relay) {
				if serverTLS {
					server.certificate = &certificate
					relay.ServerTLSMod = session.TLSRequire
				}
				if clientTLS {
					relay.ClientTLSMod = session.TLSRequire
					relay.ClientTLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate}} }
				}
				relay.Address = scripted(t, server.serve)
			})
			_, err := r.dial("dba", func(c *driver.Config) {
				if clientTLS {
					c.TLSConfig = "skip-verify"
				}
			})
			exposed := clientTLS && !serverTLS && !cached
			var told *driver.MySQLError
			if refused := errors.As(err, &told) && told.Number == mywire.CodeSecureTransport; refused != exposed || err != nil && !refused {
				t.Errorf("got %v", err)
			}
			if _, err := r.dial("dba", func(c *driver.Config) {
				c.Passwd = "wrong"
				if clientTLS {
					c.TLSConfig = "skip-verify"
				}
			}); err == nil {
				t.Error("a wrong password is let in")
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if server.clear {
				t.Error("a password came in clear")
			}
		})
	}
}
