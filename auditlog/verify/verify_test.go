package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// a log for tests is written by the package under proof's own writer.
type testLog struct {
	dir    string
	record int
}

func (l *testLog) write(t testing.TB, n int) {
	t.Helper()
	log, err := auditlog.Open(auditlog.Options{Directory: l.dir, Node: "px-01", SegmentBytes: 8 << 10, IntakeBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		l.record++
		e := auditlog.Event{
			Kind: auditlog.QueryBegin, Who: auditlog.Who{Login: "ann"},
			Statement: auditlog.Statement{Text: fmt.Sprintf("select a from t%d where id = ?", l.record)},
		}
		if _, err := log.Append(&e, l.record%10 == 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func newLog(t testing.TB, n int) *testLog {
	t.Helper()
	l := &testLog{dir: t.TempDir()}
	l.write(t, n)
	return l
}

func (l *testLog) options(t testing.TB) Options {
	t.Helper()
	verifier, err := chain.LoadVerifier(filepath.Join(l.dir, segment.KeyDirectory, chain.VerifyFile))
	if err != nil {
		t.Fatal(err)
	}
	return Options{Verifier: verifier}
}

func (l *testLog) auditor(t testing.TB) Options {
	t.Helper()
	o := l.options(t)
	var err error
	if o.Identities, err = chain.LoadIdentities(filepath.Join(l.dir, segment.KeyDirectory, chain.AuditorFile)); err != nil {
		t.Fatal(err)
	}
	return o
}

func check(t testing.TB, dir string, o Options) *Report {
	t.Helper()
	report, err := Directory(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func mustBeWhole(t testing.TB, dir string, o Options) *Report {
	t.Helper()
	report := check(t, dir, o)
	for _, f := range report.Findings {
		t.Errorf("%s", f)
	}
	return report
}

// lines returns a segment's lines, with their ends.
func lines(t testing.TB, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := bytes.SplitAfter(text, []byte("\n"))
	return all[:len(all)-1]
}

func put(t testing.TB, path string, lines ...[]byte) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

func files(t testing.TB, dir string) []segment.File {
	t.Helper()
	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// unpack makes all segments plain, so that tests can get at their lines.
func unpack(t testing.TB, dir string) {
	t.Helper()
	for _, f := range files(t, dir) {
		if !f.Compressed {
			continue
		}
		r, err := segment.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, f.Name+segment.Plain), text.Bytes())
		if err := os.Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWholeLogIsWhole(t *testing.T) {
	l := newLog(t, 200)
	for range 3 {
		l.write(t, 30)
	}
	r := mustBeWhole(t, l.dir, l.options(t))
	if r.Records < 290 || r.Segments < 5 || r.First != 1 || r.Last != r.Records || r.MACs != 0 {
		t.Errorf("report %+v", r)
	}
	r = mustBeWhole(t, l.dir, l.auditor(t))
	if r.MACs != r.Records {
		t.Errorf("%d MACs checked of %d records", r.MACs, r.Records)
	}
	unpack(t, l.dir)
	mustBeWhole(t, l.dir, l.auditor(t))
}

// tampering is what somebody does to a log. It returns the segment and line at
// which verify must find it.
var tampering = map[string]func(t *testing.T, dir string) (segment string, line int){
	"flip a bit": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, 2, func(all [][]byte) [][]byte {
			at := bytes.Index(all[9], []byte("select"))
			all[9][at+1] ^= 1
			return all
		}, 10)
	},
	"flip a bit of a link": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, 2, func(all [][]byte) [][]byte {
			at := bytes.Index(all[9], []byte(`"prev":"`)) + 8
			all[9][at] = "10"[all[9][at]&1]
			return all
		}, 9)
	},
	"flip a bit of the last line": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		n := len(lines(t, f[len(f)-1].Path))
		return edit(t, dir, -1, func(all [][]byte) [][]byte {
			last := all[len(all)-1]
			at := bytes.Index(last, []byte("select"))
			last[at+1] ^= 1
			return all
		}, n)
	},
	"delete a line": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, 1, func(all [][]byte) [][]byte { return append(all[:7:7], all[8:]...) }, 8)
	},
	"delete the first line": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, 1, func(all [][]byte) [][]byte { return all[1:] }, 1)
	},
	"delete the last line of a closed segment": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)[1]
		n := len(lines(t, f.Path))
		return edit(t, dir, 1, func(all [][]byte) [][]byte { return all[:n-1] }, n)
	},
	"insert a line": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, 2, func(all [][]byte) [][]byte {
			forged := bytes.Replace(all[3], []byte("ann"), []byte("bob"), 1)
			return append(append(all[:5:5], forged), all[5:]...)
		}, 6)
	},
	"swap two lines": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, 2, func(all [][]byte) [][]byte {
			all[4], all[5] = all[5], all[4]
			return all
		}, 5)
	},
	"duplicate a line": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, 2, func(all [][]byte) [][]byte {
			return append(append(all[:5:5], all[4]), all[5:]...)
		}, 6)
	},
	"truncate at a line": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		n := len(lines(t, f[len(f)-1].Path))
		return edit(t, dir, -1, func(all [][]byte) [][]byte { return all[:n-1] }, n)
	},
	"truncate to nothing": func(t *testing.T, dir string) (string, int) {
		return edit(t, dir, -1, func([][]byte) [][]byte { return nil }, 1)
	},
	"truncate in a line": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		n := len(lines(t, f[len(f)-1].Path))
		return edit(t, dir, -1, func(all [][]byte) [][]byte {
			all[n-1] = all[n-1][:50]
			return all
		}, n)
	},
	"append an unsigned line": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		n := len(lines(t, f[len(f)-1].Path))
		return edit(t, dir, -1, func(all [][]byte) [][]byte {
			return append(all, forge(t, all[n-1]))
		}, n+1)
	},
	"append rubbish": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		n := len(lines(t, f[len(f)-1].Path))
		return edit(t, dir, -1, func(all [][]byte) [][]byte { return append(all, []byte("{}\n")) }, n+1)
	},
	"replace a segment": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		put(t, f[2].Path, lines(t, f[1].Path)...)
		return f[2].Name, 1
	},
	"swap two segments": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		a, b := lines(t, f[1].Path), lines(t, f[2].Path)
		put(t, f[1].Path, b...)
		put(t, f[2].Path, a...)
		return f[1].Name, 1
	},
	"remove a segment": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		remove(t, f[2].Path)
		return f[2].Name, 0
	},
	"remove the first segment": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		remove(t, f[0].Path)
		return f[1].Name, 1
	},
	"remove the last segment": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		remove(t, f[len(f)-1].Path)
		return f[len(f)-1].Name, 0
	},
	"remove the first segment and its entry": func(t *testing.T, dir string) (string, int) {
		f := files(t, dir)
		remove(t, f[0].Path)
		manifest := filepath.Join(dir, segment.ManifestFile)
		put(t, manifest, lines(t, manifest)[1:]...)
		return f[1].Name, 1
	},
	"remove the manifest": func(t *testing.T, dir string) (string, int) {
		remove(t, filepath.Join(dir, segment.ManifestFile))
		return segment.ManifestFile, 0
	},
	"remove the head": func(t *testing.T, dir string) (string, int) {
		remove(t, filepath.Join(dir, segment.HeadFile))
		return segment.HeadFile, 0
	},
	"change the manifest": func(t *testing.T, dir string) (string, int) {
		manifest := filepath.Join(dir, segment.ManifestFile)
		all := lines(t, manifest)
		all[1] = bytes.Replace(all[1], []byte(`"lines":`), []byte(`"lines":1`), 1)
		put(t, manifest, all...)
		return segment.ManifestFile, 2
	},
	"mix in a segment of another log": func(t *testing.T, dir string) (string, int) {
		other := newLog(t, 200)
		unpack(t, other.dir)
		f := files(t, dir)
		put(t, f[1].Path, lines(t, files(t, other.dir)[1].Path)...)
		return f[1].Name, 1
	},
	"mix in lines of another log": func(t *testing.T, dir string) (string, int) {
		other := newLog(t, 200)
		unpack(t, other.dir)
		foreign := lines(t, files(t, other.dir)[1].Path)
		return edit(t, dir, 1, func(all [][]byte) [][]byte {
			copy(all[5:8], foreign[5:8])
			return all
		}, 5)
	},
}

