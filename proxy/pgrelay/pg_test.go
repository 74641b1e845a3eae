package pgrelay

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"sqlveil/auditlog"
	"sqlveil/auditlog/chain"
	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/protocol/pgwire/pgwiretest"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/session"
)

// soon is a context for what must not hang.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustExec(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(soon(t), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// mustFail runs a statement that has to fail with a SQLSTATE and returns the message.
func mustFail(t testing.TB, conn *pgx.Conn, state, sql string, args ...any) string {
	t.Helper()
	_, err := conn.Exec(soon(t), sql, args...)
	if err == nil || stateOf(err) != state {
		t.Fatalf("%s: got %v, want SQLSTATE %s", sql, err, state)
	}
	return err.Error()
}

func TestSearchPath(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	const sql = "SELECT coalesce(mobile, '') FROM person WHERE id = 1"
	if got := value(t, conn, sql); got != "138****0001" {
		t.Fatalf("public.person: %s", got)
	}
	mustExec(t, conn, "SET search_path = other")
	if got := value(t, conn, sql); got != "139****9999" {
		t.Fatalf("other.person: %s", got)
	}
	if got := value(t, conn, "SELECT secret FROM person"); got != "[redacted]" {
		t.Fatalf("other.person.secret: %s", got)
	}
	tx, err := conn.Begin(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, "SET LOCAL search_path = public")
	if got := value(t, conn, sql); got != "138****0001" {
		t.Fatalf("public.person in a transaction: %s", got)
	}
	if err := tx.Rollback(soon(t)); err != nil {
		t.Fatal(err)
	}
	if got := value(t, conn, sql); got != "139****9999" {
		t.Fatalf("after the rollback: %s", got)
	}
	if _, err := conn.Exec(soon(t), "SELECT set_config('search_path', 'public', false)"); err == nil {
		if got := value(t, conn, sql); got != "138****0001" {
			t.Fatalf("after set_config: %s", got)
		}
	}
}

// A batch changes the search path under statements that follow in it.
func TestSearchPathInBatch(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	var b pgx.Batch
	var got []string
	collect := func(row pgx.Row) error {
		var s string
		err := row.Scan(&s)
		got = append(got, s)
		return err
	}
	b.Queue("SELECT mobile FROM person WHERE id = 1").QueryRow(collect)
	b.Queue("SET LOCAL search_path = other")
	b.Queue("SELECT mobile FROM person WHERE id = 1").QueryRow(collect)
	b.Queue("SELECT secret FROM person").QueryRow(collect)
	conn.Close(soon(t))
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec} {
		conn := r.connect("analyst", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = mode })
		if err := conn.SendBatch(soon(t), &b).Close(); err != nil {
			t.Fatal(err)
		}
		if want := "[138****0001 139****9999 [redacted]]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestTemporaryTable(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	mustExec(t, conn, "CREATE TEMP TABLE scratch (id int, mobile text)")
	mustExec(t, conn, "INSERT INTO scratch VALUES (1, 'mine')")
	if got := value(t, conn, "SELECT mobile FROM scratch"); got != "mine" {
		t.Errorf("a temporary table of one's own: %s", got)
	}
	// It hides a table of the same name.
	mustExec(t, conn, "CREATE TEMP TABLE person (id int, mobile text, note text)")
	mustExec(t, conn, "INSERT INTO person VALUES (1, '13812345678', 'mine')")
	if got := value(t, conn, "SELECT note FROM person"); got != "mine" {
		t.Errorf("a hidden table: %s", got)
	}
	mustExec(t, conn, "DROP TABLE pg_temp.person")
	if got := value(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("the table behind: %s", got)
	}
}

// What a transaction of our own has changed is seen by it alone.
func TestUncommittedTable(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	tx, err := conn.Begin(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, "CREATE TABLE fresh (id int, secret text, plain text)")
	mustExec(t, conn, "INSERT INTO fresh VALUES (1, 'x', 'y')")
	if got := value(t, conn, "SELECT secret || '' FROM (SELECT plain AS secret FROM fresh) f"); got != "y" {
		t.Errorf("plain column: %s", got)
	}
	if got := value(t, conn, "SELECT secret FROM fresh"); got != "[redacted]" {
		t.Errorf("labelled column: %s", got)
	}
	if err := tx.Rollback(soon(t)); err != nil {
		t.Fatal(err)
	}
	mustFail(t, conn, "42P01", "SELECT * FROM fresh")
}

