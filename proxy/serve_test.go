package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// runVariable makes the test binary be the program, so that tests can run it as
// a process of its own.
const runVariable = "SQLVEIL_TEST_RUN"

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), runVariable+"=1")
	return cmd
}

// runProgram runs a command to its end and returns its outputs and exit code.
func runProgram(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(t, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// A site is a directory with a configuration for the lab's database.
type site struct {
	directory string
	config    string // sqlveil.yaml
}

// newSite writes the demo's configuration for a server.
func newSite(t *testing.T, server string) *site {
	t.Helper()
	dir := t.TempDir()
	settings := proxytest.Site{Server: server, Catalog: catalogUser, Policy: sample.Policy}
	path, err := settings.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &site{dir, path}
}

func (s *site) file(name string) string { return filepath.Join(s.directory, name) }

// replace changes a file of the site at once, as deployments do.
func (s *site) replace(t *testing.T, name, before, after string) {
	t.Helper()
	data, err := os.ReadFile(s.file(name))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), before, after, 1)
	if changed == string(data) {
		t.Fatalf("%s has no %q", name, before)
	}
	writeFile(t, s.file(name+".new"), changed)
	if err := os.Rename(s.file(name+".new"), s.file(name)); err != nil {
		t.Fatal(err)
	}
}

// A serving is a running `sqlveil serve`.
type serving struct{ *proxytest.Sqlveil }

// serve starts the program and waits until it serves.
func (s *site) serve(t *testing.T, args ...string) serving {
	t.Helper()
	p, err := proxytest.StartSqlveil(os.Args[0], s.config, []string{runVariable + "=1"}, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill() // it has ended already where the test ended it
		p.Wait()
	})
	return serving{p}
}

// waitFor waits until the log has a text.
func (p serving) waitFor(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.Log(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has no %q: %s", text, p.Log())
		}
	}
}

