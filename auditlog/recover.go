package auditlog

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/intake"
	"sqlveil/auditlog/segment"
)

// Reasons in an audit.gap.
const (
	gapTorn       = "torn"       // an incomplete last line was cut off
	gapUnfinished = "unfinished" // the process died while a record was being queued; its statement was not let through
	gapLost       = "lost"       // the machine died, or somebody took records away, before they were on the disk
	gapForeign    = "foreign"    // lines that this log did not write stood at its end; they were set aside
	gapShed       = "shed"       // statements were let through unrecorded, as configured
	gapOutcome    = "outcome"    // statements ended while the log could not be written
)

// Reasons in a chain.key.
const (
	keyStart    = "start"
	keyRotation = "rotation"
	keySegment  = "segment" // no new key, but the one that the segment begins with
	keyLost     = "lost"    // the state with the key is gone: what follows is not bound to what was before
)

var rotationBody = []byte(`"kind":"` + ChainKey + `","detail":{"reason":"` + keyRotation + `"`)

// recover takes up the chain at its end, chains what the process before left
// in the intake, and puts on record what is missing.
func (w *writer) recover(found intake.Recovered) error {
	files, err := segment.List(w.log.options.Directory)
	if err != nil {
		return err
	}
	switch {
	case found.State == nil && len(files) <= 1 && !w.signedBefore():
		err = w.fresh(files)
	case found.State == nil:
		err = w.restart(files)
	default:
		err = w.resume(found)
	}
	if err != nil {
		return err
	}
	return w.ready()
}

// signedBefore reports whether this directory was ever a log that ran.
func (w *writer) signedBefore() bool {
	_, err := w.log.disk.Stat(w.log.path(segment.HeadFile))
	return err == nil
}

// fresh begins a log. A segment of an attempt that came to nothing is set aside.
func (w *writer) fresh(files []segment.File) error {
	for _, f := range files {
		if err := w.log.disk.Rename(f.Path, f.Path+".foreign-"+w.log.boot); err != nil {
			return err
		}
	}
	w.state = state{log: strings.ToLower(NewID()), link: chain.Link{Seq: 1}}
	if err := w.create(); err != nil {
		return err
	}
	return w.startKey(keyStart)
}

// startKey makes a chain key that is bound to nothing before it.
func (w *writer) startKey(reason string) error {
	var fresh chain.Key
	rand.Read(fresh[:])
	sealed, err := w.log.keys.Seal(fresh[:])
	if err != nil {
		return err
	}
	w.state.link.Key = chain.Key{}.Mix(fresh)
	w.add(&Event{Kind: ChainKey, Detail: []Detail{{"reason", reason}, {"log", w.state.log}, {"sealed", sealed}}})
	return nil
}

