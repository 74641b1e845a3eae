package mywire

import (
	"fmt"

	"sqlveil/protocol"
)

// protocolVersion is the first byte of a greeting since MySQL 3.21.
const protocolVersion = 10

// A Greeting is HandshakeV10, the first packet of a server.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
type Greeting struct {
	Version      string // as VERSION() returns it
	ThreadID     uint32 // for KILL
	Challenge    []byte // the random bytes that the password is hashed with
	Capabilities Capabilities
	Collation    uint8
	Status       Status
	Plugin       string // the authentication method
}

// firstChallenge is how much of the challenge stands before the capabilities.
const firstChallenge = 8

// DecodeGreeting decodes a greeting. The slices of the result are its own.
func DecodeGreeting(body []byte) (*Greeting, error) {
	c := protocol.Over(body)
	if c.Uint8() != protocolVersion {
		c.Fail("not protocol 10")
	}
	g := &Greeting{Version: string(c.CString()), ThreadID: c.Uint32LE()}
	g.Challenge = append(g.Challenge, c.Take(firstChallenge)...)
	c.Uint8()
	low := c.Uint16LE()
	g.Collation = c.Uint8()
	g.Status = Status(c.Uint16LE())
	high := c.Uint16LE()
	length := int(c.Uint8())
	c.Take(6)
	maria := c.Uint32LE()
	g.Capabilities = Capabilities(low) | Capabilities(high)<<16
	if !g.Capabilities.Has(CapMySQL) { // elsewhere these bytes are zero
		g.Capabilities |= Capabilities(maria) << 32
	}
	if g.Capabilities.Has(CapSecureConnection) {
		rest := c.Take(max(13, length-firstChallenge))
		g.Challenge = append(g.Challenge, trimZero(rest)...)
	}
	if g.Capabilities.Has(CapPluginAuth) {
		g.Plugin = string(lastString(&c))
	}
	return g, failed("greeting", c.End())
}

// trimZero drops the zero byte that ends a challenge, which is not of it.
func trimZero(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == 0 {
		return b[:n-1]
	}
	return b
}

// lastString reads a string at the end of a packet, where some servers leave its
// zero byte out.
func lastString(c *protocol.Cursor) []byte {
	rest := c.Rest()
	for i, b := range rest {
		if b == 0 {
			if i != len(rest)-1 {
				c.Fail("bytes behind the last string")
			}
			return rest[:i]
		}
	}
	return rest
}

// Append appends the greeting as a body.
func (g *Greeting) Append(dst []byte) []byte {
	dst = protocol.AppendCString(append(dst, protocolVersion), g.Version)
	dst = protocol.AppendUint32LE(dst, g.ThreadID)
	var challenge [firstChallenge]byte
	rest := g.Challenge[copy(challenge[:], g.Challenge):]
	dst = append(append(dst, challenge[:]...), 0)
	dst = protocol.AppendUint16LE(dst, uint16(g.Capabilities))
	dst = append(dst, g.Collation)
	dst = protocol.AppendUint16LE(dst, uint16(g.Status))
	dst = protocol.AppendUint16LE(dst, uint16(g.Capabilities>>16))
	dst = append(dst, byte(len(g.Challenge)+1), 0, 0, 0, 0, 0, 0)
	maria := uint32(g.Capabilities >> 32)
	if g.Capabilities.Has(CapMySQL) {
		maria = 0
	}
	dst = protocol.AppendUint32LE(dst, maria)
	if g.Capabilities.Has(CapSecureConnection) {
		dst = append(dst, rest...)
		for n := len(rest) + 1; ; n++ {
			dst = append(dst, 0)
			if n >= 13 {
				break
			}
		}
	}
	if g.Capabilities.Has(CapPluginAuth) {
		dst = protocol.AppendCString(dst, g.Plugin)
	}
	return dst
}

// A Login is HandshakeResponse41, the client's answer to the greeting; an
// SSLRequest is the start of one.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html
type Login struct {
	Capabilities Capabilities
	MaxPacket    uint32
	Collation    uint8
	User         []byte
	Response     []byte // to the challenge
	Database     []byte
	Plugin       string
	Attributes   []byte // names and values, each behind its length
}

// loginHead is the size of an SSLRequest, and of what precedes the user.
const loginHead = 32

// IsSSLRequest says whether a client answers the greeting by asking for TLS.
func IsSSLRequest(body []byte) bool {
	c := protocol.Over(body)
	return len(body) == loginHead && Capabilities(c.Uint32LE()).Has(CapSSL|CapProtocol41)
}

