package masking

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"sync"
)

// An hmacMask replaces a value by a token that is the same for the same value:
// rows can still be joined and counted by it, but only who has the key can tell
// which value it stands for. What it makes is fixed for ever (see the vectors in
// the tests): tokens end up in other people's tables.
type hmacMask struct {
	length int // characters of a token in a text column
	states *sync.Pool
}

// macState is one keyed hash in use, with the place for its sum.
type macState struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

const (
	tokenLength   = 26 // characters of a token: 128 bits
	shortestToken = 8  // in a column too narrow for more; 40 bits
	longestToken  = 51 // what one sum gives
	tokenBits     = 5  // that a character stands for
	tokenBytes    = 16 // of a token in a binary column
	keyLength     = 32
)

// tokens is the alphabet of text tokens: RFC 4648 base32, lower case.
var tokens = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// A keyring derives the key of each domain from the masking key, once.
type keyring struct {
	secret []byte
	masks  map[string]*hmacMask
}

func newHMAC(o *options) Mask {
	domain := o.text("domain", o.class)
	length := o.whole("length", tokenLength, shortestToken, longestToken)
	if o.keys.secret == nil {
		o.problem("", "hmac needs the masking key: set keys.masking")
		return Redact
	}
	return o.keys.mask(domain, length)
}

// mask returns the mask of a domain; asked for again, the same one.
func (k *keyring) mask(domain string, length int) Mask {
	id := fmt.Sprintf("%d/%s", length, domain)
	if m := k.masks[id]; m != nil {
		return m
	}
	key, err := hkdf.Key(sha256.New, k.secret, nil, "sqlveil/mask/hmac/"+domain, sha256.Size)
	if err != nil { // only for a length that no hash can give
		panic("masking: " + err.Error())
	}
	m := &hmacMask{length: length, states: &sync.Pool{New: func() any {
		return &macState{mac: hmac.New(sha256.New, key)}
	}}}
	k.masks[id] = m
	return m
}

func (*hmacMask) Name() string { return "hmac" }

func (m *hmacMask) Append(dst, text []byte, t Type) ([]byte, bool) {
	s := m.states.Get().(*macState)
	defer m.states.Put(s)
	sum := s.of(text, t)
	switch t.Kind {
	case KindText:
		return m.appendToken(dst, sum, t)
	case KindInteger, KindNumeric, KindFloat:
		return appendNumberToken(dst, sum, t)
	case KindUUID:
		return appendUUIDToken(dst, sum), true
	case KindBytes:
		return hex.AppendEncode(append(dst, neutralBytes...), sum[:tokenBytes]), true
	}
	return Neutral(dst, t)
}

// of returns the keyed hash of a value, until the next call.
func (s *macState) of(text []byte, t Type) []byte {
	s.mac.Reset()
	s.mac.Write(joinable(text, t))
	return s.mac.Sum(s.sum[:0])
}

// A token is an hmac mask for texts, with a keyed hash of its own.
type token struct {
	of    *hmacMask
	kind  Type
	state *macState
}

func (m *hmacMask) shortcut(t Type) shortcut {
	if t.Kind != KindText {
		return nil
	}
	return &token{of: m, kind: t, state: m.states.New().(*macState)}
}

// try implements [shortcut].
func (m *token) try(dst, text []byte) ([]byte, bool) {
	start := len(dst)
	dst, ok := m.of.appendToken(dst, m.state.of(text, m.kind), m.kind)
	return dst, ok && !bytes.Equal(dst[start:], text)
}

// joinable is what of a value decides its token. The blanks that pad a char(n)
// are no part of the value, and MySQL does not send them.
func joinable(text []byte, t Type) []byte {
	if t.Kind == KindText {
		return bytes.TrimRight(text, " ")
	}
	return text
}

func (m *hmacMask) appendToken(dst, sum []byte, t Type) ([]byte, bool) {
	length := m.length
	if t.Length > 0 {
		length = min(length, t.Length)
	}
	if length < shortestToken {
		return Neutral(dst, t)
	}
	bits := tokenBits * length
	return tokens.AppendEncode(dst, sum[:(bits+7)/8])[:len(dst)+length], true
}

// appendNumberToken appends a whole number that every value of the type can be.
func appendNumberToken(dst, sum []byte, t Type) ([]byte, bool) {
	var n uint64
	for _, b := range sum[:8] {
		n = n<<8 | uint64(b)
	}
	limit := tokenLimit(t)
	if limit < 2 {
		return Neutral(dst, t)
	}
	return strconv.AppendUint(dst, n%limit, 10), true
}

// tokenLimit is one more than the largest whole number that a value of type t
// holds exactly, as far as tokens use it.
func tokenLimit(t Type) uint64 {
	switch {
	case t.Kind == KindFloat && t.Bits == 32:
		return 1 << 24
	case t.Kind == KindFloat:
		return 1 << 53
	case t.Kind == KindInteger:
		return min(maxInteger(t), powersOf10[mostDigits])
	case t.Precision == 0:
		return powersOf10[mostDigits]
	}
	return powersOf10[max(0, min(t.Precision-t.Scale, mostDigits))]
}

// appendUUIDToken appends a UUID of version 8, which RFC 9562 leaves to the
// application. https://www.rfc-editor.org/rfc/rfc9562#section-5.8
func appendUUIDToken(dst, sum []byte) []byte {
	var id [16]byte
	copy(id[:], sum)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	for i, size := range [...]int{0, 4, 6, 8, 10} {
		if i > 0 {
			dst = append(dst, '-')
		}
		end := [...]int{4, 6, 8, 10, 16}[i]
		dst = hex.AppendEncode(dst, id[size:end])
	}
	return dst
}

// looksLike reports whether text has the shape of this mask's output: a whole
// token, or a UUID of version 8. Tokens cut short by a narrow column look like
// any word and are not told apart.
func (m *hmacMask) looksLike(text []byte) bool {
	if isUUID(text) {
		return text[14] == '8'
	}
	if len(text) != m.length {
		return false
	}
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
