package pgrelay

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/auditlog/chain"
	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/session"
	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

// policySpec masks what its tests' tables have to hide: for the analysts.
var policySpec = masking.Spec{
	Version: 1,
	Levels:  []string{"public", "restricted"},
	Classes: map[string]masking.ClassSpec{
		"mobile": {Level: "restricted", Mask: masking.MaskSpec{"partial": {"first": 3, "last": 4}}, Use: "equality"},
		"salary": {Level: "restricted", Mask: masking.MaskSpec{"null": {}}},
		"secret": {Level: "restricted", Mask: masking.MaskSpec{"redact": {}}},
		"person": {Level: "public", Mask: masking.MaskSpec{"redact": {}}, Subject: true},
	},
	Columns: map[string]masking.ColumnSpec{
		"*.*.person.mobile": {Class: "mobile"},
		"*.*.person.salary": {Class: "salary"},
		"*.*.person.born":   {Class: "secret"},
		"*.*.*.secret":      {Class: "secret"},
		"*.*.person.id":     {Class: "person"},
	},
	Unlabelled: "visible",
	Roles:      map[string]masking.RoleSpec{"analyst": {Clearance: "public"}, "dba": {Clearance: "restricted"}},
	Callers: []masking.CallerSpec{
		{User: "dba", Role: "dba"},
		{User: "analyst*", Role: "analyst"},
	},
}

func compiled(t testing.TB, spec masking.Spec) *masking.Policy {
	t.Helper()
	policy, problems := masking.Compile(spec, bytes.Repeat([]byte{7}, 32))
	if policy == nil {
		t.Fatalf("policy: %v", problems)
	}
	return policy
}

// memory is an audit log in memory.
type memory struct {
	mu     sync.Mutex
	events []auditlog.Event
	fail   atomic.Bool
}

