package auditlog

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"

	"sqlveil/auditlog/chain"
)

// A SubjectHasher turns persons' identifiers into keys that tell nothing about
// them without the hashing key. It allocates nothing and is for one goroutine.
type SubjectHasher struct {
	mac hash.Hash
	sum []byte
}

// NewSubjectHasher returns a hasher with the log's own key.
func (l *Log) NewSubjectHasher() *SubjectHasher { return NewSubjectHasher(l.keys.Subject) }

// NewSubjectHasher returns a hasher with a key from [chain.LoadSubjectKey].
func NewSubjectHasher(key chain.Key) *SubjectHasher {
	return &SubjectHasher{mac: hmac.New(sha256.New, key[:]), sum: make([]byte, 0, sha256.Size)}
}

// Key returns the key of a value of a class, the value in its text form. The
// class is part of it: customer 4711 and order 4711 have nothing in common.
func (s *SubjectHasher) Key(class string, value []byte) (k SubjectKey) {
	s.mac.Reset()
	s.sum = append(append(s.sum[:0], class...), 0)
	s.mac.Write(s.sum)
	s.mac.Write(value)
	s.sum = s.mac.Sum(s.sum[:0])
	copy(k[:], s.sum)
	return k
}
