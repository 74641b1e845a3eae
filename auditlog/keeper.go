package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"sqlveil/auditlog/segment"
)

const (
	inspectEvery   = time.Second
	stallAfter     = 4 * time.Second // a disk that does not answer for so long is unhealthy
	watchEvery     = 500 * time.Millisecond
	clockStep      = 2 * time.Second
	expireEvery    = time.Hour
	anchorWait     = 10 * time.Second
	lastAnchorWait = 2 * time.Second // when the log is being closed

	// Compressing a segment costs about as much as writing it did, and can wait: for
	// a lull with fewer records than busyRecords, until more than mostPlain segments
	// wait for it.
	lull        = time.Second
	busyRecords = 2000
	mostPlain   = 16
)

// A keeper does what need not be done while statements wait: it looks after the
// directory, compresses and deletes segments, and hands checkpoints to anchors.
type keeper struct {
	log   *Log
	chore chan struct{} // there may be segments to compress
	posts []*post

	files  sync.Mutex // one chore at a time
	busy   since
	mu     sync.Mutex // guards steady and the holds' file
	steady time.Time  // the clock has run evenly since
}

func newKeeper(l *Log) *keeper {
	k := &keeper{log: l, chore: make(chan struct{}, 1)}
	k.unsure(0)
	if l.options.now().Sub(time.UnixMicro(l.writer.until)) > suspicious {
		k.unsure(expireDoubt)
	}
	for _, a := range l.options.Anchors {
		k.posts = append(k.posts, &post{log: l, anchor: a, notes: make(chan string, 1)})
	}
	k.tidy()
	return k
}

// tidy has closed segments compressed.
func (k *keeper) tidy() {
	select {
	case k.chore <- struct{}{}:
	default:
	}
}

// anchor hands a note to every anchor; the latest replaces one still waiting.
func (k *keeper) anchor(signed string) {
	for _, p := range k.posts {
		p.put(signed)
	}
}

func (k *keeper) run(ctx context.Context) {
	var posts sync.WaitGroup
	defer posts.Wait()
	for _, p := range k.posts {
		posts.Go(func() { p.run(ctx) })
	}
	inspection := time.NewTicker(inspectEvery)
	defer inspection.Stop()
	expiry := time.NewTicker(expireEvery)
	defer expiry.Stop()
	var chores sync.WaitGroup
	defer chores.Wait()
	chores.Go(func() { k.chores(ctx, expiry.C) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-inspection.C:
			k.inspect()
		}
	}
}

// inspect has the writer repair what it finds broken.
func (k *keeper) inspect() {
	if k.log.trouble.get() != nil {
		return // being repaired
	}
	k.busy.begin(k.log)
	defer k.busy.end()
	growing := k.log.flush.growing()
	if err := k.log.inspect(growing); err != nil && growing == k.log.flush.growing() {
		k.log.trouble.set(fault, err)
		k.log.flush.fail(k.log, err)
		k.log.rouse(true)
	}
}

func (k *keeper) chores(ctx context.Context, expiry <-chan time.Time) {
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-k.chore:
			err = k.compressAll(ctx)
		case <-expiry:
			err = k.expire(ctx)
		}
		if err != nil && ctx.Err() == nil {
			k.log.alert("audit.chore", err.Error())
		}
	}
}

// alert puts a fact about the log itself on record.
func (l *Log) alert(rule, reason string) {
	e := Event{Kind: Alert, Detail: []Detail{{"rule", rule}, {"reason", reason}}}
	if _, err := l.Append(&e, false); err != nil {
		return // the trouble that prevents it is reported when it is over
	}
}

// compressAll compresses the segments that are closed, oldest first, while
// statements leave time for it.
func (k *keeper) compressAll(ctx context.Context) error {
	for busy := true; ; { // until it is known better
		plain, err := k.plain()
		if err != nil || len(plain) == 0 {
			return err
		}
		before := k.log.flush.reached().seq
		if busy && len(plain) <= mostPlain {
			err = pause(ctx, lull)
		} else if err = k.compress(ctx, plain[0]); err != nil {
			err = fmt.Errorf("compress segment %s: %w", plain[0].Name, err)
		}
		if err != nil {
			return err
		}
		busy = k.log.flush.reached().seq-before >= busyRecords
	}
}

