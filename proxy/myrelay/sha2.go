package myrelay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"sync"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// The full exchange of caching_sha2_password. A server that does not know the
// password's hash yet wants the password itself. On a connection that it takes for
// safe it wants it in clear; on any other it has the client ask for a public key to
// encrypt it with. Where the client's side of the proxy is not safe and the
// server's is, they mean different things: then the proxy gives the client a key of
// its own and hands the password on through the server's TLS.
//
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
const (
	fastAuthOK = 3 // the server's OK follows
	fullAuth   = 4 // the server wants the password itself
	askForKey  = 2 // the client wants the public key
)

// publicKeys is the key that clients encrypt passwords with, made when the first
// one asks and never stored.
var publicKeys = sync.OnceValues(func() (keyPair, error) {
	const bits = 2048
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return keyPair{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, nil
})

type keyPair struct {
	private *rsa.PrivateKey
	public  []byte // PEM
}

var errPassword = errors.New("the encrypted password cannot be read")

// open decrypts a password that was mixed with the challenge; it ends with a zero
// byte. The result is to be cleared.
func (k *keyPair) open(encrypted, challenge []byte) ([]byte, error) {
	password, err := rsa.DecryptOAEP(sha1.New(), nil, k.private, encrypted, nil)
	if err != nil || len(challenge) == 0 {
		return nil, errPassword
	}
	for i := range password {
		password[i] ^= challenge[i%len(challenge)]
	}
	if n := len(password); n == 0 || password[n-1] != 0 {
		clear(password)
		return nil, errPassword
	}
	return password, nil
}

// safeForServer says whether the server takes its connection for safe, and
// safeForClient whether the client does.
func (c *conn) safeForServer() bool {
	return c.server.Transport().TLS() != nil || c.relay.Network == "unix"
}

func (c *conn) safeForClient() bool {
	return c.client.Transport().TLS() != nil || c.client.Transport().RemoteAddr().Network() == "unix"
}

// sealed reads the client's answer to the server's wish for the password, which
// was passed on, and returns what the server is to get for it.
func (c *conn) sealed() ([]byte, error) {
	answer, err := c.clientAnswer()
	if err != nil || len(answer) != 1 || answer[0] != askForKey {
		return answer, err // an empty password, or one that the client dares to send
	}
	keys, err := publicKeys()
	if err != nil {
		return nil, err
	}
	if err := c.client.Write(mywire.AppendAuthMore(nil, keys.public)); err != nil {
		return nil, err
	}
	if err := c.client.Flush(); err != nil {
		return nil, err
	}
	if answer, err = c.clientAnswer(); err != nil {
		return nil, err
	}
	password, err := keys.open(answer, c.challenge)
	if err != nil {
		return nil, errors.Join(c.bye(mywire.CodeAccessDenied, session.StateInvalidAuthorization, err.Error()), err)
	}
	return password, nil
}

// clientAnswer reads the client's next packet of a login.
func (c *conn) clientAnswer() ([]byte, error) {
	if _, err := c.client.Next(); err != nil {
		return nil, &session.EndError{Why: "client gone", Err: err}
	}
	return c.client.Body(maxClientLogin)
}
