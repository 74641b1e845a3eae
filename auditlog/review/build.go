package review

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"sqlveil/auditlog/segment"
)

const (
	flushBlocks = 16      // full blocks that wait for a transaction
	mostWords   = 500_000 // sessions remembered
)

// errPaused ends reading before the end of the log.
var errPaused = errors.New("to be gone on with")

// A builder brings an index up to date. One at a time may; see lockIndex.
type builder struct {
	store *store
	dir   string

	words    map[word]uint32
	nextWord uint32
	forgot   bool // words lacks sessions that the dictionary has
	objects  map[string]uint32
	texts    map[uint32]bool

	zones   []zone
	current *block
	changed map[int]*block // older ones, to which an outcome came late
	full    int            // blocks since the last flush

	// enough says, after what has been read so far was written, whether to go on
	// another time; nil for never.
	enough func() bool

	segment string // how far the log is in the index
	offset  int64

	// What the next flush adds.
	newWords   []wordRow
	newTexts   []textRow
	newObjects []objectsRow
}

func newBuilder(ctx context.Context, s *store, dir string) (*builder, error) {
	b := &builder{
		store: s, dir: dir, words: make(map[word]uint32), objects: make(map[string]uint32),
		texts: make(map[uint32]bool), changed: make(map[int]*block),
	}
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// load reads what building goes on with.
func (b *builder) load(ctx context.Context) (err error) {
	if b.segment, err = b.store.get(ctx, "segment"); err != nil {
		return err
	}
	offset, err := b.store.get(ctx, "offset")
	if err != nil {
		return err
	}
	b.offset = number(offset)
	if err := b.loadWords(ctx); err != nil {
		return err
	}
	if b.zones, err = b.store.zones(ctx); err != nil {
		return err
	}
	b.current = &block{}
	if n := len(b.zones); n > 0 {
		last := b.zones[n-1]
		if last.rows == blockRows {
			b.current.id = last.id + 1
			return nil
		}
		b.zones = b.zones[:n-1]
		b.current, err = b.store.block(ctx, last)
	}
	return err
}

// catchUp takes in what the log has more than the index.
func (b *builder) catchUp(ctx context.Context, progress func(done, total int64)) error {
	files, err := segment.List(b.dir)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f segment.File) bool { return f.Name < b.segment })
	var total, done int64
	for _, f := range files {
		if info, err := os.Stat(f.Path); err == nil {
			total += info.Size()
		}
	}
	for _, f := range files {
		if f.Name > b.segment {
			b.segment, b.offset = f.Name, 0
		}
		err := b.read(ctx, f, func(n int64) {
			if done += n; progress != nil {
				progress(min(done, total-1), total)
			}
		})
		if errors.Is(err, os.ErrNotExist) {
			return b.flush(ctx) // compressed or deleted meanwhile: the next time finds it
		}
		if errors.Is(err, errPaused) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("segment %s: %w", f.Name, err)
		}
	}
	if err := b.forget(ctx); err != nil {
		return err
	}
	if progress != nil && total > 0 {
		progress(total, total)
	}
	return b.flush(ctx)
}

// read takes in a segment from b.offset on.
func (b *builder) read(ctx context.Context, f segment.File, count func(int64)) error {
	r, err := segment.OpenCounted(f, count)
	if err != nil {
		return err
	}
	if err := skip(r, b.offset); err != nil {
		return errors.Join(err, r.Close())
	}
	err = segment.Lines(r, func(_ int, line []byte) error {
		if err := b.take(ctx, line); err != nil {
			return err
		}
		b.offset += int64(len(line)) + 1
		if b.full < flushBlocks {
			return nil
		}
		if err := b.flush(ctx); err != nil {
			return err
		}
		if b.enough != nil && b.enough() {
			return errPaused
		}
		return nil
	})
	if errors.Is(err, segment.ErrTorn) {
		err = nil // being written
	}
	return errors.Join(err, r.Close())
}

