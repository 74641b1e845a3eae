package review

import (
	"cmp"
	"slices"
	"sort"
	"unsafe"
)

// A column is one property of a row. Those before firstNumber hold numbers of
// the dictionary, those from firstWide on take 64 bits.
type column int

const (
	colKind column = iota
	colLogin
	colPerson
	colRole
	colApp
	colAddress
	colSession
	colListener
	colTLS
	colFingerprint
	colCommand
	colClass // of the statement
	colVerdict
	colCode
	colPurpose
	colTicket
	colDatabase
	colServer
	colState
	colEnded
	colDetail  // of records that are no statements
	colObjects // a set of objects; numbers of their own

	colFlags
	colMicros
	colMasked
	colSubjects

	colSeq
	colTime // microseconds
	colRows
	colBytes
	columns

	firstNumber = colFlags
	firstWide   = colSeq
)

// dictionaries beside those of the columns
const (
	dictTable column = columns + iota
	dictColumn
	dictObjectClass
	dictLevel
	dictReleased
)

// Bits of colFlags.
const (
	flagOK         = 1 << iota
	flagDone       // an outcome is on record
	flagUnreadable // the statement could not be tokenised
)

const (
	blockRows = 8192
	buckets   = 16
	hashBits  = 48
)

// A block is up to blockRows rows in memory.
type block struct {
	id       int
	rows     int
	narrow   [firstWide][]uint32
	wide     [columns - firstWide][]uint64
	subjects []uint64 // hash << 16 | row
	sorted   int      // of the subjects: those that were loaded
	dirty    bool
}

func (b *block) add() (row int) {
	for i := range b.narrow {
		b.narrow[i] = append(b.narrow[i], 0)
	}
	for i := range b.wide {
		b.wide[i] = append(b.wide[i], 0)
	}
	b.rows++
	b.dirty = true
	return b.rows - 1
}

func (b *block) set(c column, row int, value uint64) {
	b.dirty = true
	if c >= firstWide {
		b.wide[c-firstWide][row] = value
		return
	}
	b.narrow[c][row] = uint32(min(value, 1<<32-1))
}

func (b *block) get(c column, row int) uint64 {
	if c >= firstWide {
		return b.wide[c-firstWide][row]
	}
	return uint64(b.narrow[c][row])
}

// find returns the row of a record.
func (b *block) find(seq uint64) (row int, ok bool) {
	return slices.BinarySearch(b.wide[colSeq-firstWide], seq)
}

// data returns a column as it is stored.
func (b *block) data(c column) []byte {
	if c >= firstWide {
		return asBytes(b.wide[c-firstWide])
	}
	return asBytes(b.narrow[c])
}

// load takes a column as it was stored.
func (b *block) load(c column, data []byte) {
	if c >= firstWide {
		b.wide[c-firstWide] = fromBytes[uint64](data)
		return
	}
	b.narrow[c] = fromBytes[uint32](data)
}

// bucket returns the sorted subjects of one bucket, as they are stored. The
// buckets are by the top bits of the hash.
func (b *block) bucket(n int) []byte {
	if b.sorted != len(b.subjects) {
		slices.Sort(b.subjects)
		b.subjects = slices.Compact(b.subjects)
		b.sorted = len(b.subjects)
	}
	from, _ := slices.BinarySearch(b.subjects, bucketStart(n))
	to, _ := slices.BinarySearch(b.subjects, bucketStart(n+1))
	return asBytes(b.subjects[from:to])
}

func bucketStart(n int) uint64 {
	if n == buckets {
		return 1<<64 - 1
	}
	return uint64(n) * (1 << hashBits / buckets) << 16
}

func bucketOf(hash uint64) int { return int(hash / (1 << hashBits / buckets)) }

// rowsOf returns the rows in which a subject stands.
func rowsOf(bucket []uint64, hash uint64) (rows []int) {
	from := sort.Search(len(bucket), func(i int) bool { return bucket[i]>>16 >= hash })
	for ; from < len(bucket) && bucket[from]>>16 == hash; from++ {
		rows = append(rows, int(bucket[from]&0xffff))
	}
	slices.SortFunc(rows, cmp.Compare[int])
	return rows
}

// asBytes is the memory of a slice. The index belongs to one machine, so its
// byte order is the machine's; the file says which.
func asBytes[T uint32 | uint64](s []T) []byte {
	if len(s) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

// fromBytes is the inverse, with memory of its own.
func fromBytes[T uint32 | uint64](data []byte) []T {
	var zero T
	s := make([]T, len(data)/int(unsafe.Sizeof(zero)))
	copy(asBytes(s), data)
	return s
}
