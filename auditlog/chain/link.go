package chain

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
)

// A Digest is the SHA-256 of a line without its line end.
type Digest [sha256.Size]byte

// A Key authenticates one record and becomes the next one's key by hashing.
type Key [sha256.Size]byte

// A MAC authenticates a line.
type MAC [16]byte

// Next returns the key of the next sequence number.
func (k Key) Next() Key { return sha256.Sum256(k[:]) }

// Ahead returns the key n sequence numbers on.
func (k Key) Ahead(n uint64) Key {
	for ; n > 0; n-- {
		k = k.Next()
	}
	return k
}

// Mix returns a new key made of this one and of fresh random bytes, so that
// neither alone is enough to know it.
func (k Key) Mix(fresh Key) Key {
	const label = "sqlveil audit chain key v1\n"
	var in [len(label) + 2*sha256.Size]byte
	copy(in[:], label)
	copy(in[len(label):], k[:])
	copy(in[len(label)+sha256.Size:], fresh[:])
	return sha256.Sum256(in[:])
}

// authenticate is HMAC-SHA256 (RFC 2104) of a digest, written out because a
// key lives for one record and hmac.New allocates.
func (k Key) authenticate(d Digest) (m MAC) {
	in := innerPad
	subtle.XORBytes(in[:], in[:], k[:])
	copy(in[sha256.BlockSize:], d[:])
	inner := sha256.Sum256(in[:])
	in = outerPad
	subtle.XORBytes(in[:], in[:], k[:])
	copy(in[sha256.BlockSize:], inner[:])
	outer := sha256.Sum256(in[:])
	copy(m[:], outer[:])
	return m
}

// A padded block is what a key is combined with, and room for what is hashed behind it.
type padded [sha256.BlockSize + sha256.Size]byte

// The paddings of HMAC.
var innerPad, outerPad = pad(0x36), pad(0x5c)

func pad(b byte) (p padded) {
	for i := range sha256.BlockSize {
		p[i] = b
	}
	return p
}

// What a line ends in.
const (
	beforePrev = `,"prev":"`
	beforeMAC  = `","mac":"`
	lineEnd    = `"}`

	macLength  = len(`,"mac":"`) + 2*len(MAC{}) + len(lineEnd)
	tailLength = len(beforePrev) + 2*len(Digest{}) + len(`"`) + macLength
)

// A Hasher hashes lines without allocating. It is for one goroutine.
type Hasher struct {
	sha     hash.Hash
	covered Digest // scratch: of the part under the MAC
	line    Digest // scratch: of the whole line
}

// NewHasher returns a Hasher.
func NewHasher() *Hasher { return &Hasher{sha: sha256.New()} }

// A Link is the end of a chain: what the next line is linked to and
// authenticated with. The zero Digest stands before the first line.
type Link struct {
	Seq    uint64 // of the next line
	Key    Key    // of that number
	Digest Digest // of the line before it
}

// Skip moves the link to a later sequence number. The numbers between are
// never used; a gap record must tell why.
func (l *Link) Skip(seq uint64) {
	if seq > l.Seq {
		l.Key = l.Key.Ahead(seq - l.Seq)
		l.Seq = seq
	}
}

// Close appends prev and mac to the line that begins at dst[start] and has
// neither them nor its last brace yet, and moves the link on.
func (l *Link) Close(h *Hasher, dst []byte, start int) []byte {
	dst = append(dst, beforePrev...)
	dst = hex.AppendEncode(dst, l.Digest[:])
	dst = append(dst, '"')
	h.sha.Reset()
	h.sha.Write(dst[start:])
	h.sha.Sum(h.covered[:0])
	mac := l.Key.authenticate(h.covered)
	at := len(dst)
	dst = append(dst, beforeMAC[1:]...)
	dst = hex.AppendEncode(dst, mac[:])
	dst = append(dst, lineEnd...)
	h.sha.Write(dst[at:])
	h.sha.Sum(h.line[:0])
	l.Digest = h.line
	l.Key = l.Key.Next()
	l.Seq++
	return dst
}

// Hash returns the digest of a line and that of its part under the MAC.
func (h *Hasher) Hash(line []byte) (whole, covered Digest) {
	cut := max(0, len(line)-macLength)
	h.sha.Reset()
	h.sha.Write(line[:cut])
	h.sha.Sum(h.covered[:0])
	h.sha.Write(line[cut:])
	h.sha.Sum(h.line[:0])
	return h.line, h.covered
}

// Authentic reports whether the MAC of a line is the one that key makes.
func Authentic(key Key, covered Digest, mac MAC) bool {
	want := key.authenticate(covered)
	return subtle.ConstantTimeCompare(want[:], mac[:]) == 1
}