// Somebody else changes a table under a text that was planned before.
func TestChangedElsewhere(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol })
	rows := func() string {
		got, err := conn.PgConn().Exec(soon(t), "SELECT * FROM other.person").ReadAll()
		if err != nil {
			return stateOf(err)
		}
		return string(bytes.Join(got[0].Rows[0], []byte("|")))
	}
	if got, want := rows(), "1|other|139****9999||1970-01-01||[redacted]"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	r.exec("ALTER TABLE other.person ADD COLUMN more text DEFAULT 'more'")
	eventually(t, "the new column", func() bool { return rows() == "1|other|139****9999||1970-01-01||[redacted]|more" })
	r.exec("ALTER TABLE other.person RENAME COLUMN secret TO innocent")
	if got := rows(); got != "1|other|139****9999||1970-01-01||[redacted]|more" {
		t.Errorf("after a rename: %s", got)
	}
}

// converse sends messages and reads up to the ReadyForQuery that answers a Sync.
func converse(t *testing.T, pg *pgproto3.Frontend, messages ...pgproto3.FrontendMessage) {
	t.Helper()
	for _, m := range messages {
		pg.Send(m)
	}
	pg.Send(&pgproto3.Sync{})
	if err := pg.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := pg.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if _, ready := m.(*pgproto3.ReadyForQuery); ready {
			return
		}
	}
}

// Portals of one statement whose rows come by turns: each record counts its own.
func TestPortalsByTurns(t *testing.T) {
	r := newRig(t)
	converse(t, r.connect("analyst").PgConn().Frontend(),
		&pgproto3.Parse{Name: "s", Query: "SELECT mobile FROM person ORDER BY name LIMIT 9"},
		&pgproto3.Bind{DestinationPortal: "a", PreparedStatement: "s"},
		&pgproto3.Bind{DestinationPortal: "b", PreparedStatement: "s"},
		&pgproto3.Execute{Portal: "a", MaxRows: 5},
		&pgproto3.Execute{Portal: "b"},
		&pgproto3.Execute{Portal: "a"},
	)
	ends := r.audit.of(auditlog.QueryEnd)
	if len(ends) != 2 {
		t.Fatalf("%d statements on record", len(ends))
	}
	for i, e := range ends {
		if e.Result.Rows != 9 || e.Result.MaskedCells != 9 {
			t.Errorf("record %d: %d rows, %d masked cells, want 9", i, e.Result.Rows, e.Result.MaskedCells)
		}
	}
}

// A statement whose last rows nobody asks for ends all the same: by a Close, with its
// transaction, with the session.
func TestPortalsNotFetchedToTheEnd(t *testing.T) {
	r := newRig(t)
	pg := r.connect("analyst").PgConn().Frontend()
	some := func(portal string, rows uint32) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{
			&pgproto3.Bind{DestinationPortal: portal, PreparedStatement: "s"}, &pgproto3.Execute{Portal: portal, MaxRows: rows},
		}
	}
	converse(t, pg, &pgproto3.Parse{Name: "s", Query: "SELECT mobile FROM person"}, &pgproto3.Parse{Name: "begin", Query: "BEGIN"})
	converse(t, pg, append(some("a", 2), &pgproto3.Close{ObjectType: 'P', Name: "a"})...)
	converse(t, pg, slices.Concat(some("", 3), some("", 4), some("b", 5))...)
	converse(t, pg, &pgproto3.Bind{PreparedStatement: "begin"}, &pgproto3.Execute{})
	converse(t, pg, some("c", 6)...)
	pg.Send(&pgproto3.Terminate{})
	if err := pg.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool { return len(r.audit.of(auditlog.SessionEnd)) > 0 })
	var got []string
	for _, e := range r.audit.of(auditlog.QueryEnd) {
		if e.Statement.Command == "SELECT" {
			got = append(got, fmt.Sprintf("%d/%d %s", e.Result.Rows, e.Result.MaskedCells, e.Result.Ended))
		}
	}
	if want := "[2/2 closed 3/3 closed 4/4 closed 5/5 closed 6/6 broken off]"; fmt.Sprint(got) != want {
		t.Errorf("on record are %v, want %v", got, want)
	}
}

