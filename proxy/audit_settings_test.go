package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// Every setting of the section audit does what it says, in a running proxy.
func TestAuditSettings(t *testing.T) {
	s := newSite(t, lab(t).server.Addr())
	posted := make(chan string, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		note, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		posted <- string(note)
	}))
	defer hook.Close()
	kept := t.TempDir()
	s.replace(t, "sqlveil.yaml", "audit: {directory: audit, durability: classified}",
		"audit: {directory: audit, durability: strict, node: px-07, keys: log-keys, text: sealed, anchors: ['file://"+kept+"', '"+hook.URL+"']}")
	audit(t, exitOK, "keygen", "--out", s.file("log-keys"), "--auditor", s.file("auditor.key"))

	p := s.serve(t)
	ctx := t.Context()
	conn := connectTo(t, p.Address, "analyst")
	const original = "SELECT /* 工单 7 */ name FROM customers WHERE id = 471147114711" // no number that digests or sealed texts have by chance
	if _, err := conn.Exec(ctx, original); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "SELECT name FROM customers ORDER BY salary -- 秘密"); err == nil {
		t.Fatal("not refused")
	}
	within(t, "the index is kept up while nobody asks", func() bool {
		_, err := os.Stat(s.file("audit/" + segment.IndexFile))
		return err == nil
	})
	s.replace(t, "sqlveil.yaml", "px-07", "px-08")
	p.waitFor(t, "restart it: audit")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}

	if _, err := os.Stat(s.file("audit/" + segment.KeyDirectory)); err == nil {
		t.Error("keys were made below the log's directory")
	}
	all := audit(t, exitOK, "export", "-c", s.config)
	mustContain(t, all, `"node":"px-07"`, `"sealed":"`)
	for _, secret := range []string{"工单", "471147114711", "秘密", "px-08"} {
		if strings.Contains(all, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	for statement, want := range map[string]string{
		"select name from customers where id = ?":    "original: " + original,
		"select name from customers order by salary": "original: SELECT name FROM customers ORDER BY salary -- 秘密",
	} {
		line := lineWith(t, all, `"text":"`+statement+`"`)
		number := regexp.MustCompile(`"seq":(\d+)`).FindStringSubmatch(line)[1]
		mustContain(t, audit(t, exitOK, "show", "-c", s.config, "--auditor", s.file("auditor.key"), number), want)
		if strings.Contains(audit(t, exitOK, "show", "-c", s.config, number), want) {
			t.Errorf("%s is shown without the auditor's key", want)
		}
	}
	within(t, "the last checkpoint reaches the webhook", func() bool { return len(posted) > 0 })
	mustContain(t, <-posted, chain.KeyName)
	mustContain(t, audit(t, exitOK, "verify", "-c", s.config, "--auditor", s.file("auditor.key"), "--anchor", kept), "from elsewhere", "the log is whole")
}

// A directory that is put back to what it was is found out by what an anchor keeps.
func TestAnchorConvictsARolledBackDirectory(t *testing.T) {
	s := newSite(t, lab(t).server.Addr())
	kept, yesterday := t.TempDir(), t.TempDir()
	s.replace(t, "sqlveil.yaml", "audit: {directory: audit, ", "audit: {anchors: ['file://"+kept+"'], directory: audit, ")
	for _, after := range []func() error{
		func() error { return os.CopyFS(yesterday, os.DirFS(s.file("audit"))) },
		func() error { return os.RemoveAll(s.file("audit")) },
	} {
		p := s.serve(t)
		conn := connectTo(t, p.Address, "analyst")
		if _, err := conn.Exec(t.Context(), "SELECT name FROM customers WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		mustContain(t, audit(t, exitOK, "verify", "-c", s.config, "--anchor", kept), "the log is whole")
		if err := after(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(s.file("audit"), os.DirFS(yesterday)); err != nil {
		t.Fatal(err)
	}
	mustContain(t, audit(t, exitOK, "verify", "-c", s.config), "the log is whole")
	mustContain(t, audit(t, 1, "verify", "-c", s.config, "--anchor", kept), "not as it was written")
}

// While the log cannot be written statements are refused, the session lives and
// health says why; with shed, what touches nothing classified goes on and is
// counted. Both go on by themselves when the log can be written again.
func TestLogThatCannotBeWritten(t *testing.T) {
	for _, c := range []struct {
		name, settings string
		plain          string // SQLSTATE of a statement that touches nothing classified
		afterwards     string // in the log
	}{
		{"refuse", "durability: strict", "58030", "audit.refused"},
		{"shed", "durability: spool, shed: true", "", `"kind":"audit.gap"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, lab(t).server.Addr())
			s.replace(t, "sqlveil.yaml", "audit: {directory: audit, durability: classified}", "audit: {directory: audit, "+c.settings+"}")
			p := s.serve(t)
			conn := connectTo(t, p.Address, "analyst")
			state := func(sql string) string {
				_, err := conn.Exec(t.Context(), sql)
				return stateOf(t, err)
			}
			if got := state("SELECT 1"); got != "" {
				t.Fatal(got)
			}
			obstruct(t, s.file("audit"))
			within(t, "health says so", func() bool {
				status, body := p.get(t, "/healthz")
				return status == http.StatusServiceUnavailable && strings.Contains(body, "audit log")
			})
			if got := state("SELECT 1"); got != c.plain {
				t.Errorf("a statement on nothing classified ends with %q, want %q", got, c.plain)
			}
			if got := state("SELECT mobile FROM customers WHERE id = 1"); c.plain != "" && got != c.plain {
				t.Errorf("a statement on classified data ends with %q", got)
			}
			clearWay(t, s.file("audit"))
			within(t, "health is back", func() bool { status, _ := p.get(t, "/healthz"); return status == http.StatusOK })
			if got := state("SELECT 2"); got != "" {
				t.Errorf("afterwards: %s", got)
			}
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
			line := lineWith(t, audit(t, exitOK, "export", "-c", s.config), c.afterwards)
			// What was lost is for somebody to look into.
			number := regexp.MustCompile(`"seq":(\d+)`).FindStringSubmatch(line)[1]
			mustContain(t, audit(t, exitOK, "verify", "-c", s.config, "--auditor", s.file("audit/keys/auditor.key"), "--accept", number), "the log is whole")
		})
	}
}

// obstruct puts a file where a directory is; clearWay puts the directory back.
func obstruct(t *testing.T, dir string) {
	t.Helper()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "in the way")
}

func clearWay(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
}

func connectTo(t *testing.T, address, user string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(address, user, sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the proxy may be gone
	return conn
}

// within waits until something is so.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// lineWith is the first line that has a text.
func lineWith(t *testing.T, lines, text string) string {
	t.Helper()
	for line := range strings.Lines(lines) {
		if strings.Contains(line, text) {
			return line
		}
	}
	t.Fatalf("no line has %q", text)
	return ""
}

// stateOf is the SQLSTATE of an error of the server, "" for none.
func stateOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	server, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		t.Fatal(err)
	}
	return server.Code
}
