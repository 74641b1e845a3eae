package myrelay

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/session"
	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

// policySpec masks what the tests' tables have to hide: for the analysts.
var policySpec = masking.Spec{
	Version: 1,
	Levels:  []string{"public", "restricted"},
	Classes: map[string]masking.ClassSpec{
		"mobile": {Level: "restricted", Mask: masking.MaskSpec{"partial": {"first": 3, "last": 4}}, Use: "equality"},
		"salary": {Level: "restricted", Mask: masking.MaskSpec{"null": {}}},
		"secret": {Level: "restricted", Mask: masking.MaskSpec{"redact": {}}},
	},
	Columns: map[string]masking.ColumnSpec{
		"*.person.mobile": {Class: "mobile"},
		"*.person.salary": {Class: "salary"},
		"*.person.born":   {Class: "secret"},
		"*.*.secret":      {Class: "secret"},
	},
	Unlabelled: "visible",
	Roles:      map[string]masking.RoleSpec{"analyst": {Clearance: "public"}, "dba": {Clearance: "restricted"}},
	Callers: []masking.CallerSpec{
		{User: "dba", Role: "dba"},
		{User: "analyst", Role: "analyst"},
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
}

func (m *memory) Append(e *auditlog.Event, _ bool) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := *e // whose slices are used again
	kept.Objects = slices.Clone(e.Objects)
	kept.Decision.Masks = slices.Clone(e.Decision.Masks)
	kept.Subjects.Keys = slices.Clone(e.Subjects.Keys)
	kept.Detail = slices.Clone(e.Detail)
	m.events = append(m.events, kept)
	return uint64(len(m.events)), nil
}

// AppendThen never has anybody wait.
func (m *memory) AppendThen(e *auditlog.Event, strict bool, _ func(error)) (uint64, bool, error) {
	seq, err := m.Append(e, strict)
	return seq, false, err
}

// count returns how many events of a kind there are.
func (m *memory) count(kind auditlog.Kind) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// A rig is a proxy before the test binary's MariaDB.
type rig struct {
	*proxytest.MariaDBServer
	t        testing.TB
	addr     string
	database string
	audit    *memory
	policy   atomic.Pointer[masking.Policy]
	server   *session.Server
	metrics  session.Metrics
}

var usersOnce sync.Once

// newRig starts a proxy in front of databases of its own with the table person.
func newRig(t testing.TB, change ...func(*Relay)) *rig {
	t.Helper()
	r := &rig{MariaDBServer: proxytest.MariaDB(t), t: t, audit: &memory{}}
	usersOnce.Do(func() {
		for _, user := range []string{"analyst", "dba", "stranger"} {
			if err := r.AddUser(t.Context(), user); err != nil {
				t.Fatal(err)
			}
		}
	})
	r.database = strings.ToLower(strings.NewReplacer("/", "_", "=", "_", " ", "_", "#", "_").Replace(t.Name()))
	r.exec(fmt.Sprintf(`DROP DATABASE IF EXISTS %[1]s; DROP DATABASE IF EXISTS %[1]s_other; CREATE DATABASE %[1]s; CREATE DATABASE %[1]s_other`, r.database))
	r.exec(fmt.Sprintf(`USE %[1]s;
		CREATE TABLE person (id int PRIMARY KEY, name varchar(40), mobile varchar(20), salary decimal(10,2), born date, photo blob);
		INSERT INTO person SELECT n, concat('name ', n), concat('1380000', lpad(n, 4, '0')), 1000 + n, '2000-01-01' + INTERVAL n DAY, 'x' FROM
			(SELECT 10 * tens.n + ones.n + 1 AS n FROM %[2]s tens, %[2]s ones) numbers;
		CREATE TABLE %[1]s_other.person (id int, name varchar(40), mobile varchar(20), secret text);
		INSERT INTO %[1]s_other.person VALUES (1, 'other', '13999999999', 'hidden')`, r.database, digits))
	r.policy.Store(compiled(t, policySpec))
	db, err := r.Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	catalogs := mysql.NewCatalogs(func(ctx context.Context) (mysql.Ask, func(), error) {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, text string) ([][]*string, error) { return table(ctx, conn, text) }, func() { conn.Close() }, nil
	})
	t.Cleanup(catalogs.Close)
	relay := &Relay{Network: "tcp", Address: r.Addr()}
	for _, c := range change {
		c(relay)
	}
	r.server = &session.Server{Relay: relay, Options: session.Options{
		Listener: "test", Protocol: "mysql", Address: r.Addr(),
		Policy: r.policy.Load, Planner: rewrite.NewPlanner(mysql.Dialect{}, 1<<20), Catalogs: catalogs,
		Audit: r.audit, Log: zerolog.New(zerolog.NewTestWriter(t)), Metrics: &r.metrics,
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.server.Serve(l); !errors.Is(err, session.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		r.server.Close()
		<-done
	})
	r.addr = l.Addr().String()
	return r
}

