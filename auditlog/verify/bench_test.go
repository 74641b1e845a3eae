package verify_test

import (
	"context"
	"path/filepath"
	"testing"

	"sqlveil/auditlog"
	"sqlveil/auditlog/auditlogtest"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
	"sqlveil/auditlog/verify"
)

// BenchmarkDirectory verifies 150,000 records; run it with -cpu 1 for the speed
// of one core.
func BenchmarkDirectory(b *testing.B) {
	dir := b.TempDir()
	l, err := auditlog.Open(auditlog.Options{Directory: dir, Durability: auditlog.Spool})
	if err != nil {
		b.Fatal(err)
	}
	if err := auditlogtest.New(l, 1).Fill(l, 150_000); err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	keys := filepath.Join(dir, segment.KeyDirectory)
	verifier, err := chain.LoadVerifier(filepath.Join(keys, chain.VerifyFile))
	if err != nil {
		b.Fatal(err)
	}
	identities, err := chain.LoadIdentities(filepath.Join(keys, chain.AuditorFile))
	if err != nil {
		b.Fatal(err)
	}
	for name, o := range map[string]verify.Options{
		"public":  {Verifier: verifier},
		"auditor": {Verifier: verifier, Identities: identities},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				report, err := verify.Directory(context.Background(), dir, o)
				if err != nil || !report.OK() {
					b.Fatal(report, err)
				}
				b.SetBytes(report.Bytes)
			}
		})
	}
}
