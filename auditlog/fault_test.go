package auditlog

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sqlveil/auditlog/intake"
	"sqlveil/auditlog/segment"
)

// A faultyDisk is the real one until a test says otherwise.
type faultyDisk struct {
	osDisk
	mu     sync.Mutex
	onSync func() error
	onPut  func(p []byte) (int, error) // of segments; n bytes are written all the same
	free   uint64
	full   bool
}

func (d *faultyDisk) set(change func(*faultyDisk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *faultyDisk) Space(path string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return d.free, nil
	}
	return d.osDisk.Space(path)
}

func (d *faultyDisk) OpenFile(path string, flag int) (file, error) {
	f, err := d.osDisk.OpenFile(path, flag)
	if err != nil || !strings.HasSuffix(path, segment.Plain) || strings.HasSuffix(path, segment.ManifestFile) {
		return f, err
	}
	return &faultyFile{file: f, disk: d}, nil
}

type faultyFile struct {
	file
	disk *faultyDisk
}

func (f *faultyFile) WriteAt(p []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	hook := f.disk.onPut
	f.disk.mu.Unlock()
	if hook != nil {
		if n, err := hook(p); err != nil {
			if _, real := f.file.WriteAt(p[:n], at); real != nil {
				return 0, real
			}
			return n, err
		}
	}
	return f.file.WriteAt(p, at)
}

func (f *faultyFile) Sync() error {
	f.disk.mu.Lock()
	hook := f.disk.onSync
	f.disk.mu.Unlock()
	if hook != nil {
		if err := hook(); err != nil {
			return err
		}
	}
	return f.file.Sync()
}

// healthy and sick are what the tests wait for.
func sick(l *Log) func() bool    { return func() bool { return l.Health() != nil } }
func healthy(l *Log) func() bool { return func() bool { return l.Health() == nil } }

// within fails the test when f takes longer.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > limit {
		t.Errorf("%s took %s, want at most %s", what, took, limit)
	}
}

func mustAppend(t *testing.T, l *Log, strict bool) uint64 {
	t.Helper()
	seq, err := l.Append(sample(), strict)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func mustRefuse(t *testing.T, l *Log, strict bool) {
	t.Helper()
	within(t, 6*time.Second, "refusal", func() {
		if _, err := l.Append(sample(), strict); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Append = %v, want ErrUnavailable", err)
		}
	})
}

// checkLog closes the log and looks that begins are as many as were accepted,
// at least, and that every number is there.
func checkLog(t *testing.T, l *Log, accepted ...uint64) []record {
	t.Helper()
	closeLog(t, l)
	all := records(t, l.options.Directory)
	kinds := make(map[uint64]Kind)
	for i, r := range all {
		if r.Seq != uint64(i+1) {
			t.Errorf("record %d has number %d", i+1, r.Seq)
		}
		kinds[r.Seq] = r.Kind
	}
	for _, seq := range accepted {
		if kinds[seq] != QueryBegin {
			t.Errorf("record %d was accepted and is %q in the log", seq, kinds[seq])
		}
	}
	return all
}

func alerts(all []record, rule string) (n int) {
	for _, r := range all {
		if r.Kind == Alert && r.Detail["rule"] == rule {
			n++
		}
	}
	return n
}

func TestDiskThatRefusesIsWaitedFor(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EDQUOT} {
		t.Run(fault.Error(), func(t *testing.T) { refusingDisk(t, fault) })
	}
}