// forge makes a line that continues another one, by somebody without the keys.
func forge(t *testing.T, last []byte) []byte {
	t.Helper()
	last = bytes.TrimSuffix(last, []byte("\n"))
	l, err := chain.Parse(last)
	if err != nil {
		t.Fatal(err)
	}
	link := chain.Link{Seq: l.Seq + 1}
	link.Digest, _ = chain.NewHasher().Hash(last)
	body := fmt.Sprintf(`{"v":1,"seq":%d,"ts":"%s","node":"px-01","boot":"x","kind":"query.begin"`, link.Seq, l.Time)
	return append(link.Close(chain.NewHasher(), []byte(body), 0), '\n')
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// edit changes the lines of a segment; a negative number counts from the end.
func edit(t *testing.T, dir string, n int, change func([][]byte) [][]byte, line int) (string, int) {
	t.Helper()
	all := files(t, dir)
	if n < 0 {
		n += len(all)
	}
	put(t, all[n].Path, change(lines(t, all[n].Path))...)
	return all[n].Name, line
}

func TestTamperMatrix(t *testing.T) {
	whole := newLog(t, 200)
	unpack(t, whole.dir)
	for name, tamper := range tampering {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole.dir)); err != nil {
				t.Fatal(err)
			}
			segment, line := tamper(t, dir)
			for who, o := range map[string]Options{"public": whole.options(t), "auditor": whole.auditor(t)} {
				report := check(t, dir, o)
				found := false
				for _, f := range report.Findings {
					found = found || f.Segment == segment && f.Line == line
				}
				if !found {
					t.Errorf("%s: not found at %s:%d, but %d others: %v", who, segment, line, len(report.Findings), report.Findings)
				}
			}
		})
	}
}

