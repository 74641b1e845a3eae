package intake

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"unsafe"
)

var (
	// ErrFull says that the consumer is too far behind.
	ErrFull = errors.New("intake is full")
	// ErrSealed says that the ring takes no more: there is another one.
	ErrSealed = errors.New("intake is sealed")
	// ErrTooLarge says that a body can never fit.
	ErrTooLarge = errors.New("record is too large for the intake")
	// ErrFault says that the file's pages cannot be written: the file was cut
	// short, or the disk failed.
	ErrFault = errors.New("intake file cannot be accessed")
)

// head precedes each entry. Complete is stored last and makes the rest valid.
type head struct {
	complete atomic.Uint64 // sequence number << 8 | isEntry or isFiller, 0 until then
	seq      uint64
	micros   int64 // time of the entry, since 1970
	size     uint32
	sum      uint32 // CRC-32C of seq, micros, size and body
}

const (
	unit     = int(unsafe.Sizeof(head{})) // entries begin at multiples of it
	isEntry  = 1
	isFiller = 2 // the rest up to the ring's end is unused

	slotSize = 4096 // a saved position; there are two, written in turn
	dataFrom = 2 * slotSize

	// MinSize is the least capacity of a ring.
	MinSize = 64 << 10

	homeward = 32 // the part of the ring that is used while its consumer keeps up: one in so many
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An Entry is one body with its number and time.
type Entry struct {
	Seq    uint64
	Micros int64
	Body   []byte
}

// A Ring is the queue. Any number of goroutines may call Put; one at a time may
// call Next, Release and Reset.
type Ring struct {
	file *os.File
	mem  []byte // the whole file
	data []byte // where entries are
	cap  uint64 // units in data

	// claim holds the next free place: sequence number (32 bits), position in
	// units (31 bits), sealed (1 bit). The high bits are those of freed.
	claim atomic.Uint64
	freed struct{ seq, pos atomic.Uint64 } // all before is released

	next       struct{ seq, pos uint64 } // the consumer's
	generation uint64                    // of the slot saved last
}

const posMask = 1<<31 - 1

func pack(seq, pos uint64) uint64 { return seq<<32 | pos&posMask<<1 }

// Put appends an entry and returns its number.
func (r *Ring) Put(micros int64, body []byte) (seq uint64, err error) {
	need := uint64(1 + (len(body)+unit-1)/unit)
	if need > r.cap/4 {
		return 0, ErrTooLarge
	}
	for {
		freedSeq, freedPos := r.freed.seq.Load(), r.freed.pos.Load()
		claim := r.claim.Load()
		if claim&1 != 0 {
			return 0, ErrSealed
		}
		seq = freedSeq + uint64(uint32(claim>>32)-uint32(freedSeq))
		pos := freedPos + (claim>>1-freedPos)&posMask
		at := pos % r.cap
		filler := uint64(0)
		if at+need > r.cap {
			filler = r.cap - at
		}
		if pos+filler+need-freedPos > r.cap {
			// freed is older than claim, so the distance may only look too long.
			if r.freed.pos.Load() == freedPos {
				return 0, ErrFull
			}
			continue
		}
		if r.claim.CompareAndSwap(claim, pack(seq+1, pos+filler+need)) {
			return seq, r.store(at, filler, seq, micros, body)
		}
	}
}

// store fills the claimed place. A fault of the mapping (SIGBUS) becomes an
// error of this one call.
func (r *Ring) store(at, filler, seq uint64, micros int64, body []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer RecoverFault(&err)
	if filler > 0 {
		r.head(at).complete.Store(seq<<8 | isFiller)
		at = 0
	}
	h := r.head(at)
	copy(r.data[int(at+1)*unit:], body)
	h.seq, h.micros, h.size = seq, micros, uint32(len(body))
	h.sum = h.checksum(body)
	h.complete.Store(seq<<8 | isEntry)
	return nil
}

// RecoverFault is to be deferred by who touches a ring's pages: it turns the
// panic of a fault into ErrFault. See [debug.SetPanicOnFault].
func RecoverFault(err *error) {
	switch fault := recover().(type) {
	case nil:
	case interface {
		error
		Addr() uintptr
	}:
		*err = fmt.Errorf("%w: %w", ErrFault, fault)
	default:
		panic(fault)
	}
}

// Next returns the next entry that is complete. Its body is valid until Release.
func (r *Ring) Next() (e Entry, ok bool) {
	h := r.head(r.next.pos % r.cap)
	complete := h.complete.Load()
	if complete == r.next.seq<<8|isFiller {
		r.next.pos += r.cap - r.next.pos%r.cap
		h = r.head(0)
		complete = h.complete.Load()
	}
	if complete != r.next.seq<<8|isEntry {
		return e, false
	}
	e = r.entry(h, r.next.pos%r.cap)
	r.next.seq++
	r.next.pos += units(len(e.Body))
	return e, true
}

// Rewind lets Next begin again with what was not released.
func (r *Ring) Rewind() {
	r.next.seq, r.next.pos = r.freed.seq.Load(), r.freed.pos.Load()
}

// Waiting reports whether Next has an entry to give, or would fault.
func (r *Ring) Waiting() (waiting bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var fault error
	defer func() { waiting = waiting || fault != nil }()
	defer RecoverFault(&fault)
	complete := r.head(r.next.pos % r.cap).complete.Load()
	return complete == r.next.seq<<8|isEntry || complete == r.next.seq<<8|isFiller
}

// Crowded reports whether the consumer is so far behind that it should not rest.
func (r *Ring) Crowded() bool {
	return (r.claim.Load()>>1-r.next.pos)&posMask > r.cap/homeward
}

// Drained reports whether everything that was ever claimed has been consumed.
func (r *Ring) Drained() bool {
	return r.claim.Load()&^1 == pack(r.next.seq, r.next.pos)
}

// Seal makes every later Put fail with ErrSealed and returns the first number
// that was not given out. What was claimed before can still be consumed.
func (r *Ring) Seal() (next uint64) {
	for {
		claim := r.claim.Load()
		if r.claim.CompareAndSwap(claim, claim|1) {
			seq := r.freed.seq.Load()
			return seq + uint64(uint32(claim>>32)-uint32(seq))
		}
	}
}

// Release frees all that Next has given and saves state with the position. The
// state is at most [MaxState] bytes; no older state is left in the file.
func (r *Ring) Release(state []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer RecoverFault(&err)
	r.save(state)
	// Emptied, so that nothing old is ever taken for an entry.
	from, to := r.freed.pos.Load(), r.next.pos
	if from%r.cap+to-from > r.cap {
		clear(r.data[int(from%r.cap)*unit:])
		clear(r.data[:int(to%r.cap)*unit])
	} else {
		clear(r.data[int(from%r.cap)*unit:][:int(to-from)*unit])
	}
	r.freed.seq.Store(r.next.seq)
	r.freed.pos.Store(r.next.pos)
	r.goHome()
	return nil
}

// goHome moves an empty ring that has gone some way back to its first page. As
// long as the consumer keeps up, the same few pages so are used again and again:
// they stay in the processor's caches, and in the kernel none is written to disk,
// and then faulted in as writable again, between two uses.
func (r *Ring) goHome() {
	at := r.next.pos % r.cap
	if at < r.cap/homeward {
		return
	}
	start := r.next.pos + r.cap - at
	if r.claim.CompareAndSwap(pack(r.next.seq, r.next.pos), pack(r.next.seq, start)) {
		r.next.pos = start
		r.freed.pos.Store(start)
	}
}

// Close unmaps the file. Nothing may be called afterwards, nor be running.
func (r *Ring) Close() error {
	return errors.Join(syscall.Munmap(r.mem), r.file.Close())
}

// SameFile reports whether the ring is the file that info tells of.
func (r *Ring) SameFile(info os.FileInfo) bool {
	own, err := r.file.Stat()
	return err == nil && os.SameFile(own, info) && own.Size() >= int64(len(r.mem))
}

func units(size int) uint64 { return uint64(1 + (size+unit-1)/unit) }

func (r *Ring) head(at uint64) *head {
	return (*head)(unsafe.Pointer(&r.data[int(at)*unit]))
}

func (r *Ring) entry(h *head, at uint64) Entry {
	from := int(at+1) * unit
	return Entry{Seq: h.seq, Micros: h.micros, Body: r.data[from : from+int(h.size) : from+int(h.size)]}
}

func (h *head) checksum(body []byte) uint32 {
	fields := unsafe.Slice((*byte)(unsafe.Pointer(&h.seq)), unsafe.Offsetof(h.sum)-unsafe.Offsetof(h.seq))
	return crc32.Update(crc32.Update(0, castagnoli, fields), castagnoli, body)
}