func TestCursors(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	tx, err := conn.Begin(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	mustExec(t, conn, "DECLARE c CURSOR FOR SELECT id, mobile FROM person ORDER BY id")
	var id int
	var mobile string
	if err := conn.QueryRow(soon(t), "FETCH 1 FROM c").Scan(&id, &mobile); err != nil || mobile != "138****0001" {
		t.Errorf("FETCH: %d %s %v", id, mobile, err)
	}
	mustExec(t, conn, "MOVE 2 FROM c")
	if err := conn.QueryRow(soon(t), "FETCH NEXT FROM c", pgx.QueryExecModeSimpleProtocol).Scan(&id, &mobile); err != nil || id != 4 || mobile != "138****0004" {
		t.Errorf("FETCH: %d %s %v", id, mobile, err)
	}
	mustExec(t, conn, "CLOSE c")
	mustFail(t, conn, "34000", "FETCH 1 FROM c")
}

func TestBinaryCursor(t *testing.T) {
	r := newRig(t)
	out := r.psql("analyst", `BEGIN;
DECLARE c BINARY CURSOR FOR SELECT mobile FROM person WHERE id = 1;
FETCH ALL FROM c;
COMMIT;
`)
	if !strings.Contains(out, "138****0001") || strings.Contains(out, "13800000001") {
		t.Errorf("got %s", out)
	}
}

func TestPreparedBySQL(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol })
	mustExec(t, conn, "PREPARE s (int) AS SELECT mobile FROM person WHERE id = $1")
	if got := value(t, conn, "EXECUTE s (3)"); got != "138****0003" {
		t.Errorf("EXECUTE: %s", got)
	}
	got := conn.PgConn().ExecPrepared(soon(t), "s", [][]byte{[]byte("4")}, nil, []int16{1}).Read()
	if got.Err != nil || string(got.Rows[0][0]) != "138****0004" {
		t.Errorf("by a message: %v %q", got.Err, got.Rows)
	}
	if _, err := conn.PgConn().Prepare(soon(t), "t", "SELECT mobile FROM person WHERE id = $1", nil); err != nil {
		t.Fatal(err)
	}
	if got := value(t, conn, "EXECUTE t (5)"); got != "138****0005" {
		t.Errorf("EXECUTE of a statement made by a message: %s", got)
	}
	mustExec(t, conn, "DEALLOCATE ALL")
	mustFail(t, conn, "26000", "EXECUTE t (5)")
	mustExec(t, conn, "PREPARE u AS SELECT secret FROM other.person")
	mustExec(t, conn, "SET search_path = other")
	if got := value(t, conn, "EXECUTE u"); got != "[redacted]" {
		t.Errorf("EXECUTE: %s", got)
	}
	mustFail(t, conn, "42501", "CREATE TEMP TABLE stolen AS EXECUTE u")
}

