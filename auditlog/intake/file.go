package intake

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"unsafe"
)

// slot is a saved position with the consumer's state behind it.
type slot struct {
	magic      uint64
	generation uint64
	seq, pos   uint64
	size       uint32
	sum        uint32 // CRC-32C of all but itself, with the state
}

const magic = 0x73716c7665696c31 // "sqlveil1"

// MaxState is the most bytes of state that a ring keeps.
const MaxState = slotSize - int(unsafe.Sizeof(slot{}))

// Recovered is what a ring held when it was opened.
type Recovered struct {
	State   []byte  // of the last Release or Reset; nil for a new file
	Next    uint64  // the first number not released
	Entries []Entry // complete ones not released, by number
}

// Open maps the file at path, making it when it is missing or not a ring of
// this size. The ring takes and gives nothing before Reset.
func Open(path string, size int) (r *Ring, found Recovered, err error) {
	size = max(MinSize, (size+slotSize-1)/slotSize*slotSize)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, found, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, found, err
	}
	if old := int(info.Size()); old >= dataFrom+MinSize && old%slotSize == 0 {
		size = old - dataFrom // what is in it goes first; another size may wait
	} else if err := fill(file, dataFrom+size); err != nil {
		return nil, found, err
	}
	mem, err := syscall.Mmap(int(file.Fd()), 0, dataFrom+size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, found, fmt.Errorf("map %s: %w", path, err)
	}
	r = &Ring{file: file, mem: mem, data: mem[dataFrom:], cap: uint64(size / unit)}
	found, err = r.recover()
	return r, found, err
}

// fill writes zeros, so that every block is there before the pages are used: a
// full disk shows here and not as a fault later. It writes in pieces, since what
// is allocated here would stay with the process for minutes.
func fill(file *os.File, size int) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	zeros := make([]byte, min(size, fillPiece))
	for at := 0; at < size; at += len(zeros) {
		if _, err := file.WriteAt(zeros[:min(size-at, len(zeros))], int64(at)); err != nil {
			return err
		}
	}
	return file.Sync()
}

// fillPiece is how many bytes fill writes at a time.
const fillPiece = 1 << 20

func (r *Ring) recover() (found Recovered, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer RecoverFault(&err)
	last := r.latest()
	if last == nil {
		return found, nil
	}
	r.generation = last.generation
	found.State = slices.Clone(last.state())
	found.Next = last.seq
	found.Entries = r.scan(last.seq, last.pos)
	return found, nil
}

// scan looks at every place where an entry could begin. A session that died
// between claiming and completing leaves a hole of unknown length, which the
// checksums bridge.
func (r *Ring) scan(seq, pos uint64) []Entry {
	var entries []Entry
	for at := pos; at < pos+r.cap; {
		h := r.head(at % r.cap)
		room := (r.cap - at%r.cap - 1) * uint64(unit)
		if h.complete.Load() == h.seq<<8|isEntry && h.seq >= seq && h.seq-seq < r.cap && uint64(h.size) <= room {
			if e := r.entry(h, at%r.cap); h.sum == h.checksum(e.Body) {
				e.Body = slices.Clone(e.Body)
				entries = append(entries, e)
				at += units(len(e.Body))
				continue
			}
		}
		at++
	}
	slices.SortFunc(entries, func(a, b Entry) int { return int(int64(a.Seq - b.Seq)) })
	return slices.CompactFunc(entries, func(a, b Entry) bool { return a.Seq == b.Seq })
}

// Reset empties the ring; the next entry gets the number seq.
func (r *Ring) Reset(seq uint64, state []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer RecoverFault(&err)
	r.next.seq, r.next.pos = seq, 0
	r.save(state)
	clear(r.data)
	r.freed.seq.Store(seq)
	r.freed.pos.Store(0)
	r.claim.Store(pack(seq, 0))
	// The pages just cleared are the kernel's again: what is used comes back.
	return syscall.Madvise(r.mem, syscall.MADV_DONTNEED)
}

// save writes both slots, the older one first: at each moment one is whole, and
// in the end none holds a state (hence a key) that is over.
func (r *Ring) save(state []byte) {
	if len(state) > MaxState {
		panic("intake: state is too long")
	}
	for range 2 {
		r.generation++
		s := r.slot(r.generation)
		*s = slot{magic: magic, generation: r.generation, seq: r.next.seq, pos: r.next.pos, size: uint32(len(state))}
		copy(s.room(), state)
		s.sum = s.checksum()
	}
}

func (r *Ring) slot(generation uint64) *slot {
	return (*slot)(unsafe.Pointer(&r.mem[generation%2*slotSize]))
}

// latest returns the newest slot that was written whole, or nil.
func (r *Ring) latest() (last *slot) {
	for i := range uint64(2) {
		s := r.slot(i)
		if s.magic == magic && s.size <= uint32(MaxState) && s.sum == s.checksum() && (last == nil || s.generation > last.generation) {
			last = s
		}
	}
	return last
}

func (s *slot) room() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(s), unsafe.Sizeof(slot{}))), MaxState)
}

func (s *slot) state() []byte { return s.room()[:s.size] }

func (s *slot) checksum() uint32 {
	fields := unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Offsetof(s.sum))
	return crc32.Update(crc32.Update(0, castagnoli, fields), castagnoli, s.state())
}
