package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
	"sqlveil/auditlog/verify"
	"sqlveil/proxy/proxytest"
)

var proxyKills = flag.Int("proxykills", 3, "how often TestKilledProxyLosesNoStatement kills the proxy")

const (
	soakClients = 32
	soakPolicy  = `version: 1
levels: [public, secret]
classes: {secret: {level: secret, mask: {redact: {}}}}
columns: {"*.*.*.secret": secret}
roles: {all: {clearance: secret}, some: {clearance: public}}
callers: [{user: soak_all, role: all}, {user: soak_some, role: some}]
unlabelled: visible
`
	soakTable = `CREATE EXTENSION pg_stat_statements;
CREATE TABLE ran (id bigserial, kill int, client int, secret text);
CREATE INDEX ON ran (kill);
GRANT ALL ON ran, ran_id_seq TO soak_all, soak_some`
)

// TestKilledProxyLosesNoStatement kills the proxy (SIGKILL) at random moments
// while 32 clients of pgbench insert rows through it, and compares what the
// server says it ran with what the log says was let through, in each durability:
//
//   - no client of any run has more rows than the log has begins of its inserts;
//   - the table's sequence, which no rollback sets back, has not given out more
//     numbers than the log has begins;
//   - pg_stat_statements counts no more calls.
func TestKilledProxyLosesNoStatement(t *testing.T) {
	server := proxytest.PostgreSQL(t, proxytest.WithSetting("shared_preload_libraries", "pg_stat_statements"))
	ctx := t.Context()
	for _, user := range []string{"soak_all", "soak_some", "soak_catalog"} {
		if err := server.AddUser(ctx, user, proxytest.ByTrust, ""); err != nil {
			t.Fatal(err)
		}
	}
	for i, durability := range []string{"spool", "classified", "strict"} {
		database := server.Database(t, "soak_"+durability)
		if err := server.Exec(ctx, database, soakTable); err != nil {
			t.Fatal(err)
		}
		k := &killing{server: server, database: database, script: filepath.Join(t.TempDir(), "insert.pgbench")}
		if err := os.WriteFile(k.script, []byte(soakScript()), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(durability, func(t *testing.T) { k.run(t, durability, (*proxyKills+2-i)/3) })
	}
}

// soakScript is what each client of pgbench does again and again. The alias
// tells the clients apart in the log, which has no values; every second one
// writes a column with a label.
func soakScript() string {
	var b strings.Builder
	for client := range soakClients {
		word := "elif"
		if client == 0 {
			word = "if"
		}
		columns, values := "kill, client", ":kill, :client_id"
		if client%2 == 1 {
			columns, values = columns+", secret", values+", 'secret'"
		}
		fmt.Fprintf(&b, "\\%s :client_id = %d\nINSERT INTO ran AS c%d (%s) VALUES (%s);\n", word, client, client, columns, values)
	}
	return b.String() + "\\endif\n"
}

// A killing is a database that is written through proxies that get killed.
type killing struct {
	server   *proxytest.PostgreSQLServer
	database string
	script   string    // for pgbench
	observer *pgx.Conn // past the proxy
}

func (k *killing) run(t *testing.T, durability string, kills int) {
	var err error
	if k.observer, err = k.server.Connect(t.Context(), k.database); err != nil {
		t.Fatal(err)
	}
	defer k.observer.Close(context.Background())
	dir := t.TempDir()
	settings := proxytest.Site{Server: k.server.Addr(), Catalog: "soak_catalog", Policy: soakPolicy, Durability: durability}
	config, err := settings.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir, config}
	for n := range kills {
		k.kill(t, s, n)
		if (n+1)%50 == 0 {
			t.Logf("%s: %d kills", durability, n+1)
		}
	}
	if err := s.serve(t).Stop(); err != nil { // it takes up what the last one left
		t.Fatal(err)
	}
	k.compare(t, filepath.Join(dir, "audit"), durability)
	verifySoak(t, filepath.Join(dir, "audit"))
}

