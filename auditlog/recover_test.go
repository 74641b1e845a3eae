package auditlog

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/intake"
	"sqlveil/auditlog/segment"
	"sqlveil/auditlog/verify"
)

// verified checks a log as an auditor does.
func verified(t *testing.T, dir string, accept ...uint64) *verify.Report {
	t.Helper()
	keys := filepath.Join(dir, segment.KeyDirectory)
	verifier, err := chain.LoadVerifier(filepath.Join(keys, chain.VerifyFile))
	if err != nil {
		t.Fatal(err)
	}
	identities, err := chain.LoadIdentities(filepath.Join(keys, chain.AuditorFile))
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Directory(context.Background(), dir, verify.Options{Verifier: verifier, Identities: identities, Accept: accept})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func mustVerify(t *testing.T, dir string, accept ...uint64) *verify.Report {
	t.Helper()
	report := verified(t, dir, accept...)
	for _, f := range report.Findings {
		t.Errorf("%s", f)
	}
	return report
}

// crashed returns a copy of a log's directory as SIGKILL would leave it. The
// log itself goes on and is closed.
func crashed(t *testing.T, o Options, appends int) (dir string) {
	t.Helper()
	l := openLog(t, o)
	for range appends {
		mustAppend(t, l, false)
	}
	eventually(t, "all is written", func() bool {
		l.flush.mu.Lock()
		defer l.flush.mu.Unlock()
		return l.flush.written.seq > uint64(appends)+1 // and the chain's key
	})
	dir = t.TempDir()
	for _, name := range []string{segment.IntakeFile, segment.HeadFile, segment.Name(1) + segment.Plain} {
		copyFile(t, l.path(name), filepath.Join(dir, name))
	}
	if err := os.CopyFS(filepath.Join(dir, segment.KeyDirectory), os.DirFS(l.options.Keys)); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// change rewrites the growing segment.
func change(t *testing.T, dir string, f func(text []byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, segment.Name(1)+segment.Plain)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func goOn(t *testing.T, dir string) []record {
	t.Helper()
	l := openLog(t, Options{Directory: dir})
	mustAppend(t, l, true)
	closeLog(t, l)
	return records(t, dir)
}

func gaps(all []record) (gaps []record) {
	for _, r := range all {
		if r.Kind == AuditGap {
			gaps = append(gaps, r)
		}
	}
	return gaps
}

func TestTornLineIsCutAndOnRecord(t *testing.T) {
	dir := crashed(t, Options{}, 3)
	change(t, dir, func(text []byte) []byte { return append(text, `{"v":1,"seq":5,"ts":"20`...) })
	all := goOn(t, dir)
	if g := gaps(all); len(g) != 1 || g[0].Gap.Reason != gapTorn || g[0].Gap.Count != 0 || count(all, QueryBegin) != 4 {
		t.Errorf("records %+v", all)
	}
	mustVerify(t, dir)
}

func TestForeignLinesAreSetAside(t *testing.T) {
	dir := crashed(t, Options{}, 3)
	forged := `{"v":1,"seq":5,"kind":"query.begin"}` + "\n"
	change(t, dir, func(text []byte) []byte { return append(text, forged...) })
	all := goOn(t, dir)
	g := gaps(all)
	if len(g) != 1 || g[0].Gap.Reason != gapForeign {
		t.Fatalf("records %+v", all)
	}
	aside, err := filepath.Glob(filepath.Join(dir, "*.foreign-*"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %v, %v", aside, err)
	}
	if text, err := os.ReadFile(aside[0]); err != nil || string(text) != forged {
		t.Errorf("set aside: %q, %v", text, err)
	}
	if r := verified(t, dir); r.OK() {
		t.Error("verify says nothing of the foreign lines")
	}
	mustVerify(t, dir, g[0].Seq)
}

func TestLostEndIsOnRecord(t *testing.T) {
	for name, keep := range map[string]int{"some": 3, "all": 0} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t, Options{}, 4) // 5 lines with the chain's key
			change(t, dir, func(text []byte) []byte {
				lines := bytes.SplitAfter(text, []byte("\n"))
				return append(bytes.Join(lines[:keep], nil), "torn"...)
			})
			all := goOn(t, dir)
			g := gaps(all)
			if len(g) != 1 || g[0].Gap.Reason != gapLost || g[0].Gap.From != uint64(keep+1) || g[0].Gap.To != 5 || g[0].Gap.Count != uint64(5-keep) {
				t.Fatalf("records %+v", all)
			}
			if r := verified(t, dir); r.OK() {
				t.Error("verify says nothing of the lost lines")
			}
			if keep > 0 {
				mustVerify(t, dir, g[0].Seq)
			}
		})
	}
}

