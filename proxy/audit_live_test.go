package main

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// The audit commands work on the log of a proxy that is running, and what they
// did is on its record.
func TestAuditOfARunningProxy(t *testing.T) {
	s := newSite(t, lab(t).server.Addr())
	p := s.serve(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, proxytest.PostgresDSN(p.Address, "analyst", sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var mobile string
	if err := conn.QueryRow(ctx, "SELECT mobile FROM customers WHERE id = 1").Scan(&mobile); err != nil {
		t.Fatal(err)
	}
	mustContain(t, audit(t, exitOK, "verify", "-c", s.config), "the log is whole")
	mustContain(t, audit(t, exitOK, "search", "-c", s.config, "--user", "analyst", "--class", "mobile"), "masked", "select mobile from customers where id = ?", "1 row")
	mustContain(t, audit(t, exitOK, "tail", "-c", s.config, "-n", "2"), "audit.read", "command=search")
	mustContain(t, audit(t, exitOK, "unused-grants", "-c", s.config), "support", "salary")
	mustContain(t, audit(t, exitOK, "index", "-c", s.config), "records")
	audit(t, exitOK, "hold", "-c", s.config, "case-1", "--reason", "test")
	audit(t, exitOK, "rotate-key", "-c", s.config)
	if err := conn.QueryRow(ctx, "SELECT mobile FROM customers WHERE id = 2").Scan(&mobile); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	keys := s.file("audit/keys/auditor.key")
	mustContain(t, audit(t, exitOK, "verify", "-c", s.config, "--auditor", keys), "the log is whole")
	looks := audit(t, exitOK, "search", "-c", s.config, "--kind", "a*", "-o", "csv")
	for _, command := range []string{"verify", "search", "tail", "unused-grants"} {
		if !strings.Contains(looks, "command="+command) {
			t.Errorf("%s is not on record:\n%s", command, looks)
		}
	}
	mustContain(t, looks, "name=case-1", "admin.hold")
}
