package auditlog

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"

	"filippo.io/age"

	"sqlveil/auditlog/chain"
)

// A Sealer encrypts the original texts of one session for the auditors. The
// key of a text is made from the one before by hashing and used once, so that
// from a later moment nobody but an auditor can read an earlier text, the proxy
// included. Each text stands by itself in the log: the session's first key is
// encrypted with age for the auditors and goes along every time.
//
// A Sealer is for one goroutine.
type Sealer struct {
	keys   *chain.Keys
	key    [sha256.Size]byte
	header string // the first key, sealed
	n      uint64
}

// rekeyTexts is after how many texts a Sealer begins with a new first key.
const rekeyTexts = 1000

// NewSealer returns a Sealer, or nil when the log keeps no original texts.
func (l *Log) NewSealer() *Sealer {
	if !l.options.SealText {
		return nil
	}
	return &Sealer{keys: l.keys}
}

// Seal appends the sealed form of text, which goes into [Statement].Sealed. A
// nil Sealer appends nothing.
func (s *Sealer) Seal(dst []byte, text string) ([]byte, error) {
	if s == nil {
		return dst, nil
	}
	if s.header == "" || s.n == rekeyTexts {
		rand.Read(s.key[:])
		header, err := s.keys.Seal(s.key[:])
		if err != nil {
			return dst, err
		}
		s.header, s.n = header, 0
	}
	box, err := textCipher(s.key)
	if err != nil {
		return dst, err
	}
	dst = append(append(dst, s.header...), ' ')
	dst = append(strconv.AppendUint(dst, s.n, 10), ' ')
	// The key serves once, so the nonce may be constant.
	dst = box.Seal(dst, make([]byte, box.NonceSize()), []byte(text), nil)
	s.key = sha256.Sum256(s.key[:])
	s.n++
	return dst, nil
}

var errSealed = errors.New("not a sealed text")

// Unseal is the auditor's side of [Sealer.Seal].
func Unseal(sealed []byte, identities []age.Identity) (string, error) {
	header, rest, ok1 := strings.Cut(string(sealed), " ")
	number, text, ok2 := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok1 || !ok2 || err != nil || n >= rekeyTexts {
		return "", errSealed
	}
	first, err := chain.Unseal(header, identities)
	if err != nil {
		return "", err
	}
	if len(first) != sha256.Size {
		return "", errSealed
	}
	key := [sha256.Size]byte(first)
	for ; n > 0; n-- {
		key = sha256.Sum256(key[:])
	}
	box, err := textCipher(key)
	if err != nil {
		return "", err
	}
	plain, err := box.Open(nil, make([]byte, box.NonceSize()), []byte(text), nil)
	return string(plain), err
}

func textCipher(key [sha256.Size]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