// digits is a table of the numbers 0 to 9 that every server can make.
const digits = "(SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"

func (r *rig) exec(text string) {
	r.t.Helper()
	if err := r.Exec(r.t.Context(), "", text); err != nil {
		r.t.Fatalf("%s: %v", text, err)
	}
}

// lacks says that the server is of a product which does not have what a test is about.
func (r *rig) lacks(product proxytest.Product, what string) bool {
	lacks := r.Product() == product
	if lacks {
		r.t.Logf("%s has no %s", product, what)
	}
	return lacks
}

func table(ctx context.Context, conn *sql.Conn, text string, args ...any) ([][]*string, error) {
	rows, err := conn.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return scan(rows)
}

func scan(rows *sql.Rows) (all [][]*string, err error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, targets := make([]*string, len(names)), make([]any, len(names))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// connect opens one connection through the proxy.
func (r *rig) connect(user string, change ...func(*driver.Config)) *sql.Conn {
	r.t.Helper()
	conn, err := r.dial(user, change...)
	if err != nil {
		r.t.Fatalf("connect as %s: %v", user, err)
	}
	return conn
}

func (r *rig) dial(user string, change ...func(*driver.Config)) (*sql.Conn, error) {
	config := driver.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = user, proxytest.Password(user), "tcp", r.addr, r.database
	config.MultiStatements = true
	config.Timeout, config.ReadTimeout = 10*time.Second, 20*time.Second
	config.Logger = &driver.NopLogger{}
	for _, c := range change {
		c(config)
	}
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	r.t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(r.t.Context())
	if err == nil {
		r.t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// shown writes a result in one line.
func shown(t testing.TB, conn *sql.Conn, text string, args ...any) string {
	t.Helper()
	rows, err := table(t.Context(), conn, text, args...)
	if err != nil {
		var told *driver.MySQLError
		if errors.As(err, &told) {
			return fmt.Sprintf("error %d %s", told.Number, told.SQLState[:])
		}
		return "error: " + err.Error()
	}
	var lines []string
	for _, row := range rows {
		var cells []string
		for _, cell := range row {
			if cell == nil {
				cells = append(cells, "NULL")
			} else {
				cells = append(cells, *cell)
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	return strings.Join(lines, " ; ")
}

func TestMasks(t *testing.T) {
	r := newRig(t)
	analyst, dba := r.connect("analyst"), r.connect("dba")
	interpolated := r.connect("analyst", func(c *driver.Config) { c.InterpolateParams = true })
	for _, test := range []struct {
		conn *sql.Conn
		text string
		args []any
		want string
	}{
		{analyst, "SELECT id, name, mobile, salary, born FROM person WHERE id = 1", nil, "1|name 1|138****0001|NULL|1970-01-01"},
		{analyst, "SELECT id, name, mobile, salary, born FROM person WHERE id = ?", []any{1}, "1|name 1|138****0001|NULL|1970-01-01"},
		{interpolated, "SELECT mobile FROM person WHERE id = ?", []any{2}, "138****0002"},
		{dba, "SELECT mobile, salary FROM person WHERE id = ?", []any{1}, "13800000001|1001.00"},
		{dba, "SELECT mobile FROM person WHERE id = 1", nil, "13800000001"},
		{analyst, "SELECT p.mobile AS m FROM (SELECT * FROM person) p WHERE id = 1", nil, "138****0001"},
		{analyst, "SELECT count(*) FROM person WHERE salary > 1050", nil, "error 1142 42000"},
		{analyst, "SELECT nothing FROM person", nil, "error 1054 42S22"},
		{analyst, "SELECT * FROM nowhere", nil, "error 1146 42S02"},
		{analyst, "SELECT LOAD_FILE('/etc/passwd')", nil, "error 1142 42000"},
		{analyst, "SELECT 1", nil, "1"},
	} {
		if got := shown(t, test.conn, test.text, test.args...); got != test.want {
			t.Errorf("%s: got %s, want %s", test.text, got, test.want)
		}
	}
	if r.audit.count(auditlog.QueryBegin) == 0 || r.audit.count(auditlog.QueryBegin) != r.audit.count(auditlog.QueryEnd) {
		t.Errorf("%d statements begun, %d ended", r.audit.count(auditlog.QueryBegin), r.audit.count(auditlog.QueryEnd))
	}
}

// Every row of a large result is masked, in both protocols.
func TestManyRows(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	for _, args := range [][]any{nil, {0}} {
		text := "SELECT a.mobile FROM person a, person b"
		if args != nil {
			text += " WHERE b.id > ?"
		}
		rows, err := table(t.Context(), conn, text, args...)
		if err != nil || len(rows) != 10_000 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, row := range rows {
			if !strings.HasPrefix(*row[0], "138****0") {
				t.Fatalf("released %s", *row[0])
			}
		}
	}
}

func TestCurrentDatabase(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	const text = "SELECT mobile FROM person WHERE id = 1"
	if got := shown(t, conn, text); got != "138****0001" {
		t.Fatal(got)
	}
	if _, err := conn.ExecContext(t.Context(), "USE "+r.database+"_other"); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, conn, "SELECT mobile, secret FROM person"); got != "139****9999|[redacted]" {
		t.Fatal(got)
	}
}

func TestMultipleResults(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	rows, err := conn.QueryContext(t.Context(), "SELECT mobile FROM person WHERE id = 1; SELECT name FROM person WHERE id = 1; SELECT salary, mobile FROM person WHERE id = 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for more := true; more; more = rows.NextResultSet() {
		result, err := scan(rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range result {
			for _, cell := range row {
				if cell == nil {
					all = append(all, "NULL")
				} else {
					all = append(all, *cell)
				}
			}
		}
	}
	if got, want := strings.Join(all, "|"), "138****0001|name 1|NULL|138****0002"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestProcedure(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec(fmt.Sprintf("CREATE PROCEDURE %[1]s.both_results() READS SQL DATA BEGIN SELECT mobile FROM %[1]s.person WHERE id = 1; SELECT mobile FROM %[1]s.person WHERE id = 2; END", r.database))
	conn := r.connect("analyst")
	for _, text := range []string{"CALL both_results()", "SELECT 1; CALL both_results()"} {
		got := shown(t, conn, text)
		if strings.Contains(got, "1380000") {
			t.Errorf("%s: released %s", text, got)
		}
	}
	if got := shown(t, conn, "CALL both_results()"); got != "138****0001" {
		t.Errorf("first result: %s", got)
	}
}

// A role that no rule names is turned away after the server let it in.
// What a procedure puts into the parameters of a prepared CALL comes back in a
// result of its own, behind those of its SELECTs.
func TestOutParameters(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec("USE " + r.database + `; CREATE PROCEDURE sizes(a int, OUT n int, INOUT m int)
		BEGIN SELECT id, mobile FROM person WHERE id = a; SELECT count(*), m + 1 INTO n, m FROM person; END;
		CREATE PROCEDURE quiet(OUT n int) SET n = 5;
		CREATE PROCEDURE leaks(OUT n varchar(20)) SELECT mobile INTO n FROM person WHERE id = 1`)
	const capabilities = mywire.CapPSMultiResults
	for _, extra := range []mywire.Capabilities{0, mywire.CapDeprecateEOF} {
		c := r.raw("analyst", capabilities|extra)
		for text, want := range map[string]string{
			"CALL sizes(2, ?, ?)": "\x02\x00\x00\x00|138****0002 / d\x00\x00\x00|\x08\x00\x00\x00 / OK", // m is 7
			"CALL quiet(?)":       "\x05\x00\x00\x00 / OK",
			"CALL leaks(?)":       "error 1142 42000",
		} {
			if got := c.execute(text, 7); got != want {
				t.Errorf("capabilities %x, %s: got %q, want %q", extra, text, got, want)
			}
		}
	}
}

func TestNoRole(t *testing.T) {
	r := newRig(t)
	_, err := r.dial("stranger")
	var told *driver.MySQLError
	if !errors.As(err, &told) || told.Number != mywire.CodeAccessDenied {
		t.Errorf("got %v, want error %d", err, mywire.CodeAccessDenied)
	}
	_, err = r.dial("analyst", func(c *driver.Config) { c.Passwd = "wrong" })
	if !errors.As(err, &told) || told.Number != mywire.CodeAccessDenied {
		t.Errorf("wrong password: got %v, want error %d", err, mywire.CodeAccessDenied)
	}
}

func TestTLS(t *testing.T) {
	certificate := certificate(t)
	r := newRig(t, func(relay *Relay) {
		relay.ClientTLSMod = session.TLSRequire
		relay.ClientTLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate}} }
		relay.ServerTLSMod = session.TLSRequire
	})
	conn := r.connect("analyst", func(c *driver.Config) { c.TLSConfig = "skip-verify" })
	if got := shown(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Error(got)
	}
	_, err := r.dial("analyst")
	var told *driver.MySQLError
	if !errors.As(err, &told) || told.Number != mywire.CodeSecureTransport {
		t.Errorf("without TLS: got %v, want error %d", err, mywire.CodeSecureTransport)
	}
}

// A client that compresses although that is not offered is told so at once; one
// that leaves it off then is let in.
func TestCompression(t *testing.T) {
	r := newRig(t)
	for flags, want := range map[mywire.Capabilities]string{
		mywire.CapCompress: "1043 sqlveil: compression is not offered: connect without it",
		mywire.CapZstd:     "1043 sqlveil: compression is not offered: connect without it",
		0:                  "1045 ",
	} {
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second)) // fails only on a closed connection
		client := mywire.NewConn(protocol.NewConn(nc))
		p, err := client.Packet(1 << 16)
		if err != nil {
			t.Fatal(err)
		}
		greeting, err := mywire.DecodeGreeting(p.Body)
		if err != nil || greeting.Capabilities&(mywire.CapCompress|mywire.CapZstd) != 0 {
			t.Fatalf("greeting offers %x, %v", greeting.Capabilities, err)
		}
		login := mywire.Login{
			Capabilities: flags | mywire.CapMySQL | mywire.CapProtocol41 | mywire.CapSecureConnection | mywire.CapPluginAuth,
			MaxPacket:    1 << 24, Collation: 45, User: []byte("analyst"), Response: make([]byte, 20), Plugin: "mysql_native_password",
		}
		body, err := login.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if flags == mywire.CapZstd {
			body = append(body, 3) // the level
		}
		if err := errors.Join(client.Write(body), client.Flush()); err != nil {
			t.Fatal(err)
		}
		if p, err = client.Packet(1 << 16); err != nil {
			t.Fatal(err)
		}
		raw := rawClient{t: t, conn: client}
		told, err := mywire.DecodeError(raw.authenticate(bytes.Clone(p.Body), "wrong"))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(told.Code, " ", told.Message); !strings.HasPrefix(got, want) {
			t.Errorf("capabilities %x: told %s, want %s", flags, got, want)
		}
	}
	conn := r.connect("analyst", func(c *driver.Config) { _ = c.Apply(driver.EnableCompression(true)) }) // which never fails
	if got := shown(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("go-sql-driver with compress=true: %s", got)
	}
}

// A new policy counts from the next statement on, of prepared ones too.
func TestReload(t *testing.T) {
	r := newRig(t)
	conn := r.connect("dba")
	st, err := conn.PrepareContext(t.Context(), "SELECT mobile FROM person WHERE id = ?")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var mobile string
	if err := st.QueryRowContext(t.Context(), 1).Scan(&mobile); err != nil || mobile != "13800000001" {
		t.Fatal(mobile, err)
	}
	spec := policySpec
	spec.Callers = []masking.CallerSpec{{User: "*", Role: "analyst"}}
	r.policy.Store(compiled(t, spec))
	if err := st.QueryRowContext(t.Context(), 1).Scan(&mobile); err == nil && mobile != "138****0001" {
		t.Errorf("released %s", mobile)
	}
}

// Whether an update changed a row would tell what was in it.
func TestChangedRows(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	for _, mobile := range []string{"13800000001", "13800000002"} {
		result, err := conn.ExecContext(t.Context(), "START TRANSACTION; UPDATE person SET mobile = '"+mobile+"' WHERE id = 1")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			t.Errorf("%s: %d rows, %v", mobile, n, err)
		}
		if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// What a statement counts does not tell whether a row had the values already that
// it writes.
func TestCounts(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec("USE " + r.database + `; CREATE TABLE staff (id int PRIMARY KEY AUTO_INCREMENT, name varchar(20), secret varchar(20));
		INSERT INTO staff VALUES (1, 'a', 'right'), (2, 'b', 'right');
		CREATE TABLE stamped (id int PRIMARY KEY, secret varchar(20), note varchar(20), at timestamp NOT NULL DEFAULT now() ON UPDATE now());
		CREATE TABLE kept (id int PRIMARY KEY, secret varchar(20)) /*M! WITH SYSTEM VERSIONING */;
		CREATE PROCEDURE put(s varchar(20)) UPDATE staff SET secret = s WHERE id = 1;
		CREATE PROCEDURE again(s varchar(20)) REPLACE INTO staff VALUES (1, 'a', s);
		CREATE PROCEDURE title(s varchar(20)) UPDATE staff SET name = s WHERE id < 3`)
	for name, test := range map[string]struct {
		text string // with a guess
		rows int64
		id   int64
	}{
		"upsert":          {"INSERT INTO staff VALUES (1, 'a', '%s') ON DUPLICATE KEY UPDATE secret = VALUES(secret)", 2, 0},
		"upserts":         {"INSERT INTO staff VALUES (1, 'a', '%s'), (2, 'b', 'other') ON DUPLICATE KEY UPDATE secret = VALUES(secret)", 2, 0},
		"numbered upsert": {"INSERT INTO staff VALUES (2, 'a', '%s') ON DUPLICATE KEY UPDATE secret = VALUES(secret), id = LAST_INSERT_ID(id)", 2, 2},
		"new row":         {"INSERT INTO staff (name, secret) VALUES ('c', '%s') ON DUPLICATE KEY UPDATE secret = VALUES(secret)", 1, -1},
		"replace":         {"REPLACE INTO staff VALUES (1, 'a', '%s')", 1, -1},
		"update":          {"UPDATE staff SET secret = '%s' WHERE id = 1", 1, 0},
		"procedure":       {"CALL put('%s')", 0, 0},
		"replacing":       {"CALL again('%s')", 0, 0},
		"other procedure": {"CALL title('%s')", 2, 0},
	} {
		for _, found := range []bool{false, true} {
			conn := r.connect("analyst", func(c *driver.Config) { c.ClientFoundRows = found })
			for _, guess := range []string{"right", "wrong"} {
				if _, err := conn.ExecContext(t.Context(), "START TRANSACTION"); err != nil {
					t.Fatal(err)
				}
				result, err := conn.ExecContext(t.Context(), fmt.Sprintf(test.text, guess))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				rows, err := result.RowsAffected()
				if err != nil || rows != test.rows {
					t.Errorf("%s, found rows %v, guess %s: %d rows, %v, want %d", name, found, guess, rows, err, test.rows)
				}
				if id, err := result.LastInsertId(); err != nil || test.id >= 0 && id != test.id {
					t.Errorf("%s, found rows %v, guess %s: number %d, %v, want %d", name, found, guess, id, err, test.id)
				}
				if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	conn := r.connect("analyst")
	versioned := "" // a table is only where that syntax is
	if r.Product() == proxytest.ProductMariaDB {
		versioned = "error 1142 42000"
	}
	for text, want := range map[string]string{
		"UPDATE stamped SET secret = 'guess' WHERE id = 1":                                               "error 1142 42000",
		"UPDATE stamped SET secret = 'guess', at = now() WHERE id = 1":                                   "",
		"UPDATE stamped SET note = 'x' WHERE id = 1":                                                     "",
		"INSERT INTO stamped (id, secret) VALUES (1, 'x') ON DUPLICATE KEY UPDATE secret = 'guess'":      "error 1142 42000",
		"INSERT INTO stamped (id, secret) VALUES (1, 'x') ON DUPLICATE KEY UPDATE note = VALUES(secret)": "error 1142 42000",
		"UPDATE kept SET secret = 'guess'":                                                               versioned,
	} {
		if got := shown(t, conn, text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestShutdown(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	if got := shown(t, conn, "SELECT 1"); got != "1" {
		t.Fatal(got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		t.Errorf("idle sessions did not end: %v", err)
	}
}

// Real clients, each in its own way of asking.
func TestClients(t *testing.T) {
	r := newRig(t)
	host, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	const python = `import pymysql, sys
c = pymysql.connect(host=sys.argv[1], port=int(sys.argv[2]), user="analyst", password=sys.argv[3], database=sys.argv[4])
k = c.cursor(); k.execute("SELECT mobile FROM person WHERE id=%s", (1,)); print(k.fetchone()[0])`
	for name, command := range map[string][]string{
		"mariadb": {
			"mariadb", "--no-defaults", "--protocol=tcp", "-h" + host, "-P" + port, "-uanalyst", "-p" + proxytest.Password("analyst"),
			"-N", "-B", r.database, "-e", "SELECT mobile FROM person WHERE id = 1",
		},
		"pymysql": {"/usr/bin/python3", "-c", python, host, port, proxytest.Password("analyst"), r.database},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
		cancel()
		if got := strings.TrimSpace(string(out)); err != nil || got != "138****0001" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
