package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/intake"
	"sqlveil/auditlog/segment"
)

// Durability says what the death of the machine may cost.
type Durability string

// The durabilities. In none does the death of the process cost a record.
const (
	Strict     Durability = "strict"     // nothing: every begin is synced before its statement goes on
	Classified Durability = "classified" // at most 200 ms of logins, and of statements that touch nothing classified
	Spool      Durability = "spool"      // at most 200 ms
)

// Options say where and how a log is kept. Only Directory must be given.
type Options struct {
	Directory  string
	Node       string     // this proxy's name in every record; "" for the host's
	Durability Durability // "" for Classified
	// Keys is the directory of the keys; "" for "keys" below Directory, where a
	// set is made when there is none.
	Keys string
	// SealText keeps original texts too, encrypted for the auditors.
	SealText bool
	// Shed lets statements go on unrecorded while the log cannot be written,
	// except those that are waited for. They are counted in an audit.gap.
	Shed bool

	SegmentBytes  int64 // size at which a segment is closed; 0 for 64 MiB
	IntakeBytes   int   // size of the queue; 0 for 32 MiB
	RetentionDays int   // 0 for 400; at least 180
	// CheckpointEvery bounds the time between signed checkpoints in the log and
	// at the anchors; 0 for a minute.
	CheckpointEvery time.Duration
	Anchors         []Anchor // places outside that keep checkpoints

	disk disk             // nil for the operating system's
	now  func() time.Time // nil for time.Now
}

// An Anchor keeps checkpoints where the proxy cannot change them any more.
type Anchor interface {
	// Publish hands over a signed note. It gives up when ctx ends.
	Publish(ctx context.Context, signed []byte) error
	// String names the anchor in the log, without secrets.
	String() string
}

const (
	defaultSegment    = 64 << 20
	defaultIntake     = 32 << 20
	defaultCheckpoint = time.Minute
	defaultRetention  = 400
	// MinRetentionDays is six months: China's Cybersecurity Law, article 21(3).
	MinRetentionDays = 180

	// checkpointRecords is how many records go without a checkpoint at most.
	checkpointRecords = 10_000
	// syncEvery is how long a record that nobody waits for stays unsynced.
	syncEvery = 200 * time.Millisecond
	// headEvery is how old the signature over the end of the log may be.
	headEvery = time.Second
	// patience is how long Append waits for room in a full queue.
	patience = 5 * time.Second
)

var (
	// ErrUnavailable is the cause of every error of [Log.Append]: the statement
	// must be refused (PostgreSQL 58030, MySQL 1105).
	ErrUnavailable = errors.New("audit log is not available")
	// ErrLocked says that another process writes the log.
	ErrLocked = errors.New("audit log is in use by another process")

	errClosed = errors.New("it is closed")
)

// A Log keeps the records of one proxy. All methods may be called by any
// number of goroutines.
type Log struct {
	options Options
	disk    disk
	keys    *chain.Keys
	boot    string
	started time.Time // on the monotonic clock
	lock    *os.File  // held while the log is open

	ring     atomic.Pointer[intake.Ring]
	wake     chan struct{} // to the writer: there is something to do
	resting  atomic.Int32  // the writer's: whether and how it sleeps
	flush    flusher
	trouble  trouble
	lost     lost
	manifest manifest

	writer  *writer
	keeper  *keeper
	control *control
	ends    context.CancelFunc // of everything but the writer
	running sync.WaitGroup
	closing sync.Once
	closed  error
}

// Open opens the log in a directory, which it makes when it is missing, and
// takes up the chain where it ended, in whatever way it did.
func Open(o Options) (*Log, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if err := os.MkdirAll(o.Directory, 0o750); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	l := &Log{options: o, disk: o.disk, boot: NewID(), started: time.Now(), wake: make(chan struct{}, 1)}
	l.flush.init()
	if err := l.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("audit log: %w", err), l.release())
	}
	return l, nil
}

func (o *Options) complete() error {
	if o.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		o.Node = host
	}
	o.Durability = orDefault(o.Durability, Classified)
	o.Keys = orDefault(o.Keys, filepath.Join(o.Directory, segment.KeyDirectory))
	o.SegmentBytes = orDefault(o.SegmentBytes, defaultSegment)
	o.IntakeBytes = orDefault(o.IntakeBytes, defaultIntake)
	o.RetentionDays = orDefault(o.RetentionDays, defaultRetention)
	o.CheckpointEvery = orDefault(o.CheckpointEvery, defaultCheckpoint)
	if o.disk == nil {
		o.disk = osDisk{}
	}
	if o.now == nil {
		o.now = time.Now
	}
	switch {
	case o.Directory == "":
		return errors.New("no directory")
	case o.Durability != Strict && o.Durability != Classified && o.Durability != Spool:
		return fmt.Errorf("durability %q is not strict, classified or spool", o.Durability)
	case o.RetentionDays < MinRetentionDays:
		return fmt.Errorf("retention of %d days is under the floor of %d", o.RetentionDays, MinRetentionDays)
	}
	return nil
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (l *Log) open() (err error) {
	if l.lock, err = lockDirectory(l.options.Directory); err != nil {
		return err
	}
	if l.keys, err = openKeys(&l.options); err != nil {
		return err
	}
	ring, found, err := intake.Open(l.path(segment.IntakeFile), l.options.IntakeBytes)
	if err != nil {
		return err
	}
	l.ring.Store(ring)
	if err := l.manifest.open(l); err != nil {
		return err
	}
	l.writer = newWriter(l)
	if err := l.writer.recover(found); err != nil {
		return err
	}
	l.keeper = newKeeper(l)
	if l.control, err = listenControl(l); err != nil {
		return err
	}
	ctx, ends := context.WithCancel(context.Background())
	l.ends = ends
	l.running.Go(func() { l.writer.run() })
	l.running.Go(func() { l.flush.run(l) })
	l.running.Go(func() { l.keeper.run(ctx) })
	wall, began := l.options.now().Round(0), time.Now()
	l.running.Go(func() { l.watch(ctx, wall, began) })
	l.running.Go(func() { l.control.serve(ctx) })
	return nil
}