func TestCopy(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	for _, tt := range []struct{ sql, want string }{
		{"COPY (SELECT id, mobile, salary FROM person WHERE id < 3 ORDER BY id) TO STDOUT", "1\t138****0001\t\\N\n2\t138****0002\t\\N\n"},
		{"COPY (SELECT id, mobile FROM person WHERE id < 3 ORDER BY id) TO STDOUT (FORMAT csv, HEADER)", "id,mobile\n1,138****0001\n2,138****0002\n"},
		{"COPY (SELECT id, mobile FROM person WHERE id < 2) TO STDOUT (FORMAT csv, FORCE_QUOTE (mobile))", "1,\"138****0001\"\n"},
		{"COPY other.person TO STDOUT WITH (FORMAT csv, NULL 'nix', FORCE_QUOTE *)", "\"1\",\"other\",\"139****9999\",nix,\"1970-01-01\",nix,\"[redacted]\"\n"},
	} {
		var out bytes.Buffer
		if _, err := conn.PgConn().CopyTo(soon(t), &out, tt.sql); err != nil || out.String() != tt.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", tt.sql, err, out.String(), tt.want)
		}
	}
	var out bytes.Buffer
	if _, err := conn.PgConn().CopyTo(soon(t), &out, "COPY (SELECT mobile FROM person WHERE id = 1) TO STDOUT (FORMAT binary)"); err != nil || !strings.Contains(out.String(), "138****0001") {
		t.Errorf("binary: %v %q", err, out.String())
	}
	n, err := conn.CopyFrom(soon(t), pgx.Identifier{"other", "person"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{7, "seven"}, {8, "eight"}}))
	if err != nil || n != 2 {
		t.Errorf("COPY FROM: %d %v", n, err)
	}
	if got := value(t, conn, "SELECT name FROM other.person WHERE id = 8"); got != "eight" {
		t.Errorf("after COPY FROM: %s", got)
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	r := newRig(t)
	r.exec("CREATE UNIQUE INDEX person_mobile_key ON person (mobile)")
	conn := r.connect("analyst")
	message := mustFail(t, conn, "23505", "INSERT INTO person (id, mobile) VALUES (1000, '13800000001')")
	if strings.Contains(message, "13800000001") {
		t.Errorf("got %s", message)
	}
	var pg *pgconn.PgError
	_, err := conn.Exec(soon(t), "INSERT INTO person (id, mobile) VALUES (1, '1')")
	if !errors.As(err, &pg) || pg.ConstraintName != "person_pkey" || pg.Detail != "" {
		t.Errorf("got %+v", pg)
	}
	// Another statement's errors are the server's own.
	if message := mustFail(t, conn, "22012", "SELECT 1/0"); !strings.Contains(message, "division by zero") {
		t.Errorf("got %s", message)
	}
}

