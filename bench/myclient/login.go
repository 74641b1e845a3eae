// Package myclient logs in to MySQL servers for the programs of bench, which talk
// to them packet by packet.
package myclient

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"database/sql"
	"fmt"
	"hash"
	"net"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// maxPacket bounds what the server may send.
const maxPacket = 64 << 20

// Dial logs a user of proxytest's in at addr. The session speaks with these
// capabilities, with TLS if they say so, whoever the server is; its connection is
// closed by closing the transport's.
func Dial(addr, user, database string, capabilities mywire.Capabilities) (*mywire.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	conn := mywire.NewConn(protocol.NewConn(nc))
	if err := login(conn, user, database, capabilities); err != nil {
		nc.Close()
		return nil, fmt.Errorf("log in as %s: %w", user, err)
	}
	return conn, nil
}

func login(conn *mywire.Conn, user, database string, capabilities mywire.Capabilities) error {
	p, err := conn.Packet(maxPacket)
	if err != nil {
		return err
	}
	greeting, err := mywire.DecodeGreeting(p.Body)
	if err != nil {
		return err
	}
	scramble := scrambles[greeting.Plugin]
	if scramble == nil {
		return fmt.Errorf("method %s is not known", greeting.Plugin)
	}
	const utf8mb4 = 45
	hello := mywire.Login{
		Capabilities: capabilities, MaxPacket: maxPacket, Collation: utf8mb4, User: []byte(user), Database: []byte(database),
		Response: scramble(greeting.Challenge, proxytest.Password(user)), Plugin: greeting.Plugin,
	}
	if capabilities.Has(mywire.CapSSL) {
		if err := encrypt(conn, &hello); err != nil {
			return err
		}
	}
	body, err := hello.Append(nil)
	if err != nil {
		return err
	}
	if err := conn.Write(body); err != nil {
		return err
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	h, err := conn.Next()
	if err == nil && h.First == authMore {
		h, err = conn.Next()
	}
	if err != nil {
		return err
	}
	if mywire.ReplyOf(h) != mywire.ReplyOK {
		answer, err := conn.Body(maxPacket)
		if err != nil {
			return err
		}
		return fmt.Errorf("answer %q", answer)
	}
	return nil
}

// encrypt asks for TLS and takes whatever certificate there is.
func encrypt(conn *mywire.Conn, hello *mywire.Login) error {
	if err := conn.Write(hello.AppendSSLRequest(nil)); err != nil {
		return err
	}
	if err := conn.Discard(); err != nil { // the greeting, which has been read
		return err
	}
	return conn.Transport().StartTLSClient(context.Background(), &tls.Config{InsecureSkipVerify: true})
}

// authMore begins the packet in which caching_sha2_password says that it knows the
// password, an OK follows; or that it must be told, an error does, as we never tell.
const authMore = 1

// scrambles answer the challenges of the methods by which accounts log in.
//
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
var scrambles = map[string]func(challenge []byte, password string) []byte{
	"mysql_native_password": func(challenge []byte, password string) []byte {
		once := sum(sha1.New(), []byte(password))
		return mixed(once, sum(sha1.New(), challenge, sum(sha1.New(), once)))
	},
	"caching_sha2_password": func(challenge []byte, password string) []byte {
		once := sum(sha256.New(), []byte(password))
		return mixed(once, sum(sha256.New(), sum(sha256.New(), once), challenge))
	},
}

func sum(h hash.Hash, parts ...[]byte) []byte {
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func mixed(a, b []byte) []byte {
	out := bytes.Clone(a)
	for i := range out {
		out[i] ^= b[i]
	}
	return out
}

// Acquaint logs a user in at the server itself by a driver, which can do all that
// caching_sha2_password asks for. The server knows the password from then on, and
// [Dial] can log in.
func Acquaint(ctx context.Context, addr, user string) error {
	db, err := sql.Open("mysql", proxytest.MySQLDSN(addr, user, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(ctx)
}
