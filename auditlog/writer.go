package auditlog

import (
	"bytes"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/intake"
)

const (
	batchBytes = 1 << 20  // written at once, about
	maxPending = 64 << 20 // written and not synced; the writer waits above it
	napping    = 2 * time.Millisecond
	gathering  = 10 * time.Millisecond // between two batches that nobody waits for
	naps       = 20                    // without work before the writer sleeps until it is woken
)

// How the writer rests, so that an Append wakes it with a system call only
// where a nap would be too long.
const (
	awake = iota
	napped
	asleep
)

// A writer takes records from the intake, chains them and writes them. It is
// the only one that does, in one goroutine; its fields are that goroutine's.
type writer struct {
	log    *Log
	state  state // up to what is written
	hasher *chain.Hasher
	clock  clock
	origin []byte // `","node":"…","boot":"…",` of this process
	file   file
	hour   time.Time // in which the segment was opened

	// pending are the bytes written from base on, at least those not known to be
	// synced: they are written again when a sync fails, since the kernel may have
	// dropped them.
	pending []byte
	base    int64
	dirty   time.Time // when the oldest of them was written

	since, until int64  // microseconds; times of the segment's first and last record
	saved        []byte // scratch for the state

	unsigned int       // lines since the last checkpoint, without checkpoints
	checked  time.Time // when that was
	headSize uint64    // lines that the head covers
	headAt   time.Time
	owed     []Event // the log's own records that are not queued yet

	recovered []intake.Entry // records of Open, without numbers yet
	rekey     atomic.Pointer[rekeying]

	alarm   *time.Timer
	busy    since
	closing atomic.Bool
	done    chan struct{}
	err     error // why Close could not write everything
}

func newWriter(l *Log) *writer {
	return &writer{
		log: l, hasher: chain.NewHasher(), done: make(chan struct{}), alarm: time.NewTimer(0),
		origin: appendOrigin(nil, l.options.Node, l.boot),
	}
}

func appendOrigin(dst []byte, node, boot string) []byte {
	dst = appendString(append(dst, `","node":`...), node, maxString)
	dst = appendString(append(dst, `,"boot":`...), boot, maxString)
	return append(dst, ',')
}

// run writes until the log closes.
func (w *writer) run() {
	defer close(w.done)
	debug.SetPanicOnFault(true)
	idle := 0
	for {
		worked, err := w.step()
		switch {
		case err != nil:
			if !w.mend(err) {
				w.err = err
				return
			}
		case worked:
			idle = 0
			w.gather()
		case w.closing.Load() && w.log.ring.Load().Drained():
			if w.err = w.last(); w.err == nil || !w.mend(w.err) {
				return
			}
		default:
			idle++
			w.rest(idle)
		}
	}
}

// finish is called by Close and returns when all is written.
func (w *writer) finish() {
	w.closing.Store(true)
	w.log.rouse(true)
	<-w.done
}

// step writes one batch and does what is due.
func (w *writer) step() (worked bool, err error) {
	defer intake.RecoverFault(&err)
	if w.closing.Load() {
		w.log.ring.Load().Seal()
	}
	if err := w.settle(); err != nil {
		return false, err
	}
	n, err := w.batch()
	if err != nil {
		return false, err
	}
	if err := w.log.flush.serve(w.log); err != nil {
		return false, err
	}
	return n > 0, w.due()
}

// settle forgets pending bytes that are synced by now.
func (w *writer) settle() error {
	synced, failed := w.log.flush.progress()
	if failed != nil {
		return failed
	}
	w.forget(synced.offset)
	for len(w.pending) > maxPending {
		w.log.flush.ask()
		time.Sleep(napping)
		if synced, failed = w.log.flush.progress(); failed != nil {
			return failed
		}
		w.forget(synced.offset)
	}
	return nil
}

func (w *writer) forget(synced int64) {
	gone := int(synced - w.base)
	if gone > len(w.pending)/2 { // else it is not worth moving the rest
		w.pending = w.pending[:copy(w.pending, w.pending[gone:])]
		w.base = synced
		w.dirty = w.log.options.now()
	}
}

// forgetAll says that everything written is synced.
func (w *writer) forgetAll() {
	w.pending, w.base = w.pending[:0], w.state.offset
}

// batch takes what is waiting, up to batchBytes, and writes it.
func (w *writer) batch() (n int, err error) {
	ring := w.log.ring.Load()
	start := len(w.pending)
	next := w.state
	limit := min(batchBytes, w.log.options.SegmentBytes-w.state.offset)
	for int64(len(w.pending)-start) < limit {
		e, ok := ring.Next()
		if !ok {
			break
		}
		if n++; e.Seq >= next.link.Seq { // else chained before a repair
			w.pending = w.compose(w.pending, &next, e, w.origin)
		}
	}
	if n == 0 {
		return 0, nil
	}
	if start == 0 {
		w.dirty = w.log.options.now()
	}
	next.offset += int64(len(w.pending) - start)
	w.busy.begin(w.log)
	defer w.busy.end()
	// From here on the batch is in pending: after an error mend writes it.
	from := w.state.offset
	w.state = next
	if _, err := w.file.WriteAt(w.pending[start:], from); err != nil {
		return n, err
	}
	return n, w.release()
}

