package protocol

import "sync"

// BufferSize is how much a Conn reads or writes at a time when there is much of
// it.
const BufferSize = 32 << 10

// smallSize is enough for most statements and their answers: a thousand sessions
// that wait in the middle of one, for a disk or for each other, are no burden then.
const smallSize = 4 << 10

// sealedSize is enough for the TLS records of BufferSize bytes, of which the first of a
// connection are short, and for hundreds of answers to KeyUpdates.
const sealedSize = BufferSize + 16<<10

// largestKept is the largest buffer worth keeping for the next large message.
const largestKept = 4 << 20

var (
	small   = sync.Pool{New: func() any { return new([smallSize]byte) }}
	buffers = sync.Pool{New: func() any { return new([BufferSize]byte) }}
	sealed  = sync.Pool{New: func() any { return new([sealedSize]byte) }}
	larger  sync.Pool // of *[]byte whose capacity exceeds BufferSize
)

// borrow returns an empty buffer that is larger than size if BufferSize is.
func borrow(size int) []byte {
	if size < smallSize {
		return small.Get().(*[smallSize]byte)[:0]
	}
	return buffers.Get().(*[BufferSize]byte)[:0]
}

// widen moves what is left of a small buffer, from keep on, to one of BufferSize.
func widen(b []byte, keep int) []byte {
	wide := append(borrow(BufferSize), b[keep:]...)
	giveBack(b)
	return wide
}

// giveBack returns a buffer to where the next connection finds it.
func giveBack(b []byte) {
	switch {
	case cap(b) == smallSize:
		small.Put((*[smallSize]byte)(b[:smallSize]))
	case cap(b) == BufferSize:
		buffers.Put((*[BufferSize]byte)(b[:BufferSize]))
	case cap(b) > BufferSize && cap(b) <= largestKept:
		kept := b[:0] // b itself would be put on the heap in the other case too
		larger.Put(&kept)
	}
}

// BorrowLarge returns an empty buffer that is probably larger than BufferSize,
// for a message that does not fit one. Pass it to [ReturnLarge] when done.
func BorrowLarge() []byte {
	if b, ok := larger.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 2*BufferSize)
}

// ReturnLarge gives back what BorrowLarge returned, grown or not.
func ReturnLarge(b []byte) { giveBack(b) }