// get reads a page of the admin address.
func (p serving) get(t *testing.T, page string) (status int, body string) {
	t.Helper()
	answer, err := http.Get("http://" + p.Admin + page)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// mobile is what a user sees of the first customer's mobile.
func (p serving) mobile(t *testing.T, user string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(p.Address, user, sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	return mobileOf(t, conn)
}

func mobileOf(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var text string
	if err := conn.QueryRow(t.Context(), "SELECT mobile FROM customers WHERE id = 3").Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestServeReloads(t *testing.T) {
	s := newSite(t, lab(t).server.Addr())
	p := s.serve(t)
	session, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(p.Address, "analyst", sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(context.Background())
	want := func(step, mobile string, status int) {
		t.Helper()
		if got := p.mobile(t, "analyst"); got != mobile {
			t.Errorf("%s: a new session sees %s, want %s", step, got, mobile)
		}
		if got := mobileOf(t, session); got != mobile {
			t.Errorf("%s: the open session sees %s, want %s", step, got, mobile)
		}
		if got, body := p.get(t, "/healthz"); got != status {
			t.Errorf("%s: /healthz says %d %s, want %d", step, got, body, status)
		}
	}
	want("at first", "163****3514", 200)

	s.replace(t, "policy.yaml", "mobile: {level: confidential, mask: {partial: {first: 3, last: 4}}", "mobile: {level: confidential, mask: {partial: {last: 2}}")
	p.waitFor(t, `"message":"reloaded"`)
	want("after a good change", "*********14", 200)

	s.replace(t, "policy.yaml", "mask: {partial: {last: 2}}", "mask: {partial: {lost: 2}}")
	p.waitFor(t, "not reloaded")
	want("after a bad change", "*********14", 503)
	if _, body := p.get(t, "/healthz"); !strings.Contains(body, "policy.yaml:") || strings.Count(body, "\n") != 1 {
		t.Errorf("/healthz does not say where: %s", body)
	}

	s.replace(t, "policy.yaml", "mask: {partial: {lost: 2}}", "mask: {partial: {last: 3}}")
	for deadline := time.Now().Add(20 * time.Second); strings.Count(p.Log(), `"message":"reloaded"`) < 2 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	want("after the mend", "********514", 200)

	s.replace(t, "sqlveil.yaml", "name: crm", "name: other")
	p.waitFor(t, "restart it: crm: name")
	want("after what takes a restart", "********514", 503)
	s.replace(t, "sqlveil.yaml", "name: other", "name: crm")

	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); strings.Count(p.Log(), `"message":"reloaded"`) < 3 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	want("after SIGHUP", "********514", 200)
	if _, body := p.get(t, "/metrics"); !strings.Contains(body, `sqlveil_reloads_total{result="failed"} 2`) || !strings.Contains(body, `sqlveil_masked_cells_total{listener="crm"}`) {
		t.Errorf("/metrics: %s", body)
	}
}

// waitForSleep waits until a statement sleeps in the server.
func waitForSleep(t *testing.T, server *proxytest.PostgreSQLServer, sql string) {
	t.Helper()
	conn, err := server.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for running := 0; running == 0; {
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = $1", sql).Scan(&running)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A statement that runs when SIGTERM comes is let end; a session that waits for
// nothing is told to go.
func TestServeDrains(t *testing.T) {
	p := newSite(t, lab(t).server.Addr()).serve(t, "--drain", "15s")
	busy, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(p.Address, "dba", sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close(context.Background())
	idle, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(p.Address, "analyst", sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close(context.Background())
	answer := make(chan error, 1)
	go func() {
		var text string
		answer <- busy.QueryRow(t.Context(), "SELECT 'done' FROM pg_sleep(2)").Scan(&text)
	}()
	waitForSleep(t, lab(t).server, "SELECT 'done' FROM pg_sleep(2)")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("the statement that ran: %v", err)
	}
	if code := p.Wait(); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.Log())
	}
	if err := idle.Ping(t.Context()); err == nil {
		t.Error("the idle session is still there")
	}
	if conn, err := net.DialTimeout("tcp", p.Address, time.Second); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

// Each thing that can go wrong is told in one line.
func TestOneLineForEachError(t *testing.T) {
	server := lab(t).server
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	other, err := proxytest.NewAuthority("another authority")
	if err != nil {
		t.Fatal(err)
	}
	const explain = "explain"
	for _, test := range []struct {
		name    string
		command string
		change  func(*testing.T, *site)
		want    string
	}{
		{"port taken", "serve", func(t *testing.T, s *site) {
			s.replace(t, "sqlveil.yaml", "listen: 127.0.0.1:0", "listen: "+taken.Addr().String())
		}, "sqlveil: listener crm: listen tcp " + taken.Addr().String() + ": bind: address already in use\n"},
		{"admin port taken", "serve", func(t *testing.T, s *site) {
			s.replace(t, "sqlveil.yaml", "admin: {listen: 127.0.0.1:0}", "admin: {listen: "+taken.Addr().String()+"}")
		}, "sqlveil: admin: listen tcp " + taken.Addr().String() + ": bind: address already in use\n"},
		{"no key", "serve", func(t *testing.T, s *site) {
			if err := os.Remove(s.file("masking.key")); err != nil {
				t.Fatal(err)
			}
		}, "DIR/sqlveil.yaml:8:17: DIR/masking.key: there is no such file\n"},
		{
			"bad key", "check", func(t *testing.T, s *site) { writeFile(t, s.file("masking.key"), "short") },
			"DIR/sqlveil.yaml:8:17: DIR/masking.key: want 32 random bytes in base64; sqlveil keygen makes them\n",
		},
		{"no configuration", "serve", func(t *testing.T, s *site) {
			if err := os.Remove(s.config); err != nil {
				t.Fatal(err)
			}
		}, "DIR/sqlveil.yaml: there is no such file\n"},
		{"server down", explain, func(t *testing.T, s *site) {
			s.replace(t, "sqlveil.yaml", server.Addr(), "127.0.0.1:1")
		}, "sqlveil: listener crm: catalog account sqlveil at 127.0.0.1:1: connection refused\n"},
		{
			"wrong password", explain, func(t *testing.T, s *site) { writeFile(t, s.file("catalog.secret"), "wrong\n") },
			"sqlveil: listener crm: catalog account sqlveil at " + server.Addr() + ": the server says: password authentication failed for user \"sqlveil\" (28P01)\n",
		},
		{"wrong authority", explain, func(t *testing.T, s *site) {
			writeFile(t, s.file("ca.pem"), string(other.PEM))
			s.replace(t, "sqlveil.yaml", "tls: {mode: disable}", "tls: {mode: verify-full, ca: ca.pem}")
		}, "sqlveil: listener crm: catalog account sqlveil at " + server.Addr() + ": the server's certificate is not signed by the authority in tls.ca: x509: certificate signed by unknown authority"},
		{"unknown role", explain + " --role nobody", func(*testing.T, *site) {}, "sqlveil: --role: the policy has no role \"nobody\"\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, server.Addr())
			test.change(t, s)
			args := append(strings.Fields(test.command), "-c", s.config)
			if strings.HasPrefix(test.command, explain) {
				args = append(args, "--database", sample.Database, "SELECT 1")
				if test.command == explain {
					args = append(args, "--role", "analyst")
				}
			}
			_, stderr, code := runProgram(t, args...)
			got := strings.ReplaceAll(stderr, s.directory, "DIR")
			if code == exitOK || !strings.HasPrefix(got, test.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("exit code %d, %q, want %q", code, got, test.want)
			}
		})
	}
}

// What a client is told when the server is not there, or does not know it.
func TestLoginErrors(t *testing.T) {
	server, err := proxytest.StartPostgreSQL()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := newSite(t, server.Addr()).serve(t)
	connect := func(user string) string {
		conn, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(p.Address, user, "postgres"))
		if err == nil {
			conn.Close(t.Context())
			return "logged in"
		}
		return plainError(err).Error()
	}
	for _, user := range []string{"dba", "stranger"} {
		if err := server.AddUser(t.Context(), user, proxytest.ByScram, ""); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string]string{
		"dba":      "logged in",
		"nobody":   `the server says: password authentication failed for user "nobody" (28P01)`,
		"stranger": `the policy has no role for user "stranger" in database "postgres"`,
	} {
		if got := connect(user); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", user, got, want)
		}
	}
	server.Stop()
	if got := connect("dba"); !strings.Contains(got, "the server cannot be reached") {
		t.Errorf("without the server: %s", got)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if got := connect("dba"); got != "logged in" {
		t.Errorf("with the server back: %s", got)
	}
	if strings.Contains(p.Log(), "goroutine") {
		t.Errorf("a stack trace: %s", p.Log())
	}
}

// The certificate that clients are shown changes with its file.
func TestServeReloadsCertificates(t *testing.T) {
	d := lab(t)
	s := newSite(t, d.server.Addr())
	authority, err := proxytest.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.file("ca.pem"), string(authority.PEM))
	writeFile(t, s.file("db-ca.pem"), string(d.server.Authority.PEM))
	certificate := func(host string) {
		pair, err := authority.Server(host)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, s.file("proxy.crt"), string(pair.Certificate))
		writeFile(t, s.file("proxy.key"), string(pair.Key))
	}
	certificate("elsewhere.example")
	s.replace(t, "sqlveil.yaml", "    server: ", "    tls: {mode: require, certificate: proxy.crt, key: proxy.key}\n    server: ")
	s.replace(t, "sqlveil.yaml", "tls: {mode: disable}", "tls: {mode: verify-full, ca: db-ca.pem}")
	p := s.serve(t)
	connect := func(mode string) error {
		dsn := strings.Replace(proxytest.PostgresDSN(p.Address, "analyst", sample.Database), "sslmode=disable", "sslmode="+mode+"&channel_binding=disable&sslrootcert="+s.file("ca.pem"), 1)
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			return err
		}
		defer conn.Close(t.Context())
		if got := mobileOf(t, conn); got != "163****3514" {
			return fmt.Errorf("mobile is %s", got)
		}
		return nil
	}
	// Channel binding ties a login to one TLS connection, and here are two.
	if err := connect("verify-ca"); err != nil {
		t.Errorf("over TLS on both sides: %v", err)
	}
	if err := connect("disable"); err == nil {
		t.Error("a client without TLS is let in")
	}
	if err := connect("verify-full"); err == nil {
		t.Error("the certificate is for 127.0.0.1 before it is replaced")
	}
	certificate("127.0.0.1")
	p.waitFor(t, `"message":"reloaded"`)
	if err := connect("verify-full"); err != nil {
		t.Errorf("after the certificate was replaced: %v", err)
	}
}

