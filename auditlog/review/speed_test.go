package review

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/auditlog/auditlogtest"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

var (
	records   = flag.Int("records", 20_000, "size of the log that TestSpeed asks")
	directory = flag.String("directory", "", "where that log is kept or, if there is none, made; a temporary directory when left out")
)

// asked is how long any search may take, and slowest how few records a second a
// core may index.
const (
	asked   = time.Second
	slowest = 50_000
)

// judged says whether the log is long enough for the limits to mean something.
// Shorter ones, of every run of the tests, show that the answers come.
func judged() bool { return *records >= 1_000_000 }

func TestSpeed(t *testing.T) {
	dir := *directory
	if dir == "" {
		dir = t.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, segment.HeadFile)); err != nil {
		generate(t, dir, *records)
	}
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), segment.IndexFile)
	began, before := time.Now(), cpu(t)
	x, err := Open(ctx, dir, Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	took := cpu(t) - before
	n := x.zones[len(x.zones)-1].maxSeq
	rate := float64(n) / took.Seconds()
	t.Logf("%d records indexed in %s, %s of CPU: %.0f records per second and core", n, time.Since(began), took, rate)
	if judged() && rate < slowest {
		t.Errorf("%.0f records per second and core, want %d", rate, slowest)
	}

	one := search(t, x, Filter{Class: "mobile", Limit: 1})[0]
	for _, f := range []Filter{
		{User: one.Login, Limit: 100},
		{User: "nobody"},
		{Role: one.Role, Limit: 100},
		{Table: one.Tables()[0], Limit: 100},
		{Class: "salary", Limit: 100},
		{Class: "salary", Verdict: "refuse", Role: "dba", Limit: 100},
		{Fingerprint: one.Fingerprint, Limit: 100},
		{Text: "table07", User: one.Person, Limit: 100},
		{Session: one.Session},
		{Since: one.Time.Add(-time.Minute), Until: one.Time, Limit: 100},
		{Since: auditlogtest.Begin.Add(time.Hour), Until: auditlogtest.Begin.Add(time.Hour + time.Minute), Limit: 100, Oldest: true},
	} {
		began, before := time.Now(), cpu(t)
		rows := search(t, x, f)
		within(t, f.String(), len(rows), began, before)
	}
	secret, err := chain.LoadSubjectKey(filepath.Join(dir, segment.KeyDirectory, chain.SubjectFile))
	if err != nil {
		t.Fatal(err)
	}
	hasher := auditlog.NewSubjectHasher(secret)
	for _, customer := range []string{"4711", "0", "499999", "nobody"} {
		began, before := time.Now(), cpu(t)
		rows, err := x.WhoSaw(ctx, []auditlog.SubjectKey{hasher.Key("customer-id", []byte(customer))}, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		within(t, "who saw customer "+customer, len(rows), began, before)
	}
}

// within holds the processor time of an answer against the limit: what else the
// machine does is not the index's.
func within(t *testing.T, what string, rows int, began time.Time, before time.Duration) {
	t.Helper()
	took := cpu(t) - before
	t.Logf("%s: %d rows in %s, %s of CPU", what, rows, time.Since(began), took)
	if judged() && took > asked {
		t.Errorf("%s took %s of CPU, want at most %s", what, took, asked)
	}
}

func generate(t *testing.T, dir string, n int) {
	t.Helper()
	l, err := auditlog.Open(auditlog.Options{Directory: dir, Durability: auditlog.Spool})
	if err != nil {
		t.Fatal(err)
	}
	if err := auditlogtest.New(l, 1).Fill(l, n); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// cpu is the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