// DecodeLogin decodes a login or an SSLRequest; what the server offered decides
// which of MariaDB's capabilities are taken from it. Its slices alias body.
func DecodeLogin(body []byte) (*Login, error) {
	c := protocol.Over(body)
	l := &Login{Capabilities: Capabilities(c.Uint32LE()), MaxPacket: c.Uint32LE(), Collation: c.Uint8()}
	c.Take(19)
	maria := c.Uint32LE()
	if !l.Capabilities.Has(CapMySQL) {
		l.Capabilities |= Capabilities(maria) << 32
	}
	if !l.Capabilities.Has(CapProtocol41) {
		c.Fail("a client from before 4.1")
	}
	if IsSSLRequest(body) {
		return l, failed("SSLRequest", c.Err())
	}
	l.User = c.CString()
	l.Response = l.response(&c)
	if l.Capabilities.Has(CapConnectWithDB) {
		l.Database = c.CString()
	}
	if l.Capabilities.Has(CapPluginAuth) && c.Len() > 0 {
		l.Plugin = string(c.CString())
	}
	if l.Capabilities.Has(CapConnectAttrs) && c.Len() > 0 {
		l.Attributes = c.LenencString()
	}
	if l.Capabilities.Has(CapZstd) && c.Len() > 0 {
		c.Uint8() // the level of a compression that we did not offer
	}
	return l, failed("login", c.End())
}

func (l *Login) response(c *protocol.Cursor) []byte {
	switch {
	case l.Capabilities.Has(CapLenencAuth):
		return c.LenencString()
	case l.Capabilities.Has(CapSecureConnection):
		return c.Take(int(c.Uint8()))
	default:
		return c.CString()
	}
}

// AppendSSLRequest appends the part of the login that asks for TLS, as a body.
func (l *Login) AppendSSLRequest(dst []byte) []byte {
	dst = protocol.AppendUint32LE(dst, uint32(l.Capabilities))
	dst = protocol.AppendUint32LE(dst, l.MaxPacket)
	dst = append(dst, l.Collation)
	dst = append(dst, make([]byte, 19)...)
	maria := uint32(l.Capabilities >> 32)
	if l.Capabilities.Has(CapMySQL) {
		maria = 0
	}
	return protocol.AppendUint32LE(dst, maria)
}

// Append appends the login as a body.
func (l *Login) Append(dst []byte) ([]byte, error) {
	dst = protocol.AppendCString(l.AppendSSLRequest(dst), l.User)
	switch {
	case l.Capabilities.Has(CapLenencAuth):
		dst = protocol.AppendLenencString(dst, l.Response)
	case l.Capabilities.Has(CapSecureConnection):
		if len(l.Response) > 255 {
			return nil, fmt.Errorf("login: %w: an answer of %d bytes", protocol.ErrTooLarge, len(l.Response))
		}
		dst = append(append(dst, byte(len(l.Response))), l.Response...)
	default:
		dst = protocol.AppendCString(dst, l.Response)
	}
	if l.Capabilities.Has(CapConnectWithDB) {
		dst = protocol.AppendCString(dst, l.Database)
	}
	if l.Capabilities.Has(CapPluginAuth) {
		dst = protocol.AppendCString(dst, l.Plugin)
	}
	if l.Capabilities.Has(CapConnectAttrs) {
		dst = protocol.AppendLenencString(dst, l.Attributes)
	}
	return dst, nil
}

// Attribute returns a connection attribute, such as program_name.
func (l *Login) Attribute(name string) string {
	c := protocol.Over(l.Attributes)
	for c.Len() > 0 {
		key, value := c.LenencString(), c.LenencString()
		if c.Err() == nil && string(key) == name {
			return string(value)
		}
	}
	return ""
}

// First bytes of what a server says while a client logs in, besides OK and ERR.
const (
	authSwitch = 0xfe
	authMore   = 0x01
)

// An AuthSwitch asks the client to start again with another method.
type AuthSwitch struct {
	Plugin    string
	Challenge []byte
}

// DecodeAuthSwitch decodes a request for another method. The one of before 4.1,
// which has no content, is refused: it asks for a hash that can be reversed.
func DecodeAuthSwitch(body []byte) (*AuthSwitch, error) {
	c := protocol.Over(body)
	if c.Uint8() != authSwitch {
		c.Fail("no change of the method")
	}
	s := &AuthSwitch{Plugin: string(c.CString())}
	s.Challenge = append(s.Challenge, trimZero(c.Rest())...)
	return s, failed("AuthSwitchRequest", c.Err())
}

// Append appends the request as a body.
func (s *AuthSwitch) Append(dst []byte) []byte {
	dst = protocol.AppendCString(append(dst, authSwitch), s.Plugin)
	return protocol.AppendCString(dst, s.Challenge)
}

// DecodeAuthMore returns what a method has to say between challenge and verdict.
func DecodeAuthMore(body []byte) ([]byte, error) {
	c := protocol.Over(body)
	if c.Uint8() != authMore {
		c.Fail("nothing more of the method")
	}
	return c.Rest(), failed("AuthMoreData", c.Err())
}

// AppendAuthMore appends what a method has to say, as a body.
func AppendAuthMore(dst, data []byte) []byte { return append(append(dst, authMore), data...) }

// failed names the packet that an error is about.
func failed(packet string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", packet, err)
}