func TestRefusedMessages(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	// In a transaction a refusal fails it as an error of the server's would.
	tx, err := conn.Begin(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	mustFail(t, conn, "42501", "SELECT name FROM person WHERE salary > 1000")
	mustFail(t, conn, "25P02", "SELECT 1")
	if err := tx.Rollback(soon(t)); err != nil {
		t.Fatal(err)
	}
	if got := value(t, conn, "SELECT count(*)::text FROM person"); got != "100" {
		t.Errorf("after the rollback: %s", got)
	}
	if got := len(r.audit.of(auditlog.QueryRefuse)); got == 0 {
		t.Error("the refusal is not on record")
	}
}

func TestReplicationRefused(t *testing.T) {
	r := newRig(t)
	config, err := pgconn.ParseConfig(r.dsn("analyst") + "&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgconn.ConnectConfig(soon(t), config); stateOf(err) != "28000" {
		t.Errorf("analyst: %v", err)
	}
	config, err = pgconn.ParseConfig(r.dsn("dba") + "&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.ConnectConfig(soon(t), config)
	if err != nil {
		t.Fatalf("dba: %v", err)
	}
	defer conn.Close(soon(t))
	if _, err := conn.Exec(soon(t), "IDENTIFY_SYSTEM").ReadAll(); err != nil {
		t.Errorf("IDENTIFY_SYSTEM: %v", err)
	}
}

func TestStranger(t *testing.T) {
	r := newRig(t)
	config, err := pgconn.ParseConfig(r.dsn("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgconn.ConnectConfig(soon(t), config)
	if stateOf(err) != "28000" || !strings.Contains(err.Error(), "no role") {
		t.Errorf("got %v", err)
	}
	if got := r.audit.of(auditlog.AuthFail); len(got) != 1 || got[0].Who.Login != "stranger" {
		t.Errorf("on record: %+v", got)
	}
}

func TestWrongPassword(t *testing.T) {
	r := newRig(t)
	config, err := pgconn.ParseConfig(r.dsn("analyst_scram"))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "wrong"
	if _, err = pgconn.ConnectConfig(soon(t), config); stateOf(err) != "28P01" {
		t.Errorf("got %v", err)
	}
	if got := r.audit.of(auditlog.AuthFail); len(got) != 1 || got[0].Result.SQLState != "28P01" {
		t.Errorf("on record: %+v", got)
	}
}

func TestCancel(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := conn.Exec(ctx, "SELECT pg_sleep(20)")
	if err == nil || time.Since(start) > 10*time.Second {
		t.Fatalf("got %v after %v", err, time.Since(start))
	}
	other := r.connect("dba")
	done := make(chan error, 1)
	go func() {
		_, err := other.Exec(context.Background(), "SELECT pg_sleep(20)")
		done <- err
	}()
	eventually(t, "the statement runs", func() bool {
		got := ""
		row := r.admin().QueryRow(context.Background(), "SELECT count(*)::text FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)' AND usename = 'dba' AND state = 'active'")
		return row.Scan(&got) == nil && got == "1"
	})
	if err := other.PgConn().CancelRequest(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; stateOf(err) != "57014" {
		t.Errorf("got %v", err)
	}
	if got := r.audit.of(auditlog.QueryCancel); len(got) == 0 {
		t.Error("the request is not on record")
	}
}

func TestShutdown(t *testing.T) {
	r := newRig(t)
	idle, busy := r.connect("analyst"), r.connect("dba")
	done := make(chan error, 1)
	go func() {
		_, err := busy.Exec(context.Background(), "SELECT pg_sleep(0.5)")
		done <- err
	}()
	eventually(t, "the statement runs", func() bool { return r.metrics.Statements.Load() == 1 })
	if err := r.server.Shutdown(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("a running statement: %v", err)
	}
	for name, conn := range map[string]*pgx.Conn{"idle": idle, "busy": busy} {
		_, err := conn.Exec(soon(t), "SELECT 1")
		if stateOf(err) != "57P01" {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventually(t, "all sessions gone", func() bool { return r.metrics.Sessions.Load() == 0 })
}

func TestPolicyReload(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	if got := value(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Fatal(got)
	}
	open := policySpec
	open.Callers = open.Callers[:0:0]
	open.DefaultRole = "dba"
	r.policy.Store(compiled(t, open))
	if got := value(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "13800000001" {
		t.Errorf("unmasked by a new policy: %s", got)
	}
	r.policy.Store(compiled(t, policySpec))
	if got := value(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("masked by a new policy: %s", got)
	}
	closed := policySpec
	closed.Callers = nil
	r.policy.Store(compiled(t, closed))
	mustFail(t, conn, "42501", "SELECT 1")
}

func TestManySessions(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			conn, err := pgx.Connect(context.Background(), r.dsn("analyst"))
			if err != nil {
				t.Errorf("session %d: %v", i, err)
				return
			}
			defer conn.Close(context.Background())
			for j := 1; j < 50; j++ {
				var got string
				if err := conn.QueryRow(context.Background(), "SELECT mobile FROM person WHERE id = $1", j).Scan(&got); err != nil || got != fmt.Sprintf("138****%04d", j) {
					t.Errorf("session %d: %s %v", i, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all sessions gone", func() bool { return r.metrics.Sessions.Load() == 0 })
	cancels := &r.server.Relay.(*Relay).cancels
	cancels.mu.Lock()
	defer cancels.mu.Unlock()
	if n := len(cancels.keys); n > 0 {
		t.Errorf("%d keys of sessions that are gone", n)
	}
}

func TestRefuse(t *testing.T) {
	client, theirs := pgwiretest.Pipe(t, pgwiretest.Client, &pgwiretest.Notation{})
	go (&Relay{}).Refuse(theirs, &session.Refusal{SQLState: session.StateTooManyConnections, Message: "sqlveil: too many connections"})
	client.Expect(`ErrorResponse FATAL 53300 "sqlveil: too many connections"`)
}

// With TLS on both sides, each mode against the other.
func TestTLS(t *testing.T) {
	r := newRig(t)
	pair, err := r.Authority.Server("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	servers, err := tls.LoadX509KeyPair(filepath.Join(r.Directory, "server.crt"), filepath.Join(r.Directory, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.Authority.PEM)
	clientTLS := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }}
	for _, tt := range []struct {
		name           string
		client, server session.TLSMode
		serverTLS      *tls.Config
		dsn            string // of the client
		fails          string
		same           bool // the proxy has the server's certificate
	}{
		{name: "none", client: session.TLSDisable, server: session.TLSDisable, dsn: "sslmode=disable"},
		{name: "client refuses plain", client: session.TLSDisable, server: session.TLSDisable, dsn: "sslmode=require", fails: "refused TLS"},
		{name: "client prefers", client: session.TLSDisable, server: session.TLSDisable, dsn: "sslmode=prefer"},
		{name: "proxy prefers, client does not", client: session.TLSPrefer, server: session.TLSPrefer, dsn: "sslmode=disable"},
		{name: "client only", client: session.TLSRequire, server: session.TLSDisable, dsn: "sslmode=require"},
		{name: "both, another certificate", client: session.TLSRequire, server: session.TLSRequire, dsn: "sslmode=require", fails: "channel_binding=disable"},
		{name: "both, the same certificate", client: session.TLSRequire, server: session.TLSRequire, dsn: "sslmode=require", same: true},
		{name: "both, no channel binding", client: session.TLSRequire, server: session.TLSRequire, dsn: "sslmode=require&channel_binding=disable"},
		{name: "proxy requires", client: session.TLSRequire, server: session.TLSDisable, dsn: "sslmode=disable", fails: "28000"},
		{name: "verify-ca", client: session.TLSDisable, server: session.TLSVerifyCA, serverTLS: &tls.Config{RootCAs: roots}, dsn: "sslmode=disable"},
		{name: "verify-full", client: session.TLSDisable, server: session.TLSVerifyFull, serverTLS: &tls.Config{RootCAs: roots}, dsn: "sslmode=disable"},
		{name: "wrong name", client: session.TLSDisable, server: session.TLSVerifyFull, serverTLS: &tls.Config{RootCAs: roots, ServerName: "elsewhere"}, dsn: "sslmode=disable", fails: "08006"},
		{name: "unknown authority", client: session.TLSDisable, server: session.TLSVerifyCA, serverTLS: &tls.Config{RootCAs: x509.NewCertPool()}, dsn: "sslmode=disable", fails: "08006"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, addr := r.proxy(t, func(relay *Relay) {
				relay.ClientTLS, relay.ClientTLSMod = func() *tls.Config { return clientTLS }, tt.client
				relay.ServerTLS, relay.ServerTLSMod = tt.serverTLS, tt.server
				if tt.same {
					relay.ClientTLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{servers}} }
				}
			})
			dsn := proxytest.PostgresDSN(addr, "analyst_scram", r.database)
			config, err := pgconn.ParseConfig(strings.Replace(dsn, "sslmode=disable", tt.dsn, 1))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := pgconn.ConnectConfig(soon(t), config)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			conn.Close(soon(t))
		})
	}
}

// A connection that does not log in.
func TestOpenings(t *testing.T) {
	r := newRig(t)
	dial := func(t *testing.T) (*protocol.Conn, *pgwire.Reader) {
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		c := protocol.NewConn(nc)
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c, pgwire.NewReader(c)
	}
	send := func(t *testing.T, c *protocol.Conn, b []byte) {
		t.Helper()
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		packet []byte
		state  string
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), "08P01"},
		{"too long", []byte{0, 0, 0x27, 0x11, 0, 3, 0, 0}, "08P01"},
		{"no user", pgwire.AppendStartup(nil, pgwire.Version30, []pgwire.Parameter{{Name: "database", Value: "x"}}), "28000"},
		{"user twice", pgwire.AppendStartup(nil, pgwire.Version30, []pgwire.Parameter{{Name: "user", Value: "a"}, {Name: "user", Value: "b"}}), "08P01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, in := dial(t)
			send(t, c, tt.packet)
			f, err := in.Frame(10000)
			if err != nil {
				t.Fatal(err)
			}
			d, err := pgwire.DecodeDiagnostic(f.Body)
			if err != nil || f.Type != pgwire.MsgErrorResponse || d.Severity != pgwire.SeverityFatal || d.Code != tt.state {
				t.Errorf("got %q %+v %v", f.Type, d, err)
			}
		})
	}
	t.Run("GSS, then TLS, then log in", func(t *testing.T) {
		c, in := dial(t)
		send(t, c, []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30})
		if b, err := c.Peek(1); err != nil || b[0] != 'N' {
			t.Fatalf("GSSENCRequest: %q %v", b, err)
		}
		c.Skip(1)
		send(t, c, pgwire.AppendSSLRequest(nil))
		if yes, err := in.TLSAnswer(); err != nil || yes {
			t.Fatalf("SSLRequest: %v %v", yes, err)
		}
		send(t, c, pgwire.AppendStartup(nil, pgwire.Version32, []pgwire.Parameter{{Name: "user", Value: "dba"}, {Name: "database", Value: r.database}, {Name: "_pq_.nonsense", Value: "1"}}))
		f, err := in.Frame(10000)
		if err != nil || f.Type != pgwire.MsgNegotiateProtocolVersion {
			t.Fatalf("got %q %v", f.Type, err)
		}
		for f.Type != pgwire.MsgReadyForQuery {
			if f, err = in.Frame(10000); err != nil || f.Type == pgwire.MsgErrorResponse {
				t.Fatalf("got %q %q %v", f.Type, f.Body, err)
			}
		}
	})
	t.Run("a cancel of nobody", func(t *testing.T) {
		c, _ := dial(t)
		send(t, c, pgwire.AppendCancelRequest(nil, 1, []byte{1, 2, 3, 4}))
		if _, err := c.Peek(1); err == nil {
			t.Error("an answer to a CancelRequest")
		}
	})
}

func TestLoginTimeout(t *testing.T) {
	r := newRig(t, func(r *Relay) { r.LoginTimeout = 200 * time.Millisecond })
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("something was said")
	}
	eventually(t, "the session gone", func() bool { return r.metrics.Sessions.Load() == 0 })
}

// Persons are on record whoever sees them, in whatever format, up to a limit.
func TestSubjects(t *testing.T) {
	r := newRig(t)
	r.exec("INSERT INTO person SELECT i, 'more' FROM generate_series(101, 300) i")
	hasher := auditlog.NewSubjectHasher(chain.Key{1})
	for _, user := range []string{"analyst", "dba"} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeDescribeExec, pgx.QueryExecModeSimpleProtocol} {
			t.Run(user+" "+mode.String(), func(t *testing.T) {
				conn := r.connect(user, func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = mode })
				last := func(sql string, rows int64) auditlog.Subjects {
					t.Helper()
					if _, err := conn.Exec(soon(t), sql); err != nil {
						t.Fatal(err)
					}
					ends := r.audit.of(auditlog.QueryEnd)
					e := ends[len(ends)-1]
					if e.Result.Rows != rows {
						t.Errorf("%s: %d rows on record, want %d", sql, e.Result.Rows, rows)
					}
					return e.Subjects
				}
				got := last("SELECT id, name FROM person WHERE id IN (7, 8) UNION ALL SELECT 7, 'again' FROM person WHERE id = 1 ORDER BY 1", 3)
				if got.Count != 2 || got.Keys[0] != hasher.Key("person", []byte("7")) || got.Keys[1] != hasher.Key("person", []byte("8")) {
					t.Errorf("got %+v", got)
				}
				if got := last("SELECT id FROM person", 300); got.Count != maxNamed || got.More != 300-maxNamed {
					t.Errorf("got %d and %d more", got.Count, got.More)
				}
				if got := last("SELECT name FROM person", 300); got.Count != 0 {
					t.Errorf("got %+v", got)
				}
			})
		}
	}
}