// Append puts e on record and returns its number. Once it returns, the death
// of the process loses nothing; a strict record, or one of a kind that the log's
// durability makes so, is on the disk as well. After an error, which always is
// an [ErrUnavailable], the statement must not be let through. Append keeps
// nothing of e and allocates nothing.
func (l *Log) Append(e *Event, strict bool) (seq uint64, err error) {
	seq, waits, err := l.put(e, strict)
	if err != nil || !waits {
		return seq, err
	}
	return seq, l.flush.wait(l, seq)
}

// AppendThen is Append for who must not be held up by the disk: where the record
// has to be on it, AppendThen says so and calls synced, once, when that is so or with
// the error that Append would return. That may be before AppendThen returns, and in
// any goroutine; synced must not block, nor call the log.
func (l *Log) AppendThen(e *Event, strict bool, synced func(error)) (seq uint64, waits bool, err error) {
	if seq, waits, err = l.put(e, strict); waits {
		l.flush.enter(l, seq, synced)
	}
	return seq, waits, err
}

// put queues a record and says whether it has to be waited for.
func (l *Log) put(e *Event, strict bool) (seq uint64, waits bool, err error) {
	at := e.Time
	if at.IsZero() {
		at = l.options.now()
	}
	body := bodies.Get().(*[]byte)
	*body = appendBody((*body)[:0], e)
	waits = l.waits(e.Kind, strict)
	seq, err = l.append(at, *body, waits, e.Kind.Outcome())
	if cap(*body) <= largestKept {
		bodies.Put(body)
	}
	return seq, waits && err == nil, err
}

// bodies are encoded events, kept for their memory.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// largestKept is how long an encoded event may be that is kept.
const largestKept = 16 << 10

// waits decides whether a record must be on the disk before Append returns.
func (l *Log) waits(kind Kind, strict bool) bool {
	switch {
	case kind.Outcome():
		return false
	case l.options.Durability == Strict:
		return true
	case l.options.Durability == Spool:
		return false
	}
	return strict || kind.always()
}

// append numbers and queues a body. An outcome is queued even while the log
// cannot be written: its statement ran, and the queue survives.
func (l *Log) append(at time.Time, body []byte, wait, outcome bool) (uint64, error) {
	if err := l.trouble.get(); err != nil && !outcome {
		return l.refuse(at, wait, outcome, err)
	}
	seq, err := l.enqueue(at.UnixMicro(), body)
	if err != nil {
		return l.refuse(at, wait, outcome, err)
	}
	if !wait { // who waits wakes the writer himself
		l.rouse(false)
	}
	return seq, nil
}

// enqueue queues a body, waiting for room as long as there is hope of any.
func (l *Log) enqueue(micros int64, body []byte) (uint64, error) {
	for waited := time.Duration(0); ; {
		seq, err := l.ring.Load().Put(micros, body)
		if err == nil || errors.Is(err, intake.ErrTooLarge) || errors.Is(err, intake.ErrFault) {
			return seq, err
		}
		if trouble := l.trouble.get(); trouble != nil {
			return 0, trouble
		}
		if waited > patience {
			return 0, err
		}
		const pause = time.Millisecond
		l.rouse(true)
		time.Sleep(pause)
		waited += pause
	}
}

// refuse answers an Append that cannot be recorded, and counts it.
func (l *Log) refuse(at time.Time, wait, outcome bool, reason error) (uint64, error) {
	if !errors.Is(reason, ErrUnavailable) {
		reason = fmt.Errorf("%w: %w", ErrUnavailable, reason)
	}
	switch {
	case outcome:
		l.lost.add(at, losses{outcomes: 1})
	case l.options.Shed && !wait && !errors.Is(reason, errClosed):
		l.lost.add(at, losses{shed: 1})
		return 0, nil
	default:
		l.lost.add(at, losses{refused: 1})
	}
	return 0, reason
}

// Health returns nil while statements can be recorded, else why they cannot.
func (l *Log) Health() error { return l.trouble.get() }

// Verifier checks the log's signed checkpoints.
func (l *Log) Verifier() note.Verifier { return l.keys.Verifier }

// Close writes and signs what is queued and ends the log. Append fails from
// then on.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.trouble.set(ended, errClosed)
		l.flush.tell(l)
		l.writer.finish()
		l.ends()
		l.flush.close()
		l.running.Wait()
		l.closed = errors.Join(l.writer.err, l.release())
	})
	return l.closed
}

// release gives back what open has taken.
func (l *Log) release() error {
	var errs []error
	if l.writer != nil && l.writer.file != nil {
		errs = append(errs, l.writer.file.Close())
	}
	if ring := l.ring.Load(); ring != nil {
		errs = append(errs, ring.Close())
	}
	if l.control != nil {
		l.control.close()
		if err := os.Remove(l.path(segment.SocketFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

func (l *Log) path(name string) string { return filepath.Join(l.options.Directory, name) }