// pause waits for a while, or until ctx ends.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}

// plain returns the segments that are closed and not compressed.
func (k *keeper) plain() ([]segment.File, error) {
	files, err := segment.List(k.log.options.Directory)
	return slices.DeleteFunc(files, func(f segment.File) bool {
		_, closed := k.log.manifest.find(f.Name)
		return !closed || f.Compressed
	}), err
}

// compress replaces a plain segment by a compressed one.
func (k *keeper) compress(ctx context.Context, f segment.File) error {
	k.files.Lock()
	defer k.files.Unlock()
	final := k.log.path(f.Name + segment.Compressed)
	temporary := final + ".tmp"
	if err := pack(ctx, k.log.disk, f.Path, temporary); err != nil {
		return err
	}
	if err := k.log.disk.Rename(temporary, final); err != nil {
		return err
	}
	if err := k.log.disk.SyncDir(k.log.options.Directory); err != nil {
		return err
	}
	return k.log.disk.Remove(f.Path)
}

// packWindow is how far back the encoder looks, and so a measure of what it holds
// in memory: lines that are alike are near each other.
const packWindow = 256 << 10

func pack(ctx context.Context, d disk, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := d.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Sync(), out.Close()) }()
	encoder, err := zstd.NewWriter(io.NewOffsetWriter(out, 0),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(packWindow))
	if err != nil {
		return err
	}
	_, err = io.Copy(encoder, &untilDone{ctx, in})
	return errors.Join(err, encoder.Close())
}

// untilDone stops reading when the log closes.
type untilDone struct {
	ctx context.Context
	in  io.Reader
}

func (r *untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

// watch sees what no one else can say: that a call to the disk does not come
// back, and that the clock was changed.
func (l *Log) watch(ctx context.Context, last, began time.Time) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		l.watchDisk()
		wall := l.options.now().Round(0) // without the monotonic clock
		step := wall.Sub(last) - time.Since(began)
		last, began = wall, time.Now()
		if step.Abs() >= clockStep {
			l.keeper.unsure(expireDoubt)
			l.alert("clock.step", fmt.Sprintf("the clock was moved by %s", step.Round(time.Millisecond)))
		}
	}
}

func (l *Log) watchDisk() {
	longest := max(l.writer.busy.length(l), l.flush.busy.length(l), l.keeper.busy.length(l))
	if longest < stallAfter {
		l.trouble.set(stalled, nil)
		return
	}
	l.trouble.set(stalled, fmt.Errorf("the disk has not answered for %s", longest.Round(time.Second)))
	l.flush.tell(l)
}

// unsure puts off deletions.
func (k *keeper) unsure(length time.Duration) {
	k.mu.Lock()
	k.steady = time.Now().Add(length)
	k.mu.Unlock()
}

// A post brings notes to one anchor.
type post struct {
	log    *Log
	anchor Anchor
	notes  chan string
	down   bool
}

func (p *post) put(signed string) {
	for {
		select {
		case p.notes <- signed:
			return
		default:
		}
		select {
		case <-p.notes:
		default:
		}
	}
}

func (p *post) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			select {
			case signed := <-p.notes: // the one that the log ended with
				p.publish(ctx, signed)
			default:
			}
			return
		case signed := <-p.notes:
			p.publish(ctx, signed)
		}
	}
}

// publish brings one note. The end of ctx, when the log is being closed, leaves
// it a little time: this may be the note that the log ended with.
func (p *post) publish(ctx context.Context, signed string) {
	closing := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), anchorWait)
	defer cancel()
	unhook := context.AfterFunc(closing, func() { time.AfterFunc(lastAnchorWait, cancel) })
	defer unhook()
	err := p.anchor.Publish(ctx, []byte(signed))
	if down := err != nil; down != p.down {
		p.down = down
		e := Event{Kind: SinkUp, Detail: []Detail{{"sink", p.anchor.String()}}}
		if down {
			e.Kind = SinkDown
			e.Detail = append(e.Detail, Detail{"reason", err.Error()})
		}
		if _, err := p.log.Append(&e, false); err != nil {
			return // reported when the log can be written again
		}
	}
}