func refusingDisk(t *testing.T, fault error) {
	t.Helper()
	d := &faultyDisk{}
	l := openLog(t, Options{disk: d})
	a := mustAppend(t, l, false)
	d.set(func(d *faultyDisk) {
		d.onPut = func(p []byte) (int, error) { return len(p) / 2, fault }
	})
	mustRefuse(t, l, true)
	eventually(t, "health says what is wrong", sick(l))
	if err := l.Health(); !errors.Is(err, fault) {
		t.Errorf("health: %v", err)
	}
	mustRefuse(t, l, false)
	e := sample()
	e.Kind = QueryEnd
	if _, err := l.Append(e, false); err != nil {
		t.Errorf("the end of a running statement is refused: %v", err)
	}
	d.set(func(d *faultyDisk) { d.onPut = nil })
	eventually(t, "the log goes on", healthy(l))
	b := mustAppend(t, l, true)
	all := checkLog(t, l, a, b)
	if alerts(all, "audit.unavailable") != 1 || alerts(all, "audit.refused") != 1 || count(all, QueryEnd) != 1 {
		t.Errorf("want two alerts and one end in %+v", all)
	}
}

func TestNoSpaceIsSeenWithoutAStatement(t *testing.T) {
	d := &faultyDisk{}
	l := openLog(t, Options{disk: d})
	d.set(func(d *faultyDisk) { d.full = true })
	within(t, 5*time.Second, "noticing", func() { eventually(t, "health says so", sick(l)) })
	mustRefuse(t, l, false)
	d.set(func(d *faultyDisk) { d.full = false })
	eventually(t, "the log goes on", healthy(l))
	checkLog(t, l, mustAppend(t, l, true))
}

func TestFailedSyncIsWrittenAgain(t *testing.T) {
	d := &faultyDisk{}
	l := openLog(t, Options{disk: d})
	a := mustAppend(t, l, true)
	b := mustAppend(t, l, false)
	d.set(func(d *faultyDisk) { d.onSync = func() error { return syscall.EIO } })
	mustRefuse(t, l, true)
	if err := l.Health(); !errors.Is(err, syscall.EIO) {
		t.Errorf("health: %v", err)
	}
	time.Sleep(100 * time.Millisecond) // some vain repairs
	d.set(func(d *faultyDisk) { d.onSync = nil })
	eventually(t, "the log goes on", healthy(l))
	all := checkLog(t, l, a, b, mustAppend(t, l, true))
	if n := count(all, QueryBegin); n != 4 { // the refused one is on record too: intent
		t.Errorf("%d begins", n)
	}
}