func TestMissingSegmentIsOnRecord(t *testing.T) {
	dir := crashed(t, Options{}, 4)
	if err := os.Remove(filepath.Join(dir, segment.Name(1)+segment.Plain)); err != nil {
		t.Fatal(err)
	}
	all := goOn(t, dir)
	if g := gaps(all); len(g) != 1 || g[0].Gap.Count != 5 || g[0].Gap.From != 1 || g[0].Gap.To != 5 {
		t.Errorf("records %+v", all)
	}
}

func TestLostStateBeginsANewKey(t *testing.T) {
	dir := crashed(t, Options{}, 4)
	if err := os.Remove(filepath.Join(dir, segment.IntakeFile)); err != nil {
		t.Fatal(err)
	}
	all := goOn(t, dir)
	if len(all) != 7 || all[5].Kind != ChainKey || all[5].Detail["reason"] != keyLost || all[5].Detail["log"] != all[0].Detail["log"] {
		t.Fatalf("records %+v", all)
	}
	if r := verified(t, dir); r.OK() {
		t.Error("verify says nothing of the lost key")
	}
	if r := mustVerify(t, dir, 6); r.MACs != r.Records {
		t.Errorf("%d MACs checked of %d", r.MACs, r.Records)
	}
}

func TestLostKeysAreNotReplaced(t *testing.T) {
	dir := crashed(t, Options{}, 4)
	if err := os.RemoveAll(filepath.Join(dir, segment.KeyDirectory)); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(Options{Directory: dir}); err == nil || !strings.Contains(err.Error(), "keys") {
		t.Errorf("Open without the keys: %v", err)
		closeLog(t, l)
	}
}

// hole leaves a claimed number without an entry, as a session does that is
// killed in the middle of Put.
func TestUnfinishedEntryIsOnRecord(t *testing.T) {
	dir := crashed(t, Options{}, 2)
	ring, found, err := intake.Open(filepath.Join(dir, segment.IntakeFile), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Reset(found.Next+2, found.State); err != nil { // numbers 4 and 5 are given out
		t.Fatal(err)
	}
	if _, err := ring.Put(1, appendBody(nil, sample())); err != nil {
		t.Fatal(err)
	}
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	all := goOn(t, dir)
	if g := gaps(all); len(g) != 1 || g[0].Gap.From != 4 || g[0].Gap.To != 5 || g[0].Gap.Reason != gapUnfinished || all[3].Seq != 6 {
		t.Errorf("records %+v", all)
	}
	mustVerify(t, dir)
}

func TestWrittenButNotNotedLinesAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Directory: dir})
	before := t.TempDir()
	copyFile(t, l.path(segment.IntakeFile), filepath.Join(before, segment.IntakeFile))
	for range 3 {
		mustAppend(t, l, true)
	}
	if err := l.RotateKey(); err != nil {
		t.Fatal(err)
	}
	afterRotation := t.TempDir()
	copyFile(t, l.path(segment.IntakeFile), filepath.Join(afterRotation, segment.IntakeFile))
	mustAppend(t, l, true)
	closeLog(t, l)
	copyFile(t, filepath.Join(afterRotation, segment.IntakeFile), l.path(segment.IntakeFile))
	all := goOn(t, dir)
	if count(all, QueryBegin) != 5 || len(gaps(all)) != 0 {
		t.Errorf("records %+v", all)
	}
	mustVerify(t, dir)
	// With the state of before the rotation the new key cannot be known: what
	// follows is not this chain's any more.
	copyFile(t, filepath.Join(before, segment.IntakeFile), l.path(segment.IntakeFile))
	if g := gaps(goOn(t, dir)); len(g) != 1 || g[0].Gap.Reason != gapForeign {
		t.Errorf("gaps %+v", g)
	}
}

func TestStateSurvivesEncoding(t *testing.T) {
	s := state{log: "l", machine: "m \"1\"", node: "n\x00", boot: "", segment: segment.Name(9), first: 9, offset: 77, link: chain.Link{Seq: 12, Key: chain.Key{1}, Digest: chain.Digest{2}}, fresh: chain.Key{3}}
	for range 13 {
		s.tree.Add(chain.Digest{4})
	}
	text := s.append(nil)
	got, err := parseState(text)
	if err != nil || got != s {
		t.Errorf("parseState = %+v, %v", got, err)
	}
	for i := range text {
		if _, err := parseState(text[:i]); err == nil {
			t.Errorf("%d bytes of %d are taken for a state", i, len(text))
		}
	}
}