// release tells intake and flusher that everything composed is written.
func (w *writer) release() error {
	w.saved = w.state.append(w.saved[:0])
	if err := w.log.ring.Load().Release(w.saved); err != nil {
		return err
	}
	w.log.flush.wrote(mark{w.state.link.Seq, w.state.offset})
	return nil
}

// compose appends the line of an entry and moves the chain on.
func (w *writer) compose(dst []byte, s *state, e intake.Entry, origin []byte) []byte {
	start := len(dst)
	dst = append(dst, `{"v":1,"seq":`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, `,"ts":"`...)
	dst = w.clock.append(dst, time.UnixMicro(e.Micros))
	dst = append(dst, origin...)
	dst = append(dst, e.Body...)
	s.link.Skip(e.Seq)
	dst = s.link.Close(w.hasher, dst, start)
	if s.tree.Size() == 0 {
		s.first, w.since = e.Seq, e.Micros
	}
	w.until = e.Micros
	s.tree.Add(s.link.Digest)
	if bytes.HasPrefix(e.Body, rotationBody) {
		s.link.Key = s.link.Key.Mix(s.fresh)
		s.fresh = chain.Key{}
	}
	if !bytes.HasPrefix(e.Body, checkpointBody) && !bytes.HasPrefix(e.Body, keyBody) {
		w.unsigned++
	}
	return append(dst, '\n')
}

// What a record of the chain itself begins with. Such records alone make
// neither a checkpoint nor a new segment due.
var (
	checkpointBody = []byte(`"kind":"` + Checkpoint + `"`)
	keyBody        = []byte(`"kind":"` + ChainKey + `"`)
)

// due does what time or size ask for.
func (w *writer) due() error {
	now := w.log.options.now()
	if len(w.pending) > 0 && now.Sub(w.dirty) >= syncEvery {
		w.log.flush.ask()
	}
	full := w.state.offset >= w.log.options.SegmentBytes
	if full || w.unsigned > 0 && w.state.tree.Size() > 1 && !sameHour(now, w.hour) {
		return w.rotate(now)
	}
	if w.unsigned >= checkpointRecords || w.unsigned > 0 && now.Sub(w.checked) >= w.log.options.CheckpointEvery {
		if err := w.checkpoint(now); err != nil {
			return err
		}
	}
	if err := w.renewKey(); err != nil {
		return err
	}
	if w.log.lost.any.Load() {
		w.reportLost("the queue was full")
	}
	w.pay()
	if w.headSize != w.state.tree.Size() && now.Sub(w.headAt) >= headEvery {
		return w.sign(now)
	}
	return nil
}

func sameHour(a, b time.Time) bool {
	return a.UTC().Truncate(time.Hour).Equal(b.UTC().Truncate(time.Hour))
}

// rest sleeps: in short naps while there has been work a moment ago, then until
// it is woken or something is due.
func (w *writer) rest(idle int) {
	length, how := napping, int32(napped)
	if idle > naps {
		length, how = w.nextDue(), asleep
	}
	w.log.resting.Store(how)
	defer w.log.resting.Store(awake)
	if w.log.ring.Load().Waiting() || w.log.flush.pressing() {
		return // it came before it could know that nobody is awake
	}
	w.sleep(length)
}

// gather lets records come together, unless somebody waits for one: a batch of
// many costs one write, and one state to save, as a batch of one does.
func (w *writer) gather() {
	w.log.resting.Store(napped)
	defer w.log.resting.Store(awake)
	if w.log.flush.pressing() || w.closing.Load() || w.log.ring.Load().Crowded() {
		return
	}
	w.sleep(gathering)
}

// sleep returns when the writer is woken, or after a while.
func (w *writer) sleep(length time.Duration) {
	w.alarm.Reset(length)
	select {
	case <-w.log.wake:
	case <-w.alarm.C:
	}
}

func (w *writer) nextDue() time.Duration {
	switch {
	case len(w.pending) > 0:
		return syncEvery
	case w.headSize != w.state.tree.Size() || len(w.owed) > 0:
		return headEvery
	case w.unsigned > 0:
		return w.log.options.CheckpointEvery
	}
	return time.Hour
}

// rouse wakes the writer: at once for records that are waited for, else only
// from a sleep.
func (l *Log) rouse(now bool) {
	resting := l.resting.Load()
	if resting == asleep || now && resting == napped {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// pay queues the log's own records. The writer must not wait for room, being
// the one who makes it, so what does not fit stays owed.
func (w *writer) pay() {
	for len(w.owed) > 0 {
		body := appendBody(nil, &w.owed[0])
		if _, err := w.log.ring.Load().Put(w.log.options.now().UnixMicro(), body); err != nil {
			return
		}
		w.owed = w.owed[1:]
	}
}