// Syncs fail now and then, segments are closed and the disk's room is looked at, while
// many come at once: everybody is told, once, and nobody that a record is synced which
// is not in the log.
func TestEverybodyWhoWaitsIsToldOnce(t *testing.T) {
	const sessions, each = 16, 30
	d := &faultyDisk{}
	l := openLog(t, Options{disk: d, SegmentBytes: 128 << 10})
	var syncs atomic.Int64
	d.set(func(d *faultyDisk) {
		d.onSync = func() error {
			if syncs.Add(1)%16 == 0 {
				return syscall.EIO
			}
			return nil
		}
	})
	accepted := make([][]uint64, sessions)
	var waited, told atomic.Int64
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			end := make(chan error)
			for len(accepted[i]) < each {
				seq, waits, err := l.AppendThen(sample(), true, func(err error) { told.Add(1); go func() { end <- err }() })
				if waits {
					waited.Add(1)
					err = <-end
				}
				switch {
				case err == nil:
					accepted[i] = append(accepted[i], seq)
				case errors.Is(err, ErrUnavailable):
					time.Sleep(time.Millisecond)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	d.set(func(d *faultyDisk) { d.onSync = nil })
	eventually(t, "the log goes on", healthy(l))
	checkLog(t, l, slices.Concat(accepted...)...)
	if told.Load() != waited.Load() {
		t.Errorf("%d waited, %d were told", waited.Load(), told.Load())
	}
}

// A segment is not closed as whole behind a sync that failed, whatever the next says.
func TestSegmentIsNotClosedAfterAFailedSync(t *testing.T) {
	l := openLog(t, Options{})
	closeLog(t, l)
	l.flush.fail(l, syscall.EIO)
	if err := l.writer.sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("sync = %v, want EIO", err)
	}
}

func TestSlowSyncDelaysOnlyThoseWhoWait(t *testing.T) {
	d := &faultyDisk{}
	l := openLog(t, Options{disk: d})
	d.set(func(d *faultyDisk) {
		d.onSync = func() error { time.Sleep(time.Second); return nil }
	})
	within(t, 3*time.Second, "a strict statement", func() { mustAppend(t, l, true) })
	var wg sync.WaitGroup
	wg.Go(func() { mustAppend(t, l, true) })
	for range 100 {
		within(t, 500*time.Millisecond, "a statement that does not wait", func() { mustAppend(t, l, false) })
	}
	wg.Wait()
	if err := l.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	d.set(func(d *faultyDisk) { d.onSync = nil })
	checkLog(t, l)
}

func TestHangingDiskRefusesWithinFiveSeconds(t *testing.T) {
	for name, hang := range map[string]func(d *faultyDisk, until chan struct{}){
		"sync": func(d *faultyDisk, until chan struct{}) { d.onSync = func() error { <-until; return nil } },
		"write": func(d *faultyDisk, until chan struct{}) {
			d.onPut = func(p []byte) (int, error) { <-until; return len(p), nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, until := &faultyDisk{}, make(chan struct{})
			l := openLog(t, Options{disk: d})
			d.set(func(d *faultyDisk) { hang(d, until) })
			mustRefuse(t, l, true)
			within(t, 100*time.Millisecond, "the next refusal", func() { mustRefuse(t, l, false) })
			if l.Health() == nil {
				t.Error("healthy while the disk hangs")
			}
			d.set(func(d *faultyDisk) { d.onSync, d.onPut = nil, nil })
			close(until)
			eventually(t, "the log goes on", healthy(l))
			checkLog(t, l, mustAppend(t, l, true))
		})
	}
}

func TestShedLetsUnclassifiedStatementsThroughAndCountsThem(t *testing.T) {
	d := &faultyDisk{}
	l := openLog(t, Options{disk: d, Shed: true})
	d.set(func(d *faultyDisk) { d.onPut = func([]byte) (int, error) { return 0, syscall.ENOSPC } })
	mustRefuse(t, l, true)
	eventually(t, "the log is in trouble", sick(l))
	for range 3 {
		if seq, err := l.Append(sample(), false); seq != 0 || err != nil {
			t.Errorf("Append = %d, %v", seq, err)
		}
	}
	d.set(func(d *faultyDisk) { d.onPut = nil })
	eventually(t, "the log goes on", healthy(l))
	var gap record
	for _, r := range checkLog(t, l) {
		if r.Kind == AuditGap {
			gap = r
		}
	}
	if gap.Gap.Count != 3 || gap.Gap.Reason != gapShed {
		t.Errorf("gap %+v", gap)
	}
}

func TestDirectoryLostAndFound(t *testing.T) {
	remove := func(t *testing.T, paths ...string) {
		t.Helper()
		for _, p := range paths {
			// The log may make files meanwhile.
			eventually(t, "the directory goes", func() bool { return os.RemoveAll(p) == nil })
		}
	}
	rename := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		lose, find func(t *testing.T, dir string)
	}{
		"deleted and made again": {
			func(t *testing.T, dir string) { remove(t, dir) },
			func(t *testing.T, dir string) {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			},
		},
		"renamed and back": {
			func(t *testing.T, dir string) { rename(t, dir, dir+".old") },
			func(t *testing.T, dir string) { rename(t, dir+".old", dir) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "audit")
			l := openLog(t, Options{Directory: dir})
			a := mustAppend(t, l, true)
			b := mustAppend(t, l, false)
			c.lose(t, dir)
			within(t, 5*time.Second, "noticing", func() { eventually(t, "health says so", sick(l)) })
			mustRefuse(t, l, false)
			mustRefuse(t, l, true)
			c.find(t, dir)
			eventually(t, "the log goes on", healthy(l))
			checkLog(t, l, a, b, mustAppend(t, l, true))
			l = openLog(t, Options{Directory: dir})
			checkLog(t, l, a, b, mustAppend(t, l, true))
		})
	}
}

