package auditlog

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// sample is an event as a session fills it.
func sample() *Event {
	return &Event{
		Kind:      QueryBegin,
		Session:   Session{ID: "01JD", Listener: "crm", Protocol: "postgres", TLS: "1.3", Client: "203.0.113.9:51522", Application: "crm-web 4.2", Certificate: "CN=crm"},
		Who:       Who{Login: "crm_ro", Role: "support", Person: "zhang.wei", Verified: true},
		Why:       Why{Purpose: "complaint", Ticket: "C-2026-118"},
		Database:  Database{Server: "10.0.0.5:5432", Engine: "PostgreSQL 17.2", Name: "crm"},
		Statement: Statement{ID: 91, Sub: 1, Protocol: "extended", Command: "SELECT", Class: "READ", Fingerprint: "8f3a", Text: "select name, mobile from customer where id = $1", Length: 48},
		Objects:   []Object{{"crm.public.customer.mobile", "mobile", "confidential", "output", "masked"}},
		Decision:  Decision{Verdict: "mask", Policy: "sha256:00", Masks: []MaskedColumn{{"mobile", "partial"}}},
		Subjects:  Subjects{Count: 1, Keys: []SubjectKey{{0x9c, 0x1e}}},
	}
}

func openLog(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Directory == "" {
		o.Directory = t.TempDir()
	}
	if o.IntakeBytes == 0 {
		o.IntakeBytes = 1 << 20
	}
	o.Node = "px-01"
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error("Close:", err)
	}
}

// record is a line as far as tests look at it.
type record struct {
	Seq  uint64
	Kind Kind
	Ref  uint64
	Node string
	Boot string
	Gap  struct {
		From, To, Count uint64
		Reason          string
	}
	Stmt   struct{ Text string }
	Detail map[string]string
}

// records reads all lines of a log, checking chain and JSON on the way.
func records(t testing.TB, dir string) []record {
	t.Helper()
	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []record
	var digest chain.Digest
	h := chain.NewHasher()
	for _, f := range files {
		r, err := segment.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		err = segment.Lines(r, func(n int, line []byte) error {
			var rec record
			if err := json.Unmarshal(line, &rec); err != nil {
				t.Fatalf("%s:%d: %v\n%s", f.Name, n, err, line)
			}
			l, err := chain.Parse(line)
			if err != nil || l.Seq != rec.Seq || string(l.Kind) != string(rec.Kind) {
				t.Fatalf("%s:%d: Parse = %+v, %v", f.Name, n, l, err)
			}
			if l.Prev != digest {
				t.Fatalf("%s:%d: record %d is not linked to the one before it", f.Name, n, rec.Seq)
			}
			digest, _ = h.Hash(line)
			all = append(all, rec)
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func count(all []record, kind Kind) (n int) {
	for _, r := range all {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

func TestAppendInEveryDurability(t *testing.T) {
	for _, d := range []Durability{Strict, Classified, Spool} {
		t.Run(string(d), func(t *testing.T) {
			dir := t.TempDir()
			l := openLog(t, Options{Directory: dir, Durability: d})
			const writers, each = 8, 50
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					e := sample()
					for i := range each {
						e.Kind = QueryBegin
						begin, err := l.Append(e, i%5 == 0)
						if err != nil {
							t.Error(err)
							return
						}
						e.Kind, e.Ref = QueryEnd, begin
						end, err := l.Append(e, false)
						if err != nil || end <= begin {
							t.Errorf("end %d of %d: %v", end, begin, err)
						}
						e.Ref = 0
					}
				})
			}
			wg.Wait()
			closeLog(t, l)
			all := records(t, dir)
			if b, e := count(all, QueryBegin), count(all, QueryEnd); b != writers*each || e != b {
				t.Errorf("%d begins and %d ends, want %d", b, e, writers*each)
			}
			for i, r := range all {
				if r.Seq != uint64(i+1) {
					t.Fatalf("record %d has number %d", i+1, r.Seq)
				}
				if r.Kind == QueryEnd && all[r.Ref-1].Kind != QueryBegin {
					t.Errorf("record %d ends a %s", r.Seq, all[r.Ref-1].Kind)
				}
			}
		})
	}
}

func TestReopenGoesOnWithTheChain(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		l := openLog(t, Options{Directory: dir})
		if _, err := l.Append(sample(), true); err != nil {
			t.Fatal(err)
		}
		closeLog(t, l)
		if _, err := l.Append(sample(), true); err == nil {
			t.Error("Append after Close succeeds")
		}
	}
	all := records(t, dir)
	if count(all, QueryBegin) != 5 || count(all, ChainKey) != 1 || count(all, AuditGap) != 0 {
		t.Errorf("records: %+v", all)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	l := openLog(t, Options{})
	defer closeLog(t, l)
	if _, err := Open(Options{Directory: l.options.Directory}); err == nil {
		t.Error("two logs write one directory")
	}
}

func TestRotationBySizeCompressesAndKeepsTheChain(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Directory: dir, SegmentBytes: 64 << 10})
	for range 1000 {
		if _, err := l.Append(sample(), false); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all but one segment compressed", func() bool {
		files, err := segment.List(dir)
		if err != nil || len(files) < 5 {
			return false
		}
		for _, f := range files[:len(files)-1] {
			if !f.Compressed {
				return false
			}
		}
		return true
	})
	closeLog(t, l)
	all := records(t, dir)
	if n := count(all, QueryBegin); n != 1000 {
		t.Errorf("%d records, want 1000", n)
	}
	m, err := segment.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range m {
		c, err := chain.OpenCheckpoint([]byte(e.Note), l.Verifier())
		if err != nil || c.Size != e.Lines || c.Seq != e.Last || c.Segment != e.Segment || e.First == 0 || e.Since.IsZero() || e.Until.Before(e.Since) {
			t.Errorf("manifest entry %+v, checkpoint %+v, %v", e, c, err)
		}
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 s: %s", what)
		}
	}
}

