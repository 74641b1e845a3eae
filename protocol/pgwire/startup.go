package pgwire

import (
	"fmt"
	"strings"

	"sqlveil/protocol"
)

// maxStartup is the largest startup packet that PostgreSQL takes.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/libpq/pqcomm.h (MAX_STARTUP_PACKET_LENGTH)
const maxStartup = 10_000

// maxCancelKey is the longest key of protocol 3.2.
const maxCancelKey = 256

// Versions of the protocol, as a StartupMessage announces them.
const (
	Version30 uint32 = 3 << 16
	Version32 uint32 = 3<<16 | 2
)

// Codes that stand in the place of a version.
const (
	codeCancel uint32 = 1234<<16 | 5678
	codeSSL    uint32 = 1234<<16 | 5679
	codeGSSENC uint32 = 1234<<16 | 5680
)

// tlsHandshake is the first byte of a TLS record that holds a ClientHello.
const tlsHandshake = 0x16

// ALPN is the application protocol that a client which starts with TLS, without
// an SSLRequest, must negotiate.
const ALPN = "postgresql"

// Opening is what a client's first bytes ask for.
type Opening uint8

// The packets that have no letter.
const (
	OpeningStartup   Opening = iota + 1 // StartupMessage: log in
	OpeningTLS                          // SSLRequest: answer 'S' or 'N'
	OpeningGSS                          // GSSENCRequest: answer 'G' or 'N'
	OpeningCancel                       // CancelRequest
	OpeningDirectTLS                    // a TLS handshake without being asked; nothing is consumed
)

// A Startup is a decoded first packet.
type Startup struct {
	Opening    Opening
	Version    uint32      // OpeningStartup
	Parameters []Parameter // OpeningStartup, in the order of the packet
	ProcessID  uint32      // OpeningCancel
	Key        []byte      // OpeningCancel
}

// A Parameter is a run-time parameter with its value.
type Parameter struct{ Name, Value string }

// Parameter returns the value of a parameter, "" when it is not there.
func (s *Startup) Parameter(name string) string {
	for _, p := range s.Parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Options returns the names of the protocol extensions asked for, all of which
// begin with "_pq_.".
func (s *Startup) Options() []string {
	var names []string
	for _, p := range s.Parameters {
		if strings.HasPrefix(p.Name, "_pq_.") {
			names = append(names, p.Name)
		}
	}
	return names
}

// Startup waits for a packet without letter and decodes it. Only a TLS
// handshake is left in the buffer, for [protocol.Conn.StartDirectTLS].
func (r *Reader) Startup() (*Startup, error) {
	first, err := r.conn.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] == tlsHandshake {
		return &Startup{Opening: OpeningDirectTLS}, nil
	}
	head, err := r.conn.Peek(lengthSize)
	if err != nil {
		return nil, truncated(err)
	}
	size := protocol.Uint32At(head)
	if size < 2*lengthSize {
		return nil, fmt.Errorf("startup packet: %w: its length is less than its own size", protocol.ErrMalformed)
	}
	if size > maxStartup {
		return nil, fmt.Errorf("startup packet: %w", protocol.ErrTooLarge)
	}
	packet, err := r.conn.Peek(int(size))
	if err != nil {
		return nil, truncated(err)
	}
	s, err := DecodeStartup(packet[lengthSize:])
	r.conn.Skip(int(size))
	return s, err
}

// DecodeStartup decodes a packet without letter, behind its length.
func DecodeStartup(body []byte) (*Startup, error) {
	c := protocol.Over(body)
	s := &Startup{}
	switch code := c.Uint32(); {
	case code == codeSSL:
		s.Opening = OpeningTLS
	case code == codeGSSENC:
		s.Opening = OpeningGSS
	case code == codeCancel:
		s.Opening = OpeningCancel
		s.decodeCancel(&c)
	case code>>16 == 3:
		s.Opening, s.Version = OpeningStartup, code
		s.decodeParameters(&c)
	default:
		c.Fail("neither protocol 3 nor a request known to it")
	}
	if err := c.End(); err != nil {
		return nil, fmt.Errorf("startup packet: %w", err)
	}
	return s, nil
}

func (s *Startup) decodeCancel(c *protocol.Cursor) {
	s.ProcessID = c.Uint32()
	if n := c.Len(); n < 4 || n > maxCancelKey {
		c.Fail("the key has a wrong length")
	}
	s.Key = append([]byte(nil), c.Rest()...)
}

func (s *Startup) decodeParameters(c *protocol.Cursor) {
	for c.Err() == nil {
		name := string(c.CString())
		if name == "" {
			return
		}
		if s.has(name) {
			c.Fail("a parameter stands twice")
			return
		}
		s.Parameters = append(s.Parameters, Parameter{name, string(c.CString())})
	}
}

func (s *Startup) has(name string) bool {
	for _, p := range s.Parameters {
		if p.Name == name {
			return true
		}
	}
	return false
}

// AppendStartup appends a StartupMessage. No name or value may hold a zero byte.
func AppendStartup(dst []byte, version uint32, parameters []Parameter) []byte {
	dst, start := beginPacket(dst, version)
	for _, p := range parameters {
		dst = protocol.AppendCString(dst, p.Name)
		dst = protocol.AppendCString(dst, p.Value)
	}
	return endPacket(append(dst, 0), start)
}

// AppendSSLRequest appends the question whether the server speaks TLS. The
// answer is read with [Reader.TLSAnswer].
func AppendSSLRequest(dst []byte) []byte {
	return endPacket(beginPacket(dst, codeSSL))
}

// AppendCancelRequest appends a request to cancel what runs in another session.
func AppendCancelRequest(dst []byte, processID uint32, key []byte) []byte {
	dst, start := beginPacket(dst, codeCancel)
	dst = protocol.AppendUint32(dst, processID)
	return endPacket(append(dst, key...), start)
}

func beginPacket(dst []byte, code uint32) ([]byte, int) {
	start := len(dst)
	return protocol.AppendUint32(append(dst, 0, 0, 0, 0), code), start
}

func endPacket(dst []byte, start int) []byte {
	protocol.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// TLSAnswer waits for the answer to an SSLRequest: true for TLS. An error
// message in its place comes unauthenticated and unencrypted from anywhere, so
// it is not shown to anybody (CVE-2024-10977).
func (r *Reader) TLSAnswer() (bool, error) {
	b, err := r.conn.Peek(1)
	if err != nil {
		return false, truncated(err)
	}
	answer := b[0]
	r.conn.Skip(1)
	switch {
	case answer != 'S' && answer != 'N':
		return false, fmt.Errorf("answer to SSLRequest: %w", protocol.ErrMalformed)
	case len(r.conn.Buffered()) > 0:
		return false, fmt.Errorf("answer to SSLRequest: %w", protocol.ErrPlaintextAfterTLSRequest)
	}
	return answer == 'S', nil
}
