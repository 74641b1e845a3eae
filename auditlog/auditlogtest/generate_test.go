package auditlogtest

import (
	"context"
	"flag"
	"path/filepath"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
	"sqlveil/auditlog/verify"
)

var (
	size      = flag.Int("records", 20_000, "how many records TestGeneratedLogVerifies makes")
	directory = flag.String("directory", "", "where it makes them; a temporary directory when left out")
)

func TestGeneratedLogVerifies(t *testing.T) {
	dir := *directory
	if dir == "" {
		dir = t.TempDir()
	}
	l, err := auditlog.Open(auditlog.Options{Directory: dir, Node: "px-01", Durability: auditlog.Spool})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := New(l, 1).Fill(l, *size); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("written in %s", time.Since(began))
	verifier, err := chain.LoadVerifier(filepath.Join(dir, segment.KeyDirectory, chain.VerifyFile))
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	report, err := verify.Directory(context.Background(), dir, verify.Options{Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
	took := time.Since(began)
	t.Logf("%d records, %d bytes verified in %s: %.0f MB/s", report.Records, report.Bytes, took, float64(report.Bytes)/1e6/took.Seconds())
}