// A statement that is refused, or that only speaks of another one, is on record with
// the person whom it asks for.
func TestPersonsAskedFor(t *testing.T) {
	r := newRig(t)
	hasher := auditlog.NewSubjectHasher(chain.Key{1})
	want := hasher.Key("person", []byte("7"))
	conn := r.connect("analyst", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol })
	for _, tt := range []struct {
		sql  string
		kind auditlog.Kind
	}{
		{"SELECT name FROM person WHERE id = 7 AND mobile LIKE '138%'", auditlog.QueryRefuse},
		{"EXPLAIN SELECT name FROM person WHERE id = 7", auditlog.QueryBegin},
		{"PREPARE asked AS SELECT name FROM person WHERE id = 7", auditlog.QueryBegin},
		{"BEGIN; DECLARE asked CURSOR FOR SELECT name FROM person WHERE id = 7", auditlog.QueryBegin},
	} {
		_, err := conn.Exec(soon(t), tt.sql)
		if (err != nil) != (tt.kind == auditlog.QueryRefuse) {
			t.Fatalf("%s: %v", tt.sql, err)
		}
		events := r.audit.of(tt.kind)
		if got := events[len(events)-1].Subjects; got.Count != 1 || got.Keys[0] != want {
			t.Errorf("%s: %+v on record", tt.sql, got)
		}
	}
}

