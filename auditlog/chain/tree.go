package chain

import (
	"crypto/sha256"
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// A Tree is the Merkle tree over the lines of a segment, reduced to what is
// needed to add leaves and to tell the root: the roots of the perfect subtrees
// it consists of, one for each bit of its size, the largest first.
type Tree struct {
	size   uint64
	peaks  [64]tlog.Hash
	length int
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Add adds a line.
func (t *Tree) Add(line Digest) {
	node := Leaf(line)
	for bit := t.size; bit&1 == 1; bit >>= 1 {
		t.length--
		node = join(t.peaks[t.length], node)
	}
	t.peaks[t.length] = node
	t.length++
	t.size++
}

// Root returns the tree's hash. An empty tree has RFC 6962's: that of nothing.
func (t *Tree) Root() tlog.Hash {
	if t.length == 0 {
		return sha256.Sum256(nil)
	}
	node := t.peaks[t.length-1]
	for i := t.length - 2; i >= 0; i-- {
		node = join(t.peaks[i], node)
	}
	return node
}

// Leaf is RFC 6962's leaf hash of a line: of its digest, not of its text, so
// that a line is hashed once for chain and tree together.
func Leaf(line Digest) tlog.Hash {
	var in [1 + sha256.Size]byte // a leading 0 says leaf
	copy(in[1:], line[:])
	return sha256.Sum256(in[:])
}

// join is tlog.NodeHash without its allocations.
func join(left, right tlog.Hash) tlog.Hash {
	var in [1 + 2*sha256.Size]byte
	in[0] = 1 // a leading 1 says node
	copy(in[1:], left[:])
	copy(in[1+sha256.Size:], right[:])
	return sha256.Sum256(in[:])
}

// AppendPeaks appends what [RestoreTree] needs besides the size.
func (t *Tree) AppendPeaks(dst []byte) []byte {
	for i := range t.length {
		dst = append(dst, t.peaks[i][:]...)
	}
	return dst
}

// RestoreTree makes the tree of that size whose peaks AppendPeaks gave.
func RestoreTree(size uint64, peaks []byte) (Tree, error) {
	t := Tree{size: size, length: bits.OnesCount64(size)}
	if len(peaks) != t.length*sha256.Size {
		return Tree{}, errors.New("peaks do not fit the size of the tree")
	}
	for i := range t.length {
		copy(t.peaks[i][:], peaks[i*sha256.Size:])
	}
	return t, nil
}
