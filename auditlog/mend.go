package auditlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"sqlveil/auditlog/intake"
	"sqlveil/auditlog/segment"
)

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
	// leastSpace is what must be free on the disk for statements to be let through.
	leastSpace = 256 << 10
)

// mend has statements refused until what was composed is on the disk. It gives
// up only when the log is being closed.
func (w *writer) mend(cause error) (mended bool) {
	l := w.log
	began := l.options.now()
	l.trouble.set(fault, cause)
	l.flush.tell(l)
	l.flush.hold()
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		err := w.repair()
		if err == nil {
			break
		}
		l.trouble.set(fault, err)
		if w.closing.Load() && delay == lastRetry {
			return false
		}
		time.Sleep(delay)
	}
	w.report(cause, began)
	l.trouble.set(fault, nil)
	return true
}

// repair makes the directory whole and writes again all that is not known to
// be synced: after a failed sync the kernel may have thrown it away, and says so
// only once (https://lwn.net/Articles/752063/).
func (w *writer) repair() (err error) {
	defer intake.RecoverFault(&err)
	w.busy.begin(w.log)
	defer w.busy.end()
	synced, _ := w.log.flush.progress()
	w.pending = w.pending[:w.state.offset-w.base] // a batch that broke off added more
	if err := w.house(synced.offset); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(w.pending, w.base); err != nil {
		return err
	}
	if err := errors.Join(w.file.Truncate(w.state.offset), w.file.Sync()); err != nil {
		return err
	}
	if err := w.log.inspect(w.file); err != nil {
		return err
	}
	w.forgetAll()
	w.log.flush.reset(w.log, w.file, mark{w.state.link.Seq, w.state.offset})
	w.log.ring.Load().Rewind()
	return w.release()
}

// inspect looks whether the files being written are those that the directory
// shows, and whether there is room for more.
func (l *Log) inspect(growing file) error {
	d := l.disk
	if _, err := d.Stat(l.options.Directory); err != nil {
		return err
	}
	own, err := growing.Stat()
	if err != nil {
		return err
	}
	info, err := d.Stat(l.path(own.Name()))
	if err != nil {
		return err
	}
	if !os.SameFile(own, info) {
		return fmt.Errorf("%s was replaced", own.Name())
	}
	info, err = d.Stat(l.path(segment.IntakeFile))
	if err != nil {
		return err
	}
	if !l.ring.Load().SameFile(info) {
		return fmt.Errorf("%s was replaced", segment.IntakeFile)
	}
	return l.room()
}

func (l *Log) room() error {
	free, err := l.disk.Space(l.options.Directory)
	if err != nil {
		return err
	}
	if free < leastSpace {
		return fmt.Errorf("only %d bytes are free on the disk", free)
	}
	return nil
}

// house puts back what is missing in a directory that was deleted and made
// again: the files that are open still have their contents.
func (w *writer) house(synced int64) error {
	l := w.log
	if _, err := l.disk.Stat(l.options.Directory); err != nil {
		return err
	}
	if err := w.houseSegment(synced); err != nil {
		return err
	}
	if err := w.houseIntake(); err != nil {
		return err
	}
	if _, err := l.disk.Stat(l.path(segment.ManifestFile)); errors.Is(err, fs.ErrNotExist) && len(l.manifest.entries()) > 0 {
		if err := l.manifest.rewrite(); err != nil {
			return err
		}
	}
	if _, err := l.disk.Stat(l.path(segment.LockFile)); errors.Is(err, fs.ErrNotExist) {
		lock, err := lockDirectory(l.options.Directory)
		if err != nil {
			return err
		}
		l.lock, lock = lock, l.lock
		if err := lock.Close(); err != nil {
			return err
		}
	}
	if _, err := l.disk.Stat(l.path(segment.SocketFile)); errors.Is(err, fs.ErrNotExist) {
		if err := l.control.listen(); err != nil {
			return err
		}
	}
	return l.keys.Restore(l.options.Keys)
}

func (w *writer) houseSegment(synced int64) error {
	l := w.log
	own, err := w.file.Stat()
	if err != nil {
		return err
	}
	path := l.path(own.Name())
	info, err := l.disk.Stat(path)
	switch {
	case err == nil && os.SameFile(own, info):
		return nil
	case err == nil:
		if err := l.disk.Rename(path, path+".foreign-"+NewID()); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	copied, err := l.disk.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(copied, 0), io.NewSectionReader(w.file, 0, synced))
	if err = errors.Join(err, l.disk.SyncDir(l.options.Directory)); err != nil {
		return errors.Join(err, copied.Close(), l.disk.Remove(path))
	}
	old := w.file
	w.file = copied
	return old.Close()
}

// houseIntake replaces an intake file that is gone or cut short. Sessions that
// are about to queue find the new ring by themselves.
func (w *writer) houseIntake() error {
	l := w.log
	old := l.ring.Load()
	info, err := l.disk.Stat(l.path(segment.IntakeFile))
	if err == nil && old.SameFile(info) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if err := l.disk.Remove(l.path(segment.IntakeFile)); err != nil {
			return err
		}
	}
	ring, _, err := intake.Open(l.path(segment.IntakeFile), l.options.IntakeBytes)
	if err != nil {
		return err
	}
	next := old.Seal()
	drained := w.drain(old)
	if w.state.link.Seq < next {
		w.owed = append(w.owed, Event{Kind: AuditGap, Gap: Gap{
			From: w.state.link.Seq, To: next - 1, Count: next - w.state.link.Seq, Reason: gapLost,
		}})
	}
	w.saved = w.state.append(w.saved[:0])
	if err := ring.Reset(next, w.saved); err != nil {
		return err
	}
	l.ring.Store(ring)
	if drained {
		return old.Close()
	}
	return nil // a session may still be at its pages: they stay mapped
}

// drain composes what a sealed ring still holds, as far as it can be read.
func (w *writer) drain(ring *intake.Ring) (drained bool) {
	var err error
	defer intake.RecoverFault(&err)
	ring.Rewind()
	for tries := 0; tries < 100; tries++ {
		for e, ok := ring.Next(); ok; e, ok = ring.Next() {
			if e.Seq < w.state.link.Seq {
				continue
			}
			start := len(w.pending)
			w.pending = w.compose(w.pending, &w.state, e, w.origin)
			w.state.offset += int64(len(w.pending) - start)
		}
		if ring.Drained() {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// report puts on record how long nothing could be recorded, and what was lost.
func (w *writer) report(cause error, began time.Time) {
	w.owed = append(w.owed, Event{Kind: Alert, Detail: []Detail{
		{"rule", "audit.unavailable"},
		{"reason", cause.Error()},
		{"since", began.UTC().Format(time.RFC3339Nano)},
	}})
	w.reportLost(cause.Error())
}

// reportLost puts on record what could not be recorded since the last time.
func (w *writer) reportLost(reason string) {
	n := w.log.lost.take()
	for _, gap := range []Gap{
		{Count: n.shed, Since: n.since, Until: n.until, Reason: gapShed},
		{Count: n.outcomes, Since: n.since, Until: n.until, Reason: gapOutcome},
	} {
		if gap.Count > 0 {
			w.owed = append(w.owed, Event{Kind: AuditGap, Gap: gap})
		}
	}
	if n.refused > 0 {
		w.owed = append(w.owed, Event{Kind: Alert, Detail: []Detail{
			{"rule", "audit.refused"},
			{"reason", reason},
			{"refused", strconv.FormatUint(n.refused, 10)},
			{"since", n.since.UTC().Format(time.RFC3339Nano)},
			{"until", n.until.UTC().Format(time.RFC3339Nano)},
		}})
	}
}