// maxNamed is how many persons the record of a statement names.
const maxNamed = 200

// A client may begin with TLS if it names the protocol in the handshake.
func TestDirectTLS(t *testing.T) {
	r := newRig(t)
	pair, err := r.Authority.Server("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	_, addr := r.proxy(t, func(relay *Relay) {
		relay.ClientTLSMod = session.TLSRequire
		relay.ClientTLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate}} }
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.Authority.PEM)
	for name, tt := range map[string]struct {
		protocols []string
		in        bool
	}{"with the protocol's name": {[]string{pgwire.ALPN}, true}, "with another name": {[]string{"h2"}, false}, "without": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, NextProtos: tt.protocols})
			if err != nil {
				if tt.in {
					t.Error(err)
				}
				return
			}
			defer nc.Close()
			if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := nc.Write(pgwire.AppendStartup(nil, pgwire.Version30, []pgwire.Parameter{{Name: "user", Value: "dba"}, {Name: "database", Value: r.database}})); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 1)
			if _, err := nc.Read(b); tt.in != (err == nil && b[0] == pgwire.MsgAuthentication) {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// The name in a client's certificate is part of the caller.
func TestClientCertificate(t *testing.T) {
	r := newRig(t)
	pair, err := r.Authority.Server("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(r.Authority.PEM)
	_, addr := r.proxy(t, func(relay *Relay) {
		relay.ClientTLSMod = session.TLSPrefer
		relay.ClientTLS = func() *tls.Config {
			return &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: authorities, ClientAuth: tls.VerifyClientCertIfGiven}
		}
	})
	spec := policySpec
	spec.Callers = []masking.CallerSpec{{User: "analyst", Certificate: "boss", Role: "dba"}, {User: "analyst", Role: "analyst"}}
	r.policy.Store(compiled(t, spec))
	for name, want := range map[string]string{"boss": "13800000001", "clerk": "138****0001", "": "138****0001"} {
		config, err := pgx.ParseConfig(proxytest.PostgresDSN(addr, "analyst", r.database))
		if err != nil {
			t.Fatal(err)
		}
		config.TLSConfig = &tls.Config{RootCAs: authorities, ServerName: "localhost"}
		if name != "" {
			pair, err := r.Authority.Client(name)
			if err != nil {
				t.Fatal(err)
			}
			own, err := tls.X509KeyPair(pair.Certificate, pair.Key)
			if err != nil {
				t.Fatal(err)
			}
			config.TLSConfig.Certificates = []tls.Certificate{own}
		}
		conn, err := pgx.ConnectConfig(soon(t), config)
		if err != nil {
			t.Fatal(err)
		}
		if got := value(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != want {
			t.Errorf("certificate %q: %s, want %s", name, got, want)
		}
		conn.Close(soon(t))
	}
}

// Unix sockets on the server's side; TLS is not asked for there.
func TestUnixSocket(t *testing.T) {
	r := newRig(t)
	_, addr := r.proxy(t, func(relay *Relay) {
		relay.Network, relay.Address = "unix", filepath.Join(r.Directory, fmt.Sprintf(".s.PGSQL.%d", r.Port))
		relay.ServerTLSMod = session.TLSRequire
	})
	conn, err := pgx.Connect(soon(t), proxytest.PostgresDSN(addr, "analyst", r.database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(soon(t))
	if got := value(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("got %s", got)
	}
}