// The account that reads catalogs may get another password while the program
// runs, and a wrong one is told at once.
func TestServeReloadsTheCatalogAccount(t *testing.T) {
	server, err := proxytest.StartPostgreSQL()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := (postgresDemo{server}).fill(t.Context(), demoOptions{customers: 3, seed: 1}); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, server.Addr())
	writeFile(t, s.file("catalog.secret"), "wrong\n")
	p := s.serve(t)
	p.waitFor(t, "roles with masks will be refused")
	p.waitFor(t, `password authentication failed for user \"sqlveil\" (28P01)`)
	writeFile(t, s.file("catalog.secret"), proxytest.Password(catalogUser)+"\n")
	p.waitFor(t, `"message":"reloaded"`)
	if got := p.mobile(t, "analyst"); got != "163****3514" {
		t.Errorf("mobile is %s", got)
	}
}

// Clients and the server may be reached over unix sockets.
func TestServeUnixSockets(t *testing.T) {
	d := lab(t)
	s := newSite(t, d.server.Addr())
	socket := filepath.Join(s.directory, ".s.PGSQL.5432")
	s.replace(t, "sqlveil.yaml", "listen: 127.0.0.1:0", "listen: "+socket)
	s.replace(t, "sqlveil.yaml", `address: "`+d.server.Addr()+`"`, "address: "+filepath.Join(d.server.Directory, fmt.Sprintf(".s.PGSQL.%d", d.server.Port)))
	for range 2 { // the second finds the socket of the first in its way
		p := s.serve(t)
		conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s user=analyst dbname=crm password=%s", s.directory, proxytest.Password("analyst")))
		if err != nil {
			t.Fatal(err)
		}
		if got := mobileOf(t, conn); got != "163****3514" {
			t.Errorf("mobile is %s", got)
		}
		conn.Close(t.Context())
		_ = p.Process.Kill()
		p.Wait()
	}
}