func TestFilesLostAreReplaced(t *testing.T) {
	for name, lose := range map[string]func(l *Log) error{
		"intake removed":  func(l *Log) error { return os.Remove(l.path(segment.IntakeFile)) },
		"segment removed": func(l *Log) error { return os.Remove(l.path(segment.Name(1) + segment.Plain)) },
		"segment replaced": func(l *Log) error {
			return replaceFile(osDisk{}, l.path(segment.Name(1)+segment.Plain), []byte("x\n"), true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t, Options{})
			a := mustAppend(t, l, true)
			if err := lose(l); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the directory is whole again", func() bool { return l.inspect(l.flush.growing()) == nil })
			eventually(t, "the log goes on", healthy(l))
			checkLog(t, l, a, mustAppend(t, l, true))
		})
	}
}

func TestIntakeCutShortIsReplaced(t *testing.T) {
	l := openLog(t, Options{})
	a := mustAppend(t, l, true)
	if err := os.Truncate(l.path(segment.IntakeFile), 0); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, l, true)
	eventually(t, "the log goes on", func() bool {
		_, err := l.Append(sample(), true)
		return err == nil
	})
	closeLog(t, l)
	all := records(t, l.options.Directory)
	if all[a-1].Kind != QueryBegin || alerts(all, "audit.unavailable") == 0 {
		t.Errorf("records: %+v", all)
	}
}

// written counts a text in the segments of a log that is being written.
func written(t *testing.T, dir, text string) (n int) {
	t.Helper()
	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		r, err := segment.Open(f)
		if err != nil {
			continue // compressed meanwhile: the next look finds it
		}
		all, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(all), text)
	}
	return n
}

func TestClockStepIsOnRecordAndPutsOffDeletion(t *testing.T) {
	var mu sync.Mutex
	offset := time.Duration(0)
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}
	l := openLog(t, Options{now: now})
	a := mustAppend(t, l, true)
	for i, step := range []time.Duration{time.Minute, -2 * time.Minute} {
		mu.Lock()
		offset += step
		mu.Unlock()
		eventually(t, "the step is on record", func() bool { return written(t, l.options.Directory, "clock.step") == i+1 })
	}
	l.keeper.mu.Lock()
	if steady := time.Until(l.keeper.steady); steady < expireDoubt/2 {
		t.Errorf("segments may expire in %s after a step of the clock", steady)
	}
	l.keeper.mu.Unlock()
	b := mustAppend(t, l, true)
	if all := checkLog(t, l, a, b); alerts(all, "clock.step") != 2 {
		t.Errorf("want two alerts in %+v", all)
	}
}

func TestFullQueueRefusesInTimeAndCounts(t *testing.T) {
	d, until := &faultyDisk{}, make(chan struct{})
	l := openLog(t, Options{disk: d, IntakeBytes: intake.MinSize})
	d.set(func(d *faultyDisk) {
		d.onPut = func(p []byte) (int, error) { <-until; return len(p), nil }
	})
	var accepted []uint64
	refused := 0
	e := sample()
	for began := time.Now(); refused == 0 && time.Since(began) < 2*patience; {
		seq, err := l.Append(e, false)
		if err != nil {
			refused++
		} else {
			accepted = append(accepted, seq)
		}
	}
	e.Kind = QueryEnd
	if _, err := l.Append(e, false); !errors.Is(err, ErrUnavailable) || refused == 0 {
		t.Errorf("a full queue takes an end: %v, %d refused", err, refused)
	}
	d.set(func(d *faultyDisk) { d.onPut = nil })
	close(until)
	eventually(t, "the log goes on", healthy(l))
	eventually(t, "what was lost is queued", func() bool { return !l.lost.any.Load() })
	all := checkLog(t, l, accepted...)
	if g := gaps(all); len(g) != 1 || g[0].Gap.Reason != gapOutcome || g[0].Gap.Count != 1 || alerts(all, "audit.refused") == 0 {
		t.Errorf("gaps %+v", g)
	}
}
