package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	soakClients  = 32
	soakDatabase = "soak"
	soakPolicy   = `version: 1
levels: [public, secret]
classes: {secret: {level: secret, mask: {redact: {}}}}
columns: {"*.*.*.secret": secret}
roles: {all: {clearance: secret}, some: {clearance: public}}
callers: [{user: soak_all, role: all}, {user: soak_some, role: some}]
unlabelled: visible
`
)

// TestKilledProxyLosesNoStatement kills the proxy (SIGKILL) at random moments
// while clients insert rows through it, each under a name of its own, and
// compares: no client may have more rows than the log has begins of its inserts.
func TestKilledProxyLosesNoStatement(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	database := server.Database(t, soakDatabase)
	ctx := t.Context()
	for _, user := range []string{"soak_all", "soak_some", "soak_catalog"} {
		if err := server.AddUser(ctx, user, proxytest.ByTrust, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Exec(ctx, database, "CREATE TABLE ran (client text, secret text); GRANT ALL ON ran TO soak_all, soak_some"); err != nil {
		t.Fatal(err)
	}
	for i, durability := range []string{"spool", "classified", "strict"} {
		kills := (*proxyKills + 2 - i) / 3
		t.Run(durability, func(t *testing.T) { killProxies(t, server, database, durability, kills) })
	}
}

func killProxies(t *testing.T, server *proxytest.PostgreSQLServer, database, durability string, kills int) {
	t.Helper()
	dir := t.TempDir()
	settings := proxytest.Site{Server: server.Addr(), Catalog: "soak_catalog", Policy: soakPolicy, Durability: durability}
	config, err := settings.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir, config}
	for n := range kills {
		killProxy(t, s, database, fmt.Sprintf("%s-%d", durability, n))
	}
	if err := s.serve(t).Stop(); err != nil { // it takes up what the last one left
		t.Fatal(err)
	}
	compareSoak(t, server, database, filepath.Join(dir, "audit"), durability)
}

// killProxy lets clients work through a proxy for a moment and kills it.
func killProxy(t *testing.T, s *site, database, name string) {
	t.Helper()
	p := s.serve(t)
	var clients sync.WaitGroup
	working := make(chan struct{}, soakClients)
	for c := range soakClients {
		clients.Go(func() { insertUntilCut(p.Address, database, fmt.Sprintf("%s-%d", name, c), c, working) })
	}
	select {
	case <-working:
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
	case <-time.After(20 * time.Second):
		t.Errorf("no client gets anything done: %s", p.Log())
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	clients.Wait()
}

// insertUntilCut inserts rows until the proxy is gone.
func insertUntilCut(address, database, name string, n int, working chan<- struct{}) {
	user, mode := "soak_all", pgx.QueryExecModeCacheStatement
	if n%2 == 1 {
		user = "soak_some"
	}
	if n%4 < 2 {
		mode = pgx.QueryExecModeSimpleProtocol
	}
	ctx := context.Background()
	config, err := pgx.ParseConfig(proxytest.PostgresDSN(address, user, database))
	if err != nil {
		return
	}
	config.RuntimeParams["application_name"] = name
	config.DefaultQueryExecMode = mode
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return // killed already
	}
	defer conn.Close(ctx)
	for {
		if _, err := conn.Exec(ctx, "INSERT INTO ran (client) VALUES ($1)", name); err != nil {
			return
		}
		select {
		case working <- struct{}{}:
		default: // everybody knows by now
		}
	}
}

func compareSoak(t *testing.T, server *proxytest.PostgreSQLServer, database, dir, durability string) {
	t.Helper()
	ctx := context.Background()
	conn, err := server.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT client, count(*) FROM ran WHERE client LIKE $1 || '-%' GROUP BY client", durability)
	if err != nil {
		t.Fatal(err)
	}
	executed := make(map[string]int)
	var client string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&client, &n}, func() error { executed[client] = n; return nil }); err != nil {
		t.Fatal(err)
	}
	begun, ended := soakBegins(t, dir)
	total, begins, ends := 0, 0, 0
	for client, n := range executed {
		total += n
		if n > begun[client] {
			t.Errorf("client %s: the server ran %d statements, the log has %d begins", client, n, begun[client])
		}
	}
	for n := range maps.Values(begun) {
		begins += n
	}
	for n := range maps.Values(ended) {
		ends += n
	}
	t.Logf("%s: %d statements run, %d begins and %d ends on record", durability, total, begins, ends)
	if total == 0 {
		t.Error("nothing was run")
	}
	keys := filepath.Join(dir, segment.KeyDirectory)
	verifier, err1 := chain.LoadVerifier(filepath.Join(keys, chain.VerifyFile))
	identities, err2 := chain.LoadIdentities(filepath.Join(keys, chain.AuditorFile))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	report, err := verify.Directory(ctx, dir, verify.Options{Verifier: verifier, Identities: identities})
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

// soakBegins counts the begins and ends of inserts by client.
func soakBegins(t *testing.T, dir string) (begun, ended map[string]int) {
	t.Helper()
	begun, ended = make(map[string]int), make(map[string]int)
	files, err := segment.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		r, err := segment.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		err = segment.Lines(r, func(_ int, line []byte) error {
			var record struct {
				Kind string
				Sess struct{ App string }
				Stmt struct{ Command string }
			}
			if err := json.Unmarshal(line, &record); err != nil {
				return err
			}
			if strings.HasPrefix(record.Stmt.Command, "INSERT") {
				switch record.Kind {
				case "query.begin":
					begun[record.Sess.App]++
				case "query.end":
					ended[record.Sess.App]++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return begun, ended
}
