// Package myclient logs in to MySQL servers for the programs of bench, which talk
// to them packet by packet.
package myclient

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"net"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// maxPacket bounds what the server may send.
const maxPacket = 64 << 20

// Dial logs a user of proxytest's in at addr. The session speaks with these
// capabilities; its connection is closed by closing the transport's.
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
	const utf8mb4 = 45
	hello := mywire.Login{
		Capabilities: capabilities, MaxPacket: maxPacket, Collation: utf8mb4, User: []byte(user), Database: []byte(database),
		Response: scramble(greeting.Challenge, proxytest.Password(user)), Plugin: "mysql_native_password",
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

// scramble answers the challenge of mysql_native_password.
func scramble(challenge []byte, password string) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mix := sha1.Sum(append(bytes.Clone(challenge), twice[:]...))
	for i := range mix {
		mix[i] ^= once[i]
	}
	return mix[:]
}