// kill lets pgbench work through a proxy for a moment and kills the proxy.
func (k *killing) kill(t *testing.T, s *site, n int) {
	t.Helper()
	program, err := proxytest.PostgresProgram("pgbench")
	if err != nil {
		t.Fatal(err)
	}
	user := []string{"soak_all", "soak_some"}[n%2]
	p := s.serve(t)
	before := k.count(t, "SELECT last_value FROM ran_id_seq")
	bench := exec.Command(program, "--no-vacuum", "--client="+strconv.Itoa(soakClients), "--time=60", "--file="+k.script,
		"--protocol="+[]string{"simple", "extended", "prepared"}[n%3], "--define=kill="+strconv.Itoa(n),
		proxytest.PostgresDSN(p.Address, user, k.database)+"&application_name=kill-"+strconv.Itoa(n))
	var output bytes.Buffer
	bench.Stdout, bench.Stderr = &output, &output
	if err := bench.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); k.count(t, "SELECT last_value FROM ran_id_seq") == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("no client gets anything done: %s", p.Log())
			break
		}
	}
	time.Sleep(time.Duration(rand.IntN(300_000)) * time.Microsecond)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	if err := bench.Wait(); err == nil {
		t.Errorf("pgbench came to its end without the proxy: %s", &output)
	}
}

// count asks the server for one number.
func (k *killing) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := k.observer.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// ran are the rows of each client of each run, such as "kill-7 c31".
func (k *killing) ran(t *testing.T) map[string]int {
	t.Helper()
	rows, err := k.observer.Query(context.Background(), "SELECT format('kill-%s c%s', kill, client), count(*) FROM ran GROUP BY kill, client")
	if err != nil {
		t.Fatal(err)
	}
	executed := make(map[string]int)
	var client string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&client, &n}, func() error { executed[client] = n; return nil }); err != nil {
		t.Fatal(err)
	}
	return executed
}

func (k *killing) compare(t *testing.T, dir, durability string) {
	t.Helper()
	// What the last proxy let through may run still.
	for deadline := time.Now().Add(time.Minute); k.count(t, "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'soak%' AND usename <> 'soak_catalog'") > 0; {
		if time.Now().After(deadline) {
			t.Fatal("sessions without a proxy go on")
		}
		time.Sleep(10 * time.Millisecond)
	}
	executed := k.ran(t)
	begun, ends := soakBegins(t, dir)
	rows, begins := 0, 0
	for client, n := range executed {
		rows += n
		if n > begun[client] {
			t.Errorf("%s: the server ran %d statements, the log has %d begins", client, n, begun[client])
		}
	}
	for n := range maps.Values(begun) {
		begins += n
	}
	numbers := k.count(t, "SELECT last_value FROM ran_id_seq")
	calls := k.count(t, `SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid
		WHERE datname = current_database() AND query LIKE 'INSERT INTO ran%'`)
	t.Logf("%s: %d rows, %d numbers of the sequence, %d calls in pg_stat_statements; %d begins and %d ends on record",
		durability, rows, numbers, calls, begins, ends)
	if rows == 0 || calls == 0 {
		t.Error("nothing was run")
	}
	if numbers > begins || calls > begins {
		t.Error("the log has fewer begins than the server has statements")
	}
}

// verifySoak runs verify and keeps what does not pass it.
func verifySoak(t *testing.T, dir string) {
	t.Helper()
	keys := filepath.Join(dir, segment.KeyDirectory)
	verifier, err1 := chain.LoadVerifier(filepath.Join(keys, chain.VerifyFile))
	identities, err2 := chain.LoadIdentities(filepath.Join(keys, chain.AuditorFile))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	report, err := verify.Directory(context.Background(), dir, verify.Options{Verifier: verifier, Identities: identities})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Errorf("%s", f)
	}
	if t.Failed() {
		kept, err := os.MkdirTemp("", "soak")
		if err == nil {
			err = os.CopyFS(kept, os.DirFS(dir))
		}
		t.Logf("the log is kept in %s (%v)", kept, err)
	}
}

// soakBegins counts the begins of inserts by run and client, as ran does, and
// their ends.
func soakBegins(t *testing.T, dir string) (begun map[string]int, ends int) {
	t.Helper()
	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	begun = make(map[string]int)
	inserts := make(map[uint64]bool) // numbers of begins
	for _, f := range files {
		r, err := segment.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		err = segment.Lines(r, func(_ int, line []byte) error {
			var record struct {
				Seq, Ref uint64
				Kind     string
				Sess     struct{ App string }
				Stmt     struct{ Text string }
			}
			if err := json.Unmarshal(line, &record); err != nil {
				return err
			}
			text, insert := strings.CutPrefix(record.Stmt.Text, "insert into ran as ")
			switch {
			case insert && record.Kind == "query.begin":
				client, _, _ := strings.Cut(text, " ")
				begun[record.Sess.App+" "+client]++
				inserts[record.Seq] = true
			case inserts[record.Ref] && record.Kind == "query.end":
				ends++
			}
			return nil
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return begun, ends
}