func (m *memory) Append(e *auditlog.Event, _ bool) (uint64, error) {
	if m.fail.Load() {
		return 0, auditlog.ErrUnavailable
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := *e
	kept.Objects = append([]auditlog.Object(nil), e.Objects...)
	kept.Decision.Masks = append([]auditlog.MaskedColumn(nil), e.Decision.Masks...)
	kept.Subjects.Keys = append([]auditlog.SubjectKey(nil), e.Subjects.Keys...)
	kept.Detail = append([]auditlog.Detail(nil), e.Detail...)
	m.events = append(m.events, kept)
	return uint64(len(m.events)), nil
}

// AppendThen never has anybody wait.
func (m *memory) AppendThen(e *auditlog.Event, strict bool, _ func(error)) (uint64, bool, error) {
	seq, err := m.Append(e, strict)
	return seq, false, err
}

// of returns the events of a kind.
func (m *memory) of(kind auditlog.Kind) []auditlog.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []auditlog.Event
	for _, e := range m.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// A rig is a proxy before the test's PostgreSQL.
type rig struct {
	*proxytest.PostgreSQLServer
	t        testing.TB
	addr     string
	database string
	audit    *memory
	record   session.Audit // what takes the place of audit, if anything does
	policy   atomic.Pointer[masking.Policy]
	server   *session.Server
	catalogs session.Catalogs
	metrics  session.Metrics
	log      lockedBuffer
	direct   *pgx.Conn
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var addAnalyst sync.Once

// newRig starts a proxy in front of a database of its own with the table person.
func newRig(t testing.TB, change ...func(*Relay)) *rig {
	t.Helper()
	r := &rig{PostgreSQLServer: proxytest.PostgreSQL(t), t: t, audit: &memory{}}
	addAnalyst.Do(func() {
		for user, by := range map[string]string{
			"analyst": proxytest.ByTrust, "analyst_scram": proxytest.ByScram, "analyst_md5": proxytest.ByMD5, "analyst_password": proxytest.ByPassword,
			"stranger": proxytest.ByTrust,
		} {
			if err := r.AddUser(context.Background(), user, by, "REPLICATION"); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.AddUser(context.Background(), "dba", proxytest.ByTrust, "SUPERUSER"); err != nil {
			t.Fatal(err)
		}
	})
	r.database = r.Database(t, strings.ToLower(strings.NewReplacer("/", "_", "=", "_", ",", "_", " ", "_", "#", "_").Replace(t.Name())))
	r.exec(`
		CREATE TABLE person (id int PRIMARY KEY, name text, mobile text, salary numeric(10,2), born date, hired timestamptz, tags text[]);
		INSERT INTO person SELECT i, 'name ' || i, '1380000' || lpad(i::text, 4, '0'), 1000 + i, '2000-01-01'::date + i, now(), ARRAY['a','b']
		FROM generate_series(1, 100) i;
		CREATE SCHEMA other;
		CREATE TABLE other.person (id int, name text, mobile text, salary int, born date, hired timestamptz, secret text);
		INSERT INTO other.person VALUES (1, 'other', '13999999999', 5, '1999-09-09', NULL, 'hidden');
		GRANT ALL ON ALL TABLES IN SCHEMA public, other TO public;
		GRANT ALL ON SCHEMA public, other TO public;
	`)
	r.policy.Store(compiled(t, policySpec))
	catalogs := pgsql.NewCatalogs(func(ctx context.Context, database string) (pgsql.Ask, func(), error) {
		conn, err := r.Connect(ctx, database)
		if err != nil {
			return nil, nil, err
		}
		return askOver(conn.PgConn()), func() { conn.Close(context.Background()) }, nil
	})
	t.Cleanup(catalogs.Close)
	r.catalogs = localAsk{catalogs}
	r.server, r.addr = r.proxy(t, change...)
	return r
}

// proxy starts a proxy before the rig's server and returns its address.
func (r *rig) proxy(t testing.TB, change ...func(*Relay)) (*session.Server, string) {
	t.Helper()
	relay := &Relay{Network: "tcp", Address: r.Addr()}
	for _, c := range change {
		c(relay)
	}
	var audit session.Audit = r.audit
	if r.record != nil {
		audit = r.record
	}
	server := &session.Server{Relay: relay, Options: session.Options{
		Listener: "test", Protocol: "postgres", Address: r.Addr(),
		Policy: r.policy.Load, Planner: rewrite.NewPlanner(pgsql.Dialect{}, 1<<20), Catalogs: r.catalogs,
		Audit: audit, Log: zerolog.New(&r.log), Metrics: &r.metrics,
		Hasher: func() *auditlog.SubjectHasher { return auditlog.NewSubjectHasher(chain.Key{1}) },
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, session.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
		if t.Failed() {
			t.Logf("log of the proxy:\n%s", r.log.String())
		}
	})
	return server, l.Addr().String()
}

// localAsk is pgsql.Catalogs as session knows them.
type localAsk struct{ *pgsql.Catalogs }

func (l localAsk) Local(ctx context.Context, database string, _ []rewrite.TemporaryTable, ask func(context.Context, string) ([][]*string, error)) (rewrite.Catalog, error) {
	return l.Catalogs.Local(ctx, database, ask)
}

func askOver(conn *pgconn.PgConn) pgsql.Ask {
	return func(ctx context.Context, sql string) ([][]*string, error) {
		results, err := conn.Exec(ctx, sql).ReadAll()
		if err != nil {
			return nil, err
		}
		var rows [][]*string
		for _, row := range results[len(results)-1].Rows {
			texts := make([]*string, len(row))
			for i, cell := range row {
				if cell != nil {
					text := string(cell)
					texts[i] = &text
				}
			}
			rows = append(rows, texts)
		}
		return rows, nil
	}
}

// exec runs statements as the superuser, past the proxy.
func (r *rig) exec(sql string) {
	r.t.Helper()
	if err := r.Exec(context.Background(), r.database, sql); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// admin returns a connection past the proxy.
func (r *rig) admin() *pgx.Conn {
	r.t.Helper()
	if r.direct == nil {
		conn, err := r.Connect(context.Background(), r.database)
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { conn.Close(context.Background()) })
		r.direct = conn
	}
	return r.direct
}

// dsn is the address of the test's database through the proxy.
func (r *rig) dsn(user string) string { return proxytest.PostgresDSN(r.addr, user, r.database) }

// connect logs in through the proxy.
func (r *rig) connect(user string, change ...func(*pgx.ConnConfig)) *pgx.Conn {
	r.t.Helper()
	config, err := pgx.ParseConfig(r.dsn(user))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range change {
		c(config)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		r.t.Fatalf("connect as %s: %v", user, err)
	}
	r.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// psql runs a script through the proxy and returns what it prints.
func (r *rig) psql(user, script string) string {
	r.t.Helper()
	return proxytest.Psql(r.t, r.dsn(user), script, "-At")
}

// value runs a query and returns the only cell of its result as text.
func value(t testing.TB, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var got *string
	if err := conn.QueryRow(ctx, sql, args...).Scan(&got); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if got == nil {
		return "NULL"
	}
	return *got
}

// stateOf returns the SQLSTATE of an error.
func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("did not happen: %s", what)
}