// restart goes on after the state was lost. Only the lines themselves tell
// where the chain ended.
func (w *writer) restart(files []segment.File) error {
	last := files[len(files)-1]
	w.state = state{segment: last.Name, log: strings.ToLower(NewID())}
	if head, err := os.ReadFile(w.log.path(segment.HeadFile)); err == nil {
		if c, err := chain.OpenCheckpoint(head, w.log.keys.Verifier); err == nil {
			w.state.log = c.Log
		}
	}
	r, err := segment.Open(last)
	if err != nil {
		return err
	}
	err = w.retrace(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if _, closed := w.log.manifest.find(last.Name); closed || last.Compressed {
		err = w.create()
	} else {
		err = w.reopen()
	}
	if err != nil {
		return err
	}
	return w.startKey(keyLost)
}

// retrace rebuilds tree and link from the lines of the growing segment, up to
// the first that is none.
func (w *writer) retrace(r io.Reader) error {
	w.state.tree, w.state.offset = chain.Tree{}, 0
	stop := errors.New("not a record")
	err := segment.Lines(r, func(_ int, line []byte) error {
		l, err := chain.Parse(line)
		if err != nil {
			return stop
		}
		w.accept(&l, line)
		w.state.link.Seq = l.Seq + 1
		return nil
	})
	if errors.Is(err, stop) || errors.Is(err, segment.ErrTorn) {
		return nil
	}
	return err
}

// accept counts a line that is in the file already.
func (w *writer) accept(l *chain.Line, line []byte) {
	if at, err := l.When(); err == nil {
		w.until = at.UnixMicro()
	}
	if w.state.tree.Size() == 0 {
		w.state.first, w.since = l.Seq, w.until
	}
	w.state.link.Digest, _ = w.hasher.Hash(line)
	w.state.tree.Add(w.state.link.Digest)
	w.state.offset += int64(len(line)) + 1
}

// resume goes on from the saved state.
func (w *writer) resume(found intake.Recovered) (err error) {
	if w.state, err = parseState(found.State); err != nil {
		return err
	}
	if err := w.resumeSegment(); err != nil {
		return err
	}
	w.replay(found.Entries)
	return nil
}

// resumeSegment compares the growing segment with the state and brings both to
// the same length.
func (w *writer) resumeSegment() error {
	if _, closed := w.log.manifest.find(w.state.segment); closed {
		return w.create()
	}
	f, err := w.log.disk.OpenFile(w.log.path(w.state.segment+segment.Plain), os.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		return w.missingSegment()
	}
	if err != nil {
		return err
	}
	w.file = f
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < w.state.offset {
		return w.shortSegment(info.Size())
	}
	if w.since, err = w.firstTime(); err != nil {
		return err
	}
	return w.tail(info.Size())
}

// missingSegment begins another segment. Which records went with the old one,
// the gap says.
func (w *writer) missingSegment() error {
	if lines := w.state.tree.Size(); lines > 0 {
		w.gap(Gap{From: w.state.first, To: w.state.link.Seq - 1, Count: lines, Reason: gapLost})
		w.state.link.Digest = w.digestBefore()
	}
	return w.create()
}

// digestBefore returns the digest of the last line of the closed segments.
func (w *writer) digestBefore() (d chain.Digest) {
	for _, e := range w.log.manifest.entries() {
		if c, err := chain.OpenCheckpoint([]byte(e.Note), w.log.keys.Verifier); err == nil {
			d = c.Line
		}
	}
	return d
}

// shortSegment goes on in a segment that has lost its end.
func (w *writer) shortSegment(size int64) error {
	next := w.state.link.Seq
	key := w.state.link.Key
	w.state.link.Seq = w.state.first
	w.state.link.Digest = w.digestBefore()
	if err := w.retrace(io.NewSectionReader(w.file, 0, size)); err != nil {
		return err
	}
	if err := w.cut(w.state.offset, size); err != nil {
		return err
	}
	from := w.state.link.Seq
	w.state.link.Seq, w.state.link.Key = next, key
	w.gap(Gap{From: from, To: next - 1, Count: next - from, Reason: gapLost})
	return nil
}

func (w *writer) firstTime() (int64, error) {
	if w.state.tree.Size() == 0 {
		return 0, nil
	}
	stop := errors.New("enough")
	var at time.Time
	err := segment.Lines(io.NewSectionReader(w.file, 0, w.state.offset), func(_ int, line []byte) error {
		if l, err := chain.Parse(line); err == nil {
			if at, err = l.When(); err != nil {
				return err
			}
		}
		return stop
	})
	if errors.Is(err, stop) {
		err = nil
	}
	return at.UnixMicro(), err
}

// tail takes over the lines written after the state was saved. They must carry
// the MACs that only this chain's key makes; others are set aside.
func (w *writer) tail(size int64) error {
	foreign := errors.New("foreign")
	err := segment.Lines(io.NewSectionReader(w.file, w.state.offset, size-w.state.offset), func(_ int, line []byte) error {
		l, err := chain.Parse(line)
		if err != nil {
			return foreign
		}
		link := w.state.link
		link.Skip(min(l.Seq, link.Seq+maxSkip))
		_, covered := w.hasher.Hash(line)
		if l.Seq != link.Seq || l.Prev != link.Digest || !chain.Authentic(link.Key, covered, l.MAC) {
			return foreign
		}
		w.accept(&l, line)
		w.state.link.Seq, w.state.link.Key = l.Seq+1, link.Key.Next()
		w.renewed(line)
		return nil
	})
	switch {
	case errors.Is(err, foreign):
		if err := w.setAside(size); err != nil {
			return err
		}
		w.gap(Gap{Reason: gapForeign})
	case errors.Is(err, segment.ErrTorn):
		w.gap(Gap{From: w.state.link.Seq, To: w.state.link.Seq, Reason: gapTorn})
	case err != nil:
		return err
	}
	return w.cut(w.state.offset, size)
}

// maxSkip bounds how far a line may run ahead of the one before it.
const maxSkip = 1 << 20

// renewed applies a change of the key whose record was written, but not noted.
func (w *writer) renewed(line []byte) {
	if bytes.Contains(line, rotationBody) {
		w.state.link.Key = w.state.link.Key.Mix(w.state.fresh)
		w.state.fresh = chain.Key{}
	}
}

// cut shortens the growing segment.
func (w *writer) cut(length, size int64) error {
	if length == size {
		return nil
	}
	return w.file.Truncate(length)
}

// setAside copies what stands after the chain's end to a file of its own.
func (w *writer) setAside(size int64) error {
	name := fmt.Sprintf("%s.foreign-%s", w.state.segment, w.log.boot)
	out, err := w.log.disk.OpenFile(w.log.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return err
	}
	text := make([]byte, size-w.state.offset)
	_, err = w.file.ReadAt(text, w.state.offset)
	if err == nil {
		_, err = out.WriteAt(text, 0)
	}
	return errors.Join(err, out.Sync(), out.Close())
}

// replay chains what the process before had queued. Numbers that are not there
// were given out and never used.
func (w *writer) replay(entries []intake.Entry) {
	reason := gapUnfinished
	if w.state.machine != machineBoot() {
		reason = gapLost
	}
	origin := appendOrigin(nil, w.state.node, w.state.boot)
	for _, e := range entries {
		next := w.state.link.Seq
		if e.Seq < next {
			continue
		}
		if e.Seq > next {
			w.gap(Gap{From: next, To: e.Seq - 1, Count: e.Seq - next, Reason: reason})
		}
		w.pending = w.compose(w.pending, &w.state, e, origin)
	}
}

// gap records what is missing, after all that is there.
func (w *writer) gap(g Gap) { w.add(&Event{Kind: AuditGap, Gap: g}) }

// add chains a record while the log is being opened, when nothing is queued.
func (w *writer) add(e *Event) {
	w.recovered = append(w.recovered, intake.Entry{
		Micros: w.log.options.now().UnixMicro(), Body: appendBody(nil, e),
	})
}

// reopen opens the growing segment as long as the chain is.
func (w *writer) reopen() error {
	f, err := w.log.disk.OpenFile(w.log.path(w.state.segment+segment.Plain), os.O_RDWR)
	if err != nil {
		return err
	}
	w.file = f
	return f.Truncate(w.state.offset)
}

// ready writes what recovery has composed and opens the intake.
func (w *writer) ready() error {
	for _, e := range w.recovered {
		e.Seq = w.state.link.Seq
		w.pending = w.compose(w.pending, &w.state, e, w.origin)
	}
	w.recovered = nil
	if _, err := w.file.WriteAt(w.pending, w.state.offset); err != nil {
		return err
	}
	w.state.offset += int64(len(w.pending))
	w.forgetAll()
	if err := errors.Join(w.file.Sync(), w.log.disk.SyncDir(w.log.options.Directory)); err != nil {
		return err
	}
	now := w.log.options.now()
	w.hour, w.checked = now, now
	w.state.machine, w.state.node, w.state.boot = machineBoot(), w.log.options.Node, w.log.boot
	w.state.fresh = chain.Key{}
	w.log.flush.reset(w.log, w.file, mark{w.state.link.Seq, w.state.offset})
	if err := w.log.ring.Load().Reset(w.state.link.Seq, w.state.append(nil)); err != nil {
		return err
	}
	return w.sign(now)
}

// machineBoot names this run of the kernel; "" where it has no name.
func machineBoot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
