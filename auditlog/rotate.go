package auditlog

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// checkpoint puts the signed root of the segment so far on record.
func (w *writer) checkpoint(now time.Time) error {
	signed, err := w.note(now)
	if err != nil {
		return err
	}
	w.checked = now
	w.unsigned = 0
	w.publish(string(signed))
	return nil
}

// publish puts a note on record and hands it to the anchors.
func (w *writer) publish(signed string) {
	w.owed = append(w.owed, Event{Kind: Checkpoint, Detail: []Detail{{"note", signed}}})
	w.log.keeper.anchor(signed)
}

// note signs the segment as it is written.
func (w *writer) note(now time.Time) ([]byte, error) {
	c := chain.Checkpoint{
		Log: w.state.log, Segment: w.state.segment, Size: w.state.tree.Size(), Root: w.state.tree.Root(),
		Seq: w.state.link.Seq - 1, Line: w.state.link.Digest, Time: now,
	}
	return c.Sign(w.log.keys.Signer)
}

// sign replaces the head: the note over everything written.
func (w *writer) sign(now time.Time) error {
	if w.state.tree.Size() == 0 {
		return nil
	}
	signed, err := w.note(now)
	if err != nil {
		return err
	}
	if err := replaceFile(w.log.disk, w.log.path(segment.HeadFile), signed, false); err != nil {
		return err
	}
	w.headSize, w.headAt = w.state.tree.Size(), now
	return nil
}

// last leaves everything synced and signed.
func (w *writer) last() error {
	if err := w.sync(); err != nil {
		return err
	}
	now := w.log.options.now()
	if err := w.sign(now); err != nil {
		return err
	}
	if signed, err := w.note(now); err == nil && w.unsigned > 0 {
		w.log.keeper.anchor(string(signed))
	}
	return w.release()
}

// sync waits until everything written is on the disk.
func (w *writer) sync() error {
	w.log.flush.hold()
	if _, failed := w.log.flush.progress(); failed != nil {
		return failed // the kernel tells of it once: another sync may succeed though what was written is gone
	}
	w.busy.begin(w.log)
	err := w.file.Sync()
	w.busy.end()
	if err != nil {
		return err
	}
	w.forgetAll()
	w.log.flush.reset(w.log, w.file, mark{w.state.link.Seq, w.state.offset})
	return nil
}

// rotate closes the segment and opens the next.
func (w *writer) rotate(now time.Time) error {
	if err := w.sync(); err != nil {
		return err
	}
	signed, err := w.note(now)
	if err != nil {
		return err
	}
	if err := w.log.manifest.addOnce(segment.Entry{
		Segment: w.state.segment, First: w.state.first, Last: w.state.link.Seq - 1,
		Lines: w.state.tree.Size(), Bytes: w.state.offset,
		Since: time.UnixMicro(w.since).UTC(), Until: time.UnixMicro(w.until).UTC(), Note: string(signed),
	}); err != nil {
		return err
	}
	old := w.file
	if err := w.create(); err != nil {
		return err
	}
	if err := w.release(); err != nil {
		return err
	}
	w.checked, w.unsigned = now, 0
	w.publish(string(signed))
	if err := w.introduce(); err != nil {
		return err
	}
	w.log.keeper.tidy()
	return old.Close()
}

// introduce puts on record, for the auditors only, the key that the segment
// begins with: its MACs can then be checked when those before it are deleted.
func (w *writer) introduce() error {
	sealed, err := w.log.keys.Seal(w.state.link.Key[:])
	if err != nil {
		return err
	}
	w.owed = append(w.owed, Event{Kind: ChainKey, Detail: []Detail{
		{"reason", keySegment}, {"log", w.state.log}, {"from", strconv.FormatUint(w.state.link.Seq, 10)}, {"sealed", sealed},
	}})
	return nil
}

// create opens the next segment.
func (w *writer) create() error {
	name := segment.Name(w.state.link.Seq)
	f, err := w.log.disk.OpenFile(w.log.path(name+segment.Plain), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || info.Size() > 0 {
		return errors.Join(fmt.Errorf("segment %s is there already", name), err, f.Close())
	}
	if err := w.log.disk.SyncDir(w.log.options.Directory); err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.hour, w.headSize = f, w.log.options.now(), 0
	w.state.segment, w.state.offset, w.state.tree = name, 0, chain.Tree{}
	w.forgetAll()
	w.log.flush.reset(w.log, f, mark{w.state.link.Seq, 0})
	return nil
}