func skip(r io.Reader, n int64) error {
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// take takes in one record. A line that is none is left to verify.
func (b *builder) take(ctx context.Context, line []byte) error {
	r, err := parse(line)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	if r.outcome() {
		return b.complete(ctx, &r)
	}
	row := b.current.add()
	b.current.set(colSeq, row, r.Seq)
	b.current.set(colTime, row, uint64(r.Time.UnixMicro()))
	if err := b.describe(ctx, row, &r); err != nil {
		return err
	}
	if err := b.outcome(ctx, b.current, row, &r); err != nil {
		return err
	}
	if b.current.rows == blockRows {
		b.changed[b.current.id] = b.current
		b.zones = append(b.zones, b.current.zone())
		b.current = &block{id: b.current.id + 1}
		b.full++
	}
	return nil
}

// describe fills in what is known of a record from the beginning.
func (b *builder) describe(ctx context.Context, row int, r *Record) error {
	for _, cell := range [...]struct {
		c column
		s string
	}{
		{colKind, r.Kind},
		{colLogin, r.Who.Login},
		{colPerson, r.Who.Person},
		{colRole, r.Who.Role},
		{colApp, r.Session.App},
		{colAddress, r.address()},
		{colSession, r.Session.ID},
		{colListener, r.Session.Listener},
		{colTLS, r.Session.TLS},
		{colFingerprint, r.Statement.Fingerprint},
		{colCommand, r.Statement.Command},
		{colClass, r.Statement.Class},
		{colVerdict, r.Decision.Verdict},
		{colCode, r.Decision.Code},
		{colPurpose, r.Why.Purpose},
		{colTicket, r.Why.Ticket},
		{colDatabase, r.Database.Name},
		{colServer, r.Database.Server},
		{colDetail, r.detail()},
	} {
		id, err := b.word(ctx, cell.c, cell.s)
		if err != nil {
			return err
		}
		b.current.set(cell.c, row, uint64(id))
		if cell.c == colFingerprint && id != 0 && r.Statement.Text != "" && !b.texts[id] {
			b.texts[id] = true
			b.newTexts = append(b.newTexts, textRow{id, strings.Clone(r.Statement.Text)})
		}
	}
	if r.Statement.Hash != "" {
		b.current.set(colFlags, row, flagUnreadable)
	}
	objects, err := b.objectSet(ctx, r)
	b.current.set(colObjects, row, uint64(objects))
	return err
}

// complete adds an outcome to the row that it belongs to, if that is there.
func (b *builder) complete(ctx context.Context, r *Record) error {
	if row, ok := b.current.find(r.Ref); ok {
		return b.outcome(ctx, b.current, row, r)
	}
	i, ok := slices.BinarySearchFunc(b.zones, r.Ref, func(z zone, seq uint64) int {
		switch {
		case z.maxSeq < seq:
			return -1
		case z.minSeq > seq:
			return 1
		}
		return 0
	})
	if !ok {
		return nil // its time was over
	}
	older := b.changed[b.zones[i].id]
	if older == nil {
		var err error
		if older, err = b.store.block(ctx, b.zones[i]); err != nil {
			return err
		}
		b.changed[older.id] = older
	}
	if row, ok := older.find(r.Ref); ok {
		return b.outcome(ctx, older, row, r)
	}
	return nil
}

// outcome fills in how a row's statement ended.
func (b *builder) outcome(ctx context.Context, to *block, row int, r *Record) error {
	flags := to.get(colFlags, row)
	if r.Result.OK {
		flags |= flagOK
	}
	if r.outcome() {
		flags |= flagDone
	}
	to.set(colFlags, row, flags)
	if r.Result.SQLState != "" || r.Result.Ended != "" {
		for c, s := range [...]string{r.Result.SQLState, r.Result.Ended} {
			id, err := b.word(ctx, colState+column(c), s)
			if err != nil {
				return err
			}
			to.set(colState+column(c), row, uint64(id))
		}
	}
	to.set(colMicros, row, uint64(r.Result.Micros))
	to.set(colMasked, row, uint64(r.Result.MaskedCells))
	to.set(colRows, row, uint64(r.Result.Rows))
	to.set(colBytes, row, uint64(r.Result.Bytes))
	to.set(colSubjects, row, max(to.get(colSubjects, row), uint64(r.Subjects.Count)))
	for _, key := range r.Subjects.Keys {
		if hash, ok := subjectHash(key); ok {
			to.subjects = append(to.subjects, hash<<16|uint64(row))
		}
	}
	return nil
}

// zone tells about a block in memory.
func (b *block) zone() zone {
	seqs, times := b.wide[colSeq-firstWide], b.wide[colTime-firstWide]
	return zone{
		id: b.id, rows: b.rows, minSeq: seqs[0], maxSeq: seqs[len(seqs)-1],
		minTime: int64(slices.Min(times)), maxTime: int64(slices.Max(times)),
	}
}

// forget removes blocks of segments whose time was over.
func (b *builder) forget(ctx context.Context) error {
	files, err := segment.List(b.dir)
	if err != nil || len(files) == 0 {
		return err
	}
	first := uint64(number(strings.TrimLeft(files[0].Name, "0")))
	for len(b.zones) > 0 && b.zones[0].maxSeq < first {
		if err := b.store.remove(ctx, b.zones[0].id); err != nil {
			return err
		}
		delete(b.changed, b.zones[0].id)
		b.zones = b.zones[1:]
	}
	return nil
}