func TestRolledBackDirectoryIsCaughtByAnAnchor(t *testing.T) {
	l := newLog(t, 100)
	yesterday := t.TempDir()
	if err := os.CopyFS(yesterday, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	l.write(t, 5) // in the same segment
	sameSegment, err := os.ReadFile(filepath.Join(l.dir, segment.HeadFile))
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, 100)
	head, err := os.ReadFile(filepath.Join(l.dir, segment.HeadFile))
	if err != nil {
		t.Fatal(err)
	}
	o := l.options(t)
	mustBeWhole(t, yesterday, o) // by itself it is
	for name, anchored := range map[string][]byte{"same segment": sameSegment, "later segment": head} {
		o.Anchored = [][]byte{anchored}
		if r := check(t, yesterday, o); r.OK() {
			t.Errorf("%s: the rolled back directory is taken for whole", name)
		} else {
			t.Log(r.Findings)
		}
		mustBeWhole(t, l.dir, o)
	}
}

func TestForeignSignatureIsRefused(t *testing.T) {
	l, other := newLog(t, 50), newLog(t, 50)
	if r := check(t, l.dir, other.options(t)); r.OK() {
		t.Error("a log signed by somebody else is taken for whole")
	}
	if err := os.CopyFS(t.TempDir(), os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	if r := check(t, t.TempDir(), l.options(t)); r.OK() {
		t.Error("an empty directory is taken for a log")
	}
}

func TestLiveLogIsWhole(t *testing.T) {
	l := &testLog{dir: t.TempDir()}
	log, err := auditlog.Open(auditlog.Options{Directory: l.dir, SegmentBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		e := auditlog.Event{Kind: auditlog.QueryBegin, Statement: auditlog.Statement{Text: "select ?"}}
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
			}
			if _, err := log.Append(&e, false); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 4 {
		time.Sleep(300 * time.Millisecond)
		mustBeWhole(t, l.dir, l.options(t))
	}
	close(stop)
	<-done
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeWhole(t, l.dir, l.auditor(t))
}

func TestKeyRotationKeepsMACs(t *testing.T) {
	l := &testLog{dir: t.TempDir()}
	log, err := auditlog.Open(auditlog.Options{Directory: l.dir})
	if err != nil {
		t.Fatal(err)
	}
	e := auditlog.Event{Kind: auditlog.Admin}
	for range 5 {
		if err := log.RotateKey(); err != nil {
			t.Fatal(err)
		}
		if _, err := log.Append(&e, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if r := mustBeWhole(t, l.dir, l.auditor(t)); r.MACs != r.Records || r.Records != 11 {
		t.Errorf("report %+v", r)
	}
}

func TestProve(t *testing.T) {
	l := newLog(t, 200)
	o := l.options(t)
	for _, seq := range []uint64{1, 2, 17, 100, 150, 201} {
		p, err := Prove(context.Background(), l.dir, seq, o.Verifier)
		if err != nil {
			t.Fatalf("record %d: %v", seq, err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseProof(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Check(o.Verifier); err != nil {
			t.Errorf("record %d: %v", seq, err)
		}
		if !strings.HasPrefix(again.Record, fmt.Sprintf(`{"v":1,"seq":%d,`, seq)) {
			t.Errorf("record %d: proof of %s", seq, again.Record)
		}
		for name, bad := range map[string]func(p *Proof){
			"other record": func(p *Proof) { p.Record = strings.Replace(p.Record, "px-01", "px-02", 1) },
			"other place":  func(p *Proof) { p.Index++ },
			"shorter path": func(p *Proof) { p.Path = p.Path[1:] },
			"other note":   func(p *Proof) { p.Note = strings.Replace(p.Note, "seq", "sep", 1) },
			"no record":    func(p *Proof) { p.Record = "" },
		} {
			forged := *p
			if bad(&forged); forged.Check(o.Verifier) == nil {
				t.Errorf("record %d, %s: the proof is accepted", seq, name)
			}
		}
	}
	for _, seq := range []uint64{0, 10_000} {
		if _, err := Prove(context.Background(), l.dir, seq, o.Verifier); err == nil {
			t.Errorf("there is a proof of record %d", seq)
		}
	}
}
