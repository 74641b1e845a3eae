package myrelay

import (
	"crypto/ed25519"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
)

// seedPassword has the length of a seed: for such passwords MariaDB's keys are those of
// RFC 8032.
const seedPassword = "a password of just 32 characters"

// greetEd25519 lets a client in by client_ed25519, which it changes to.
// https://mariadb.com/docs/server/reference/plugins/authentication-plugins/authentication-plugin-ed25519
func greetEd25519(s *sha2Server, c *mywire.Conn) error {
	greeting := mywire.Greeting{Version: "10.11.19-MariaDB", ThreadID: 7, Challenge: challenge(), Capabilities: sha2Capabilities, Collation: 45, Plugin: "mysql_native_password"}
	if _, err := s.login(c, &greeting); err != nil {
		return err
	}
	nonce := append(challenge(), challenge()...)[:32]
	signature, err := s.exchange(c, append([]byte("\xfeclient_ed25519\x00"), nonce...))
	if err != nil {
		return err
	}
	public := ed25519.NewKeyFromSeed([]byte(seedPassword)).Public().(ed25519.PublicKey)
	if !ed25519.Verify(public, nonce, signature) {
		e := mywire.Error{Code: mywire.CodeAccessDenied, State: "28000", Message: "Access denied"}
		return errors.Join(c.Write(e.Append(nil)), c.Flush())
	}
	for {
		if err := errors.Join(c.Write([]byte{0, 0, 0, 2, 0, 0, 0}), c.Flush()); err != nil {
			return err
		}
		c.Restart()
		if _, err := c.Packet(1 << 16); err != nil {
			return nil // the client has left
		}
	}
}

// Logins by ed25519 pass through, challenge and signature as they are.
func TestEd25519(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	defer socket.Close()
	wait.Go(func() {
		for {
			nc, err := socket.Accept()
			if err != nil {
				return // closed
			}
			wait.Go(func() {
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(20 * time.Second)) // fails only on a closed connection
				if err := greetEd25519(&sha2Server{t: t}, mywire.NewConn(protocol.NewConn(nc))); err != nil {
					t.Errorf("server: %v", err)
				}
			})
		}
	})
	r := newRig(t, func(relay *Relay) { relay.Address = socket.Addr().String() })
	conn, err := r.dial("dba", func(c *driver.Config) { c.Passwd = seedPassword })
	if err != nil {
		t.Fatalf("the right password: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	_, err = r.dial("dba", func(c *driver.Config) { c.Passwd = "wrong" })
	if told, ok := errors.AsType[*driver.MySQLError](err); !ok || told.Number != mywire.CodeAccessDenied {
		t.Errorf("a wrong password: %v", err)
	}
	r.server.Close() // and with it the sessions that the pools keep
}
