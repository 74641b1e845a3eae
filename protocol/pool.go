package protocol

import "sync"

// BufferSize is how much a Conn reads or writes at a time.
const BufferSize = 32 << 10

// largestKept is the largest buffer worth keeping for the next large message.
const largestKept = 4 << 20

var (
	buffers = sync.Pool{New: func() any { return new([BufferSize]byte) }}
	larger  sync.Pool // of *[]byte whose capacity exceeds BufferSize
)

// borrow returns an empty buffer of BufferSize.
func borrow() []byte { return buffers.Get().(*[BufferSize]byte)[:0] }

// giveBack returns a buffer to where the next connection finds it.
func giveBack(b []byte) {
	switch {
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
