package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// As many sessions are let in as there may be files open for. Those that are work,
// the next client is told, and comes in once another one has left.
func TestRoomForSessions(t *testing.T) {
	const places = 4
	s := newSite(t, lab(t).server.Addr())
	limited := filepath.Join(t.TempDir(), "limited")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d && exec %s \"$@\"\n", filesOwn+places*filesEach, os.Args[0])
	if err := os.WriteFile(limited, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	started, err := proxytest.StartSqlveil(limited, s.config, []string{runVariable + "=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = started.Process.Kill() // it has ended already where the test ended it
		started.Wait()
	})
	p := serving{started}
	connect := func() (*pgx.Conn, error) {
		return pgx.Connect(t.Context(), proxytest.PostgresDSN(p.Address, "analyst", sample.Database))
	}
	var conns []*pgx.Conn
	for range places {
		conn, err := connect()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		if got := mobileOf(t, conn); got != "163****3514" {
			t.Errorf("a session in a full room sees %s", got)
		}
	}
	conn, err := connect()
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "53300" {
		t.Fatalf("one too many: %v, %v", conn, err)
	}
	if status, body := p.get(t, "/healthz"); status != 200 {
		t.Errorf("/healthz says %d %s", status, body)
	}
	conns[0].Close(t.Context())
	for {
		conn, err := connect()
		if err == nil {
			conn.Close(t.Context())
			return
		}
		if !errors.As(err, &refused) || refused.Code != "53300" {
			t.Fatal(err)
		}
	}
}

// A limit that leaves room for no session is said at the start.
func TestNoRoom(t *testing.T) {
	s := newSite(t, "127.0.0.1:1")
	limited := program(t, "serve", "-c", s.config)
	limited.Path, limited.Args = "/bin/sh", append([]string{"sh", "-c", `ulimit -n 60 && exec "$0" "$@"`}, limited.Args...)
	out, err := limited.CombinedOutput()
	if want := "the limit of open files is 60, at least 102 are needed (ulimit -n)"; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
}
