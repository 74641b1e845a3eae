package protocol

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// Types of TLS records, and of the handshake message that changes the keys.
// https://www.rfc-editor.org/rfc/rfc8446#appendix-B
const (
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
	keyUpdate       = 24
)

// A tlsPeer speaks the record layer of TLS 1.3 by itself once crypto/tls has shaken
// hands, as that offers no way to ask for new keys or to send half a record.
type tlsPeer struct {
	net.Conn
	in, out tlsKeys
	updates int // KeyUpdates that were read
}

// tlsKeys protect one direction.
type tlsKeys struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// shakeHands makes nc a TLS connection as a client and takes over what is below.
func shakeHands(t *testing.T, nc net.Conn, config *tls.Config) *tlsPeer {
	t.Helper()
	var log strings.Builder
	config = config.Clone()
	config.KeyLogWriter = &log
	c := tls.Client(nc, config)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if suite := c.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("crypto/tls has agreed on %s, which this peer does not speak", tls.CipherSuiteName(suite))
	}
	p := &tlsPeer{Conn: nc}
	for line := range strings.Lines(log.String()) {
		words := strings.Fields(line)
		secret, err := hex.DecodeString(words[2])
		if err != nil {
			t.Fatal(err)
		}
		switch words[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			p.out.change(secret)
		case "SERVER_TRAFFIC_SECRET_0":
			p.in.change(secret)
		}
	}
	return p
}

// expand is HKDF-Expand-Label of RFC 8446, 7.1, with an empty context.
func expand(secret []byte, label string, size int) []byte {
	label = "tls13 " + label
	info := string([]byte{byte(size >> 8), byte(size), byte(len(label))}) + label + "\x00"
	key, err := hkdf.Expand(sha256.New, secret, info, size)
	if err != nil {
		panic(err)
	}
	return key
}

// change begins to use a secret.
func (k *tlsKeys) change(secret []byte) {
	block, err := aes.NewCipher(expand(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	*k = tlsKeys{secret: secret, aead: aead, iv: expand(secret, "iv", 12)}
}

// update makes new keys of those at hand.
func (k *tlsKeys) update() { k.change(expand(k.secret, "traffic upd", 32)) }

// nonce is that of the next record.
func (k *tlsKeys) nonce() []byte {
	nonce := append([]byte(nil), k.iv...)
	last := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^k.seq)
	k.seq++
	return nonce
}

// seal returns a record.
func (p *tlsPeer) seal(kind byte, body ...byte) []byte {
	plain := append(append([]byte(nil), body...), kind)
	header := []byte{recordData, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(plain)+p.out.aead.Overhead()))
	return p.out.aead.Seal(header, p.out.nonce(), plain, header)
}

// askForKeys returns a KeyUpdate that wants an answer, and uses new keys from then on.
func (p *tlsPeer) askForKeys() []byte {
	record := p.seal(recordHandshake, keyUpdate, 0, 0, 1, 1)
	p.out.update()
	return record
}

// record reads a record.
func (p *tlsPeer) record() (kind byte, body []byte, err error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(p.Conn, header); err != nil {
		return 0, nil, err
	}
	sealed := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(p.Conn, sealed); err != nil {
		return 0, nil, err
	}
	plain, err := p.in.aead.Open(sealed[:0], p.in.nonce(), sealed, header)
	if err != nil || len(plain) == 0 {
		return 0, nil, fmt.Errorf("record of %d bytes: %w", len(sealed), errors.Join(err, io.ErrUnexpectedEOF))
	}
	return plain[len(plain)-1], plain[:len(plain)-1], nil
}

// data reads the next application data. At the peer's goodbye it fails with io.EOF.
func (p *tlsPeer) data() ([]byte, error) {
	for {
		kind, body, err := p.record()
		switch {
		case err != nil:
			return nil, err
		case kind == recordData:
			return body, nil
		case kind == recordAlert && string(body) == "\x01\x00": // close_notify
			return nil, io.EOF
		case kind == recordHandshake && string(body) == string([]byte{keyUpdate, 0, 0, 1, 0}):
			p.in.update()
			p.updates++
		default:
			return nil, fmt.Errorf("record of type %d: %x", kind, body)
		}
	}
}
