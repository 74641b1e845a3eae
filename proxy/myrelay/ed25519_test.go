package myrelay

import (
	"crypto/ed25519"
	"errors"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/protocol/mywire"
)

// seedPassword has the length of a seed: for such passwords MariaDB's keys are those of
// RFC 8032.
const seedPassword = "a password of just 32 characters"

// greetEd25519 lets a client in by client_ed25519, which it changes to.
// https://mariadb.com/docs/server/reference/plugins/authentication-plugins/authentication-plugin-ed25519
func greetEd25519(c *mywire.Conn) error {
	greeting := mywire.Greeting{Version: "10.11.19-MariaDB", ThreadID: 7, Challenge: challenge(), Capabilities: scriptedCapabilities, Collation: 45, Plugin: "mysql_native_password"}
	if _, err := exchange(c, greeting.Append(nil)); err != nil {
		return err
	}
	nonce := append(challenge(), challenge()...)[:32]
	signature, err := exchange(c, append([]byte("\xfeclient_ed25519\x00"), nonce...))
	if err != nil {
		return err
	}
	public := ed25519.NewKeyFromSeed([]byte(seedPassword)).Public().(ed25519.PublicKey)
	if !ed25519.Verify(public, nonce, signature) {
		return deny(c)
	}
	return answerOK(c)
}

// Logins by ed25519 pass through, challenge and signature as they are.
func TestEd25519(t *testing.T) {
	r := newRig(t, func(relay *Relay) { relay.Address = scripted(t, greetEd25519) })
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
}