// While records come in numbers, closed segments are left for later, but not more
// of them than there is room for.
func TestCompressionWaitsForALull(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Directory: dir, SegmentBytes: 64 << 10})
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for e := sample(); ; {
			select {
			case <-stop:
				return
			default:
				if _, err := l.Append(e, false); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	left := 0 // plain segments when the first was compressed
	eventually(t, "a segment compressed", func() bool {
		files, err := segment.List(dir)
		left = len(slices.DeleteFunc(files, func(f segment.File) bool { return f.Compressed }))
		return err == nil && len(files) > left
	})
	if left < mostPlain/2 {
		t.Errorf("compressed with %d segments left", left)
	}
	close(stop)
	writing.Wait()
	eventually(t, "all but one segment compressed", func() bool {
		plain, err := l.keeper.plain()
		return err == nil && len(plain) == 0
	})
	closeLog(t, l)
}

func TestHeadSignsEverythingAfterClose(t *testing.T) {
	l := openLog(t, Options{})
	if _, err := l.Append(sample(), false); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	signed, err := os.ReadFile(l.path(segment.HeadFile))
	if err != nil {
		t.Fatal(err)
	}
	c, err := chain.OpenCheckpoint(signed, l.Verifier())
	if err != nil || c.Size != 2 || c.Seq != 2 {
		t.Errorf("head %+v, %v", c, err)
	}
}

func lastLine(t *testing.T, dir string) string {
	t.Helper()
	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(files[len(files)-1].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var last string
	for s := bufio.NewScanner(f); s.Scan(); {
		last = s.Text()
	}
	return last
}

func TestTheLineIsAsDocumented(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Directory: dir})
	e := sample()
	e.Kind, e.Ref = QueryEnd, 1
	e.Time = time.Date(2026, 11, 23, 8, 15, 2, 113482999, time.FixedZone("CST", 8*3600))
	e.Result = Result{OK: true, SQLState: "00000", Rows: 1, Bytes: 214, Micros: 4120, MaskedCells: 1}
	if _, err := l.Append(e, false); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	want := `{"v":1,"seq":2,"ts":"2026-11-23T00:15:02.113482Z","node":"px-01","boot":"` + l.boot + `","kind":"query.end","ref":1,` +
		`"sess":{"id":"01JD","listener":"crm","proto":"postgres","tls":"1.3","client":"203.0.113.9:51522","app":"crm-web 4.2","cert":"CN=crm"},` +
		`"who":{"login":"crm_ro","role":"support","person":"zhang.wei","verified":true},` +
		`"why":{"purpose":"complaint","ticket":"C-2026-118"},` +
		`"db":{"server":"10.0.0.5:5432","engine":"PostgreSQL 17.2","database":"crm"},` +
		`"stmt":{"id":91,"sub":1,"protocol":"extended","command":"SELECT","class":"READ","fp":"8f3a","text":"select name, mobile from customer where id = $1","len":48},` +
		`"obj":[{"column":"crm.public.customer.mobile","class":"mobile","level":"confidential","in":"output","released":"masked"}],` +
		`"decision":{"verdict":"mask","policy":"sha256:00","masks":[{"col":"mobile","mask":"partial"}]},` +
		`"result":{"ok":true,"sqlstate":"00000","rows":1,"bytes":214,"us":4120,"masked_cells":1},` +
		`"subj":{"n":1,"keys":["9c1e0000000000000000000000000000"]},"prev":"`
	if got := lastLine(t, dir); !strings.HasPrefix(got, want) {
		t.Errorf("line\n%s\nwant\n%s", got, want)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"no directory": {},
		"durability":   {Directory: t.TempDir(), Durability: "fast"},
		"retention":    {Directory: t.TempDir(), RetentionDays: 179},
		"under a file": {Directory: filepath.Join(os.Args[0], "x")},
	} {
		if l, err := Open(o); err == nil {
			t.Errorf("%s: Open succeeds", name)
			closeLog(t, l)
		}
	}
}

func TestAppendThenCallsOnceTheRecordIsSynced(t *testing.T) {
	d := &faultyDisk{}
	l := openLog(t, Options{disk: d})
	synced := make(chan error, 1)
	then := func(err error) { synced <- err }
	if _, waits, err := l.AppendThen(sample(), false, then); waits || err != nil {
		t.Errorf("a record that need not be synced: %v, %v", waits, err)
	}
	syncing := make(chan struct{})
	d.set(func(d *faultyDisk) { d.onSync = func() error { <-syncing; return nil } })
	seq, waits, err := l.AppendThen(sample(), true, then)
	if !waits || err != nil {
		t.Fatalf("a record that is to be synced: %v, %v", waits, err)
	}
	select {
	case err := <-synced:
		t.Errorf("synced (%v) before the disk had it", err)
	default:
	}
	close(syncing)
	if err := <-synced; err != nil {
		t.Error(err)
	}
	d.set(func(d *faultyDisk) { d.onSync = func() error { return syscall.EIO } })
	if _, waits, err := l.AppendThen(sample(), true, then); !waits || err != nil {
		t.Fatalf("before the disk fails: %v, %v", waits, err)
	}
	if err := <-synced; !errors.Is(err, ErrUnavailable) {
		t.Errorf("after it failed: %v", err)
	}
	d.set(func(d *faultyDisk) { d.onSync = nil })
	eventually(t, "the log goes on", healthy(l))
	checkLog(t, l, seq)
}