// A fakeClock is one that tests move.
type fakeClock struct{ offset atomic.Int64 }

func newFakeClock(offset time.Duration) *fakeClock {
	c := new(fakeClock)
	c.offset.Store(int64(offset))
	return c
}

func (c *fakeClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func TestHourEndsASegment(t *testing.T) {
	clock := newFakeClock(0)
	l := openLog(t, Options{now: clock.now})
	a := mustAppend(t, l, true)
	clock.offset.Add(int64(time.Hour))
	b := mustAppend(t, l, true)
	eventually(t, "a second segment", func() bool { return len(l.manifest.entries()) == 1 })
	checkLog(t, l, a, b, mustAppend(t, l, true))
	mustVerify(t, l.options.Directory)
}

// aged makes a log of several closed segments, all of them old.
func aged(t *testing.T, dir string) (l *Log, segments int) {
	t.Helper()
	clock := newFakeClock(-500 * 24 * time.Hour)
	l = openLog(t, Options{Directory: dir, SegmentBytes: 8 << 10, now: clock.now})
	for range 50 {
		mustAppend(t, l, false)
	}
	closeLog(t, l)
	l = openLog(t, Options{Directory: dir, SegmentBytes: 8 << 10})
	l.keeper.unsure(-2 * expireAfter)
	return l, len(l.manifest.entries())
}

func expire(t *testing.T, l *Log) {
	t.Helper()
	if err := l.keeper.expire(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestExpiredSegmentsAreDeletedAndThatIsOnRecord(t *testing.T) {
	dir := t.TempDir()
	l, n := aged(t, dir)
	expire(t, l)
	mustAppend(t, l, true)
	closeLog(t, l)
	files, err := segment.List(dir)
	if err != nil || len(files) > 2 {
		t.Errorf("segments left: %v, %v", files, err)
	}
	report := mustVerify(t, dir)
	if report.Deleted == 0 || n < 3 || report.MACs == 0 {
		t.Errorf("report %+v", report)
	}
	// A restart finds nothing more to complain of.
	closeLog(t, openLog(t, Options{Directory: dir}))
	mustVerify(t, dir)
}

func TestNothingExpiresWhileTheClockIsInDoubt(t *testing.T) {
	l, n := aged(t, t.TempDir())
	defer closeLog(t, l)
	l.keeper.unsure(0)
	expire(t, l)
	l.keeper.unsure(expireDoubt)
	expire(t, l)
	if m := l.manifest.entries(); len(m) != n {
		t.Errorf("manifest %+v", m)
	}
}

func TestLegalHoldKeepsSegments(t *testing.T) {
	dir := t.TempDir()
	l, n := aged(t, dir)
	third := l.manifest.entries()[2]
	if err := l.Hold(Hold{Name: "case-7", Reason: "court order", By: "legal", From: third.Since, To: third.Until}); err != nil {
		t.Fatal(err)
	}
	expire(t, l)
	left, err := segment.List(dir)
	if err != nil || len(left) < n-2 || left[0].Name > third.Segment {
		t.Errorf("segments left under the hold: %v, %v", left, err)
	}
	if err := l.Lift("case-8", "legal"); err == nil {
		t.Error("a hold that is not there is lifted")
	}
	if err := l.Lift("case-7", "legal"); err != nil {
		t.Fatal(err)
	}
	expire(t, l)
	closeLog(t, l)
	if files, err := segment.List(dir); err != nil || len(files) > 2 {
		t.Errorf("segments left after the hold: %v, %v", files, err)
	}
	if all := verifiedKinds(t, dir); all[LegalHold] != 2 {
		t.Errorf("kinds on record: %v", all)
	}
	mustVerify(t, dir)
}

func verifiedKinds(t *testing.T, dir string) map[Kind]int {
	t.Helper()
	kinds := make(map[Kind]int)
	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		r, err := segment.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			l, err := chain.Parse(bytes.TrimSuffix(line, []byte("\n")))
			if err != nil {
				t.Fatal(err)
			}
			kinds[Kind(l.Kind)]++
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return kinds
}

func auditors(t *testing.T, dir string) []age.Identity {
	t.Helper()
	identities, err := chain.LoadIdentities(filepath.Join(dir, segment.KeyDirectory, chain.AuditorFile))
	if err != nil {
		t.Fatal(err)
	}
	return identities
}
