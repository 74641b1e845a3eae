package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"sqlveil/auditlog"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
	"sqlveil/proxy/proxytest"
)

const (
	recordPolicy = `version: 1
levels: [public, secret]
classes:
  mobile: {level: secret, mask: {partial: {first: 3, last: 4}}, use: equality, subject: true}
  salary: {level: secret, mask: {redact: {}}}
columns: {"%[1]s.mobile": mobile, "%[1]s.salary": salary}
roles: {clerk: {clearance: public}, boss: {clearance: secret}}
callers: [{user: clerk, role: clerk}, {user: boss, role: boss}]
unlabelled: visible
`
	recordTable = `CREATE TABLE people (id int, name varchar(40), mobile varchar(40), salary int);
INSERT INTO people VALUES (1, '王伟', '13800000001', 10), (2, '李娜', '13800000002', 20), (3, 'Ann', '13800000003', 30);`
)

// A kind is one way in which a statement can reach the server and end, with what
// the log has to say of it: a line for each record; see [recordLines].
type kind[C any] struct {
	name, user string
	do         func(t *testing.T, conn C)
	want       []string
}

// TestRecordsOfPostgreSQL walks through the kinds of statements and ends.
func TestRecordsOfPostgreSQL(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	database := server.Database(t, "records")
	for _, user := range []string{"clerk", "boss", "records_catalog"} {
		if err := server.AddUser(t.Context(), user, proxytest.ByTrust, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Exec(t.Context(), database, recordTable+"GRANT ALL ON people TO clerk, boss; GRANT ALL ON SCHEMA public TO boss"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	settings := proxytest.Site{Server: server.Addr(), Catalog: "records_catalog", Policy: fmt.Sprintf(recordPolicy, "*.*.people")}
	config, err := settings.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir, config}
	p := s.serve(t)
	for _, k := range postgresKinds {
		conn, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(p.Address, k.user, database)+"&application_name="+k.name)
		if err != nil {
			t.Fatal(err)
		}
		k.do(t, conn.PgConn())
		_ = conn.Close(context.Background()) // some are closed already
	}
	s.finish(t, p)
	compareRecords(t, s, postgresKinds)
}

// finish stops a proxy when its last session has ended.
func (s *site) finish(t *testing.T, p serving) {
	t.Helper()
	within(t, "the sessions end", func() bool {
		_, metrics := p.get(t, "/metrics")
		return strings.Contains(metrics, `sqlveil_sessions{listener="crm"} 0`)
	})
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
}

// compareRecords compares what the log has of each kind's session.
func compareRecords[C any](t *testing.T, s *site, kinds []kind[C]) {
	t.Helper()
	got := recordLines(t, s)
	for _, k := range kinds {
		if g, w := strings.Join(got[k.name], "\n"), strings.Join(k.want, "\n"); g != w {
			t.Errorf("%s: got\n%s\nwant\n%s", k.name, g, w)
		}
	}
}

// recordLines reads the statements' records of each session, by application: kind,
// protocol, command, class, text; objects; verdict and masks; result; persons,
// named by their last digit.
func recordLines(t *testing.T, s *site) map[string][]string {
	t.Helper()
	secret, err := chain.LoadSubjectKey(s.file("audit/" + segment.KeyDirectory + "/" + chain.SubjectFile))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string)
	hasher := auditlog.NewSubjectHasher(secret)
	for n := range 10 {
		key := hasher.Key("mobile", fmt.Appendf(nil, "1380000000%d", n))
		names[fmt.Sprintf("%x", key[:])] = fmt.Sprint(n)
	}
	lines := make(map[string][]string)
	for line := range strings.Lines(audit(t, exitOK, "export", "-c", s.config)) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if strings.HasPrefix(r.Kind, "query.") || strings.HasPrefix(r.Kind, "copy.") {
			lines[r.Sess.App] = append(lines[r.Sess.App], r.line(names))
		}
		r.check(t, line)
	}
	return lines
}

// A record is the part of a record that is compared.
type record struct {
	Kind string
	Ref  uint64
	Sess struct{ ID, Listener, Proto, Client, App string }
	Who  struct{ Login, Role string }
	DB   struct{ Server, Engine, Database string }
	Stmt struct {
		ID, Sub                            int
		Protocol, Command, Class, Fp, Text string
		Len                                int
	}
	Obj      []struct{ Column, Class, Level, In, Released string }
	Decision struct {
		Verdict, Code, Policy string
		Masks                 []struct{ Col, Mask string }
	}
	Result struct {
		OK              bool
		SQLState, Ended string
		Rows, Bytes     int
		Us              int
		Masked          int `json:"masked_cells"`
	}
	Subj struct {
		N, More int
		Keys    []string
	}
}

func (r *record) line(names map[string]string) string {
	var b strings.Builder
	word := func(texts ...string) {
		for _, text := range texts {
			if text != "" {
				b.WriteString(" " + text)
			}
		}
	}
	b.WriteString(strings.TrimPrefix(r.Kind, "query."))
	word(r.Stmt.Protocol, r.Stmt.Command, r.Stmt.Class)
	if r.Stmt.Sub > 1 {
		word(fmt.Sprintf("(%d)", r.Stmt.Sub))
	}
	if r.Stmt.Text != "" {
		word("[" + r.Stmt.Text + "]")
	}
	for _, o := range r.Obj {
		word(fmt.Sprintf("%s/%s=%s", o.Class, o.In, o.Released))
	}
	word(r.Decision.Verdict, r.Decision.Code)
	for _, m := range r.Decision.Masks {
		word(m.Col + ":" + m.Mask)
	}
	if strings.HasSuffix(r.Kind, ".end") {
		word(map[bool]string{true: "ok", false: "failed"}[r.Result.OK])
	}
	word(r.Result.SQLState, r.Result.Ended)
	if r.Result.Rows > 0 && r.Result.Ended == "" { // else it is chance how many
		word(fmt.Sprintf("rows=%d", r.Result.Rows))
	}
	if r.Result.Masked > 0 {
		word(fmt.Sprintf("masked=%d", r.Result.Masked))
	}
	if len(r.Subj.Keys) > 0 {
		persons := make([]string, len(r.Subj.Keys))
		for i, key := range r.Subj.Keys {
			persons[i] = names[key]
		}
		slices.Sort(persons)
		word("persons=" + strings.Join(persons, ","))
	}
	return b.String()
}

// check looks after what every record of a statement has.
func (r *record) check(t *testing.T, line string) {
	t.Helper()
	missing := func(what string, is bool) {
		if is {
			t.Errorf("%s is missing in %s", what, line)
		}
	}
	if !strings.HasPrefix(r.Kind, "query.") {
		return
	}
	missing("the session", r.Sess.ID == "" || r.Sess.Listener == "" || r.Sess.Proto == "" || r.Sess.Client == "")
	missing("who", r.Who.Login == "" || r.Who.Role == "")
	missing("the database", r.DB.Server == "" || r.DB.Engine == "" || r.DB.Database == "")
	switch r.Kind {
	case "query.begin":
		missing("the statement", r.Stmt.Protocol == "" || r.Stmt.Command == "" || r.Stmt.Class == "" || r.Stmt.Fp == "" || r.Stmt.Len == 0)
		missing("the policy", r.Decision.Policy == "")
	case "query.end":
		if r.Decision.Verdict == "" { // else it failed before it could begin
			missing("the begin", r.Ref == 0)
			missing("the time it took", r.Result.Us == 0)
		}
		missing("the size", r.Result.Masked > 0 && r.Result.Bytes == 0)
	}
	if r.Subj.N != len(r.Subj.Keys) {
		t.Errorf("%d persons and %d keys in %s", r.Subj.N, len(r.Subj.Keys), line)
	}
}

// simply sends texts as simple queries, one after the other.
func simply(texts ...string) func(*testing.T, *pgconn.PgConn) {
	return func(t *testing.T, c *pgconn.PgConn) {
		for _, text := range texts {
			_, _ = c.Exec(t.Context(), text).ReadAll() // the log says how it ended
		}
	}
}

var postgresKinds = []kind[*pgconn.PgConn]{
	{"simple", "clerk", simply("SELECT name, mobile AS m, upper(mobile) FROM people WHERE mobile = '13800000001' -- 工单"), []string{
		`begin simple SELECT READ [select name, mobile as m, upper(mobile) from people where mobile = ?] mobile/output=masked mobile/where=withheld mask m:partial upper:redact persons=1`,
		`end simple SELECT ok rows=1 masked=2 persons=1`,
	}},
	{"clear", "boss", simply("SELECT mobile, salary FROM people WHERE mobile IN ('13800000002', '13800000009')"), []string{
		`begin simple SELECT READ [select mobile, salary from people where mobile in (?, ?)] mobile/output=clear salary/output=clear mobile/where=clear pass persons=2,9`,
		`end simple SELECT ok rows=1 persons=2`,
	}},
	{"several", "clerk", simply("SELECT 1; SELECT mobile FROM people WHERE id < 3; SET extra_float_digits = 1"), []string{
		`begin simple SELECT READ [select ?] pass`,
		`begin simple SELECT READ (2) [select mobile from people where id < ?] mobile/output=masked mask mobile:partial`,
		`begin simple SET SESSION (3) [set extra_float_digits = ?] pass`,
		`end simple SELECT ok rows=1`,
		`end simple SELECT (2) ok rows=2 masked=2 persons=1,2`,
		`end simple SET (3) ok`,
	}},
	{"text-parameter", "clerk", func(t *testing.T, c *pgconn.PgConn) {
		c.ExecParams(t.Context(), "SELECT id FROM people WHERE mobile = $1 AND id = $2", [][]byte{[]byte("13800000002"), []byte("2")}, nil, nil, nil).Read()
	}, []string{
		`begin extended SELECT READ [select id from people where mobile = $1 and id = $2] mobile/where=withheld pass persons=2`,
		`end extended SELECT ok rows=1`,
	}},
	{"binary-parameter", "boss", func(t *testing.T, c *pgconn.PgConn) {
		c.ExecParams(t.Context(), "SELECT id FROM people WHERE $1 = mobile", [][]byte{[]byte("13800000007")}, nil, []int16{1}, []int16{1}).Read()
	}, []string{
		`begin extended SELECT READ [select id from people where $1 = mobile] mobile/where=clear pass persons=7`,
		`end extended SELECT ok`,
	}},
	{"prepared-twice", "clerk", func(t *testing.T, c *pgconn.PgConn) {
		if _, err := c.Prepare(t.Context(), "s", "SELECT mobile FROM people WHERE mobile = $1", nil); err != nil {
			t.Error(err)
		}
		for _, mobile := range []string{"13800000001", "13800000008"} {
			c.ExecPrepared(t.Context(), "s", [][]byte{[]byte(mobile)}, nil, nil).Read()
		}
	}, []string{
		`begin extended SELECT READ [select mobile from people where mobile = $1] mobile/output=masked mobile/where=withheld mask mobile:partial persons=1`,
		`end extended SELECT ok rows=1 masked=1 persons=1`,
		`begin extended SELECT READ [select mobile from people where mobile = $1] mobile/output=masked mobile/where=withheld mask mobile:partial persons=8`,
		`end extended SELECT ok`,
	}},
	{"pipeline", "clerk", func(t *testing.T, c *pgconn.PgConn) {
		p := c.StartPipeline(t.Context())
		for _, text := range []string{"SELECT mobile FROM people WHERE id = 1", "SELECT 1/(SELECT 0)", "SELECT 'skipped'"} {
			p.SendQueryParams(text, nil, nil, nil, nil)
		}
		if err := p.Sync(); err != nil {
			t.Error(err)
		}
		_ = p.Close() // it has failed
	}, []string{
		`begin extended SELECT READ [select mobile from people where id = ?] mobile/output=masked mask mobile:partial`,
		`begin extended SELECT READ [select ?/(select ?)] pass`,
		`begin extended SELECT READ [select ?] pass`,
		`end extended SELECT ok rows=1 masked=1 persons=1`,
		`end extended SELECT failed 22012`,
		`end extended SELECT failed skipped`,
	}},
	{"suspended", "clerk", suspended, []string{
		`begin extended SELECT READ [select mobile from people where mobile = ? or id = ?] mobile/output=masked mobile/where=withheld mask mobile:partial persons=1`,
		`end extended SELECT ok rows=2 masked=2 persons=1,2`,
	}},
	{"cursor", "clerk", simply("BEGIN", "DECLARE c CURSOR FOR SELECT mobile FROM people ORDER BY id", "FETCH 2 FROM c", "CLOSE c", "COMMIT"), []string{
		`begin simple BEGIN SESSION [begin] pass`,
		`end simple BEGIN ok`,
		`begin simple DECLARE CURSOR SESSION [declare c cursor for select mobile from people order by id] pass`,
		`end simple DECLARE CURSOR ok`,
		`begin simple FETCH READ [fetch ? from c] mobile/output=masked mask mobile:partial`,
		`end simple FETCH ok rows=2 masked=2 persons=1,2`,
		`begin simple CLOSE SESSION [close c] pass`,
		`end simple CLOSE ok`,
		`begin simple COMMIT SESSION [commit] pass`,
		`end simple COMMIT ok`,
	}},
	{"sql-prepared", "clerk", simply("PREPARE s AS SELECT mobile FROM people WHERE id = $1", "EXECUTE s(3)", "DEALLOCATE s"), []string{
		`begin simple PREPARE SESSION [prepare s as select mobile from people where id = $1] pass`,
		`end simple PREPARE ok`,
		`begin simple EXECUTE READ [execute s(?)] mobile/output=masked mask mobile:partial`,
		`end simple EXECUTE ok rows=1 masked=1 persons=3`,
		`begin simple DEALLOCATE SESSION [deallocate s] pass`,
		`end simple DEALLOCATE ok`,
	}},
	{"copy-out", "clerk", func(t *testing.T, c *pgconn.PgConn) {
		_, _ = c.CopyTo(t.Context(), io.Discard, "COPY (SELECT id, mobile FROM people) TO STDOUT")
	}, []string{
		`begin simple COPY READ [copy (select id, mobile from people) to stdout] mobile/output=masked mask mobile:partial`,
		`end simple COPY ok rows=3 masked=3 persons=1,2,3`,
	}},
	{"copy-in", "boss", func(t *testing.T, c *pgconn.PgConn) {
		_, _ = c.CopyFrom(t.Context(), strings.NewReader("9\tx\t13800000009\t1\n"), "COPY people FROM STDIN")
	}, []string{
		`begin simple COPY WRITE [copy people from stdin] mobile/written= salary/written= pass`,
		`end simple COPY ok rows=1`,
	}},
	{"copy-in-failed", "boss", func(t *testing.T, c *pgconn.PgConn) {
		_, _ = c.CopyFrom(t.Context(), strings.NewReader("nine\tx\t13800000009\t1\n"), "COPY people FROM STDIN")
	}, []string{
		`begin simple COPY WRITE [copy people from stdin] mobile/written= salary/written= pass`,
		`end simple COPY failed 22P02`,
	}},
	{"write", "boss", simply("UPDATE people SET name = 'y' WHERE mobile = '13800000003'", "INSERT INTO people VALUES (7, 'z', '13800000007', 7) RETURNING mobile", "DELETE FROM people WHERE id > 3"), []string{
		`begin simple UPDATE WRITE [update people set name = ? where mobile = ?] mobile/where=clear pass persons=3`,
		`end simple UPDATE ok rows=1`,
		`begin simple INSERT WRITE [insert into people values (?, ?, ?, ?) returning mobile] mobile/output=clear mobile/written= salary/written= pass`,
		`end simple INSERT ok rows=1 persons=7`,
		`begin simple DELETE WRITE [delete from people where id > ?] mobile/written= salary/written= pass`,
		`end simple DELETE ok rows=2`,
	}},
	{"ddl", "boss", simply("CREATE TABLE t (a int)", "GRANT SELECT ON t TO clerk", "ALTER ROLE boss PASSWORD 'hush-hush'", "DROP TABLE t"), []string{
		`begin simple CREATE TABLE DDL [create table t (a int)] pass`,
		`end simple CREATE TABLE ok`,
		`begin simple GRANT PRIVILEGE [grant select on t to clerk] pass`,
		`end simple GRANT ok`,
		`begin simple ALTER PRIVILEGE [alter role boss password ?] pass`,
		`end simple ALTER ok`,
		`begin simple DROP DDL [drop table t] pass`,
		`end simple DROP ok`,
	}},
	{"refused", "clerk", simply("SELECT name FROM people ORDER BY salary", "SELECT FROM WHERE 'x", "DO $$ BEGIN END $$"), []string{
		`refuse SELECT READ [select name from people order by salary] salary/order by=withheld refuse SV101 42501`,
		`refuse SELECT READ [SELECT] refuse SV200 42601`,
		`begin simple DO WRITE [do ?] pass`,
		`end simple DO ok`,
	}},
	{"error", "boss", simply("SELECT 1/0", "SELECT nothing FROM people"), []string{
		`begin simple SELECT READ [select ?/?] pass`,
		`end simple SELECT failed 22012`,
		`begin simple SELECT READ [select nothing from people] pass`,
		`end simple SELECT failed 42703`,
	}},
	{"parse-error", "boss", func(t *testing.T, c *pgconn.PgConn) {
		c.ExecParams(t.Context(), "SELECT nothing FROM people", nil, nil, nil, nil).Read()
	}, []string{
		`begin extended SELECT READ [select nothing from people] pass`,
		`end extended SELECT READ [select nothing from people] pass failed 42703`,
		`end extended SELECT failed skipped`,
	}},
	{"empty", "clerk", simply(""), nil},
	{"cancelled", "clerk", func(t *testing.T, c *pgconn.PgConn) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		time.AfterFunc(200*time.Millisecond, func() { _ = c.CancelRequest(ctx) }) // an error ends the test by the timeout
		_, _ = c.Exec(ctx, "SELECT pg_sleep(20)").ReadAll()
	}, []string{
		`begin simple SELECT READ [select pg_sleep(?)] pass`,
		`cancel`,
		`end simple SELECT failed 57014`,
	}},
	{"client-gone", "clerk", func(t *testing.T, c *pgconn.PgConn) {
		rows := c.Exec(t.Context(), "SELECT repeat('x', 100000) FROM generate_series(1, 100000)")
		if !rows.NextResult() || !rows.ResultReader().NextRow() {
			t.Error("no row")
		}
		if err := c.Conn().Close(); err != nil {
			t.Error(err)
		}
	}, []string{
		`begin simple SELECT READ [select repeat(?, ?) from generate_series(?, ?)] pass`,
		`end simple SELECT failed client gone`,
	}},
	{"server-gone", "boss", simply("SELECT pg_terminate_backend(pg_backend_pid())"), []string{
		`begin simple SELECT READ [select pg_terminate_backend(pg_backend_pid())] pass`,
		`end simple SELECT failed 57P01 rows=1`,
	}},
}

// suspended fetches the rows of one portal in two goes.
func suspended(t *testing.T, c *pgconn.PgConn) {
	f := c.Frontend()
	f.SendParse(&pgproto3.Parse{Query: "SELECT mobile FROM people WHERE mobile = '13800000001' OR id = 2"})
	f.SendBind(&pgproto3.Bind{})
	f.SendExecute(&pgproto3.Execute{MaxRows: 1})
	f.SendExecute(&pgproto3.Execute{})
	f.SendSync(&pgproto3.Sync{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		switch m, err := c.ReceiveMessage(t.Context()); m.(type) {
		case *pgproto3.ReadyForQuery:
			return
		default:
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRecordsOfMariaDB does the same with MariaDB.
func TestRecordsOfMariaDB(t *testing.T) {
	server := proxytest.MariaDB(t)
	ctx := t.Context()
	for _, user := range []string{"clerk", "boss", "records_catalog"} {
		if err := server.AddUser(ctx, user); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Exec(ctx, "", "CREATE DATABASE records; USE records; "+recordTable+"GRANT ALL ON *.* TO clerk, boss, records_catalog"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	settings := proxytest.Site{Server: server.Addr(), Catalog: "records_catalog", Policy: fmt.Sprintf(recordPolicy, "records.people")}
	config, err := settings.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir, config}
	s.replace(t, "sqlveil.yaml", "protocol: postgres", "protocol: mysql")
	p := s.serve(t)
	for _, k := range mariaKinds {
		db, err := sql.Open("mysql", proxytest.MySQLDSN(p.Address, k.user, "records")+"?allowAllFiles=true&connectionAttributes=program_name:"+k.name)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Fatalf("%s: %v: %s", k.name, err, p.Log())
		}
		k.do(t, conn)
		_ = conn.Close() // some are closed already
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.finish(t, p)
	compareRecords(t, s, mariaKinds)
}

// execute runs texts in the text protocol, or where there are arguments one in
// the binary protocol, and reads what they return.
func execute(texts ...string) func(*testing.T, *sql.Conn) {
	return func(t *testing.T, c *sql.Conn) {
		for _, text := range texts {
			executeWith(t, c, text)
		}
	}
}

func executeWith(t *testing.T, c *sql.Conn, text string, arguments ...any) {
	t.Helper()
	rows, err := c.QueryContext(t.Context(), text, arguments...)
	if err != nil {
		return // the log says how it ended
	}
	for rows.Next() { //nolint:revive // to the end
	}
	_ = rows.Close() // likewise
}

var mariaKinds = []kind[*sql.Conn]{
	{"simple", "clerk", execute("SELECT name, mobile AS m, upper(mobile) FROM people WHERE mobile = '13800000001' -- 工单"), []string{
		`begin simple SELECT READ [select name, mobile as m, upper(mobile) from people where mobile = ?] mobile/output=masked mobile/where=withheld mask m:partial upper(mobile):redact persons=1`,
		`end simple SELECT ok rows=1 masked=2 persons=1`,
	}},
	{"clear", "boss", execute("SELECT mobile, salary FROM people WHERE mobile IN ('13800000002', \"13800000009\")"), []string{
		`begin simple SELECT READ [select mobile, salary from people where mobile in (?, ?)] mobile/output=clear salary/output=clear mobile/where=clear pass persons=2,9`,
		`end simple SELECT ok rows=1 persons=2`,
	}},
	{"parameter", "clerk", func(t *testing.T, c *sql.Conn) {
		executeWith(t, c, "SELECT id FROM people WHERE mobile = ? AND id = ?", "13800000002", 2)
	}, []string{
		`begin extended SELECT READ [select id from people where mobile = ? and id = ?] mobile/where=withheld pass persons=2`,
		`end extended SELECT ok rows=1`,
	}},
	{"prepared-twice", "clerk", func(t *testing.T, c *sql.Conn) {
		stmt, err := c.PrepareContext(t.Context(), "SELECT mobile FROM people WHERE mobile = ?")
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		for _, mobile := range []string{"13800000001", "13800000008"} {
			rows, err := stmt.QueryContext(t.Context(), mobile)
			if err != nil {
				t.Fatal(err)
			}
			_ = rows.Close() // the log says how it ended
		}
	}, []string{
		`begin extended SELECT READ [select mobile from people where mobile = ?] mobile/output=masked mobile/where=withheld mask mobile:partial persons=1`,
		`end extended SELECT ok rows=1 masked=1 persons=1`,
		`begin extended SELECT READ [select mobile from people where mobile = ?] mobile/output=masked mobile/where=withheld mask mobile:partial persons=8`,
		`end extended SELECT ok`,
	}},
	{"sql-prepared", "clerk", execute("PREPARE s FROM 'SELECT mobile FROM people WHERE id = 3'", "EXECUTE s", "DEALLOCATE PREPARE s"), []string{
		`begin simple PREPARE SESSION [prepare s from ?] pass`,
		`end simple PREPARE ok`,
		`begin simple EXECUTE READ [execute s] mobile/output=masked mask mobile:partial`,
		`end simple EXECUTE ok rows=1 masked=1 persons=3`,
		`begin simple DEALLOCATE PREPARE SESSION [deallocate prepare s] pass`,
		`end simple DEALLOCATE PREPARE ok`,
	}},
	{"load-data", "boss", func(t *testing.T, c *sql.Conn) {
		path := filepath.Join(t.TempDir(), "rows")
		writeFile(t, path, "9\tx\t13800000009\t1\n")
		executeWith(t, c, "LOAD DATA LOCAL INFILE '"+path+"' INTO TABLE people")
	}, []string{
		`begin simple LOAD DATA WRITE [load data local infile ? into table people] mobile/written= salary/written= pass`,
		`end simple LOAD DATA ok rows=1`,
	}},
	{"write", "boss", execute("UPDATE people SET name = 'y' WHERE mobile = '13800000003'", "INSERT INTO people VALUES (7, 'z', '13800000007', 7)", "DELETE FROM people WHERE id > 3"), []string{
		`begin simple UPDATE WRITE [update people set name = ? where mobile = ?] mobile/where=clear pass persons=3`,
		`end simple UPDATE ok rows=1`,
		`begin simple INSERT WRITE [insert into people values (?, ?, ?, ?)] mobile/written= salary/written= pass`,
		`end simple INSERT ok rows=1`,
		`begin simple DELETE WRITE [delete from people where id > ?] mobile/written= salary/written= pass`,
		`end simple DELETE ok rows=2`,
	}},
	{"ddl", "boss", execute("CREATE TABLE t (a int)", "GRANT SELECT ON records.t TO clerk", "CREATE USER nobody IDENTIFIED BY 'hush-hush'", "DROP USER nobody", "DROP TABLE t"), []string{
		`begin simple CREATE TABLE DDL [create table t (a int)] pass`,
		`end simple CREATE TABLE ok`,
		`begin simple GRANT PRIVILEGE [grant select on records.t to clerk] pass`,
		`end simple GRANT ok`,
		`begin simple CREATE USER PRIVILEGE [create user nobody identified by ?] pass`,
		`end simple CREATE USER ok`,
		`begin simple DROP USER PRIVILEGE [drop user nobody] pass`,
		`end simple DROP USER ok`,
		`begin simple DROP TABLE DDL [drop table t] pass`,
		`end simple DROP TABLE ok`,
	}},
	{"refused", "clerk", execute("SELECT name FROM people ORDER BY salary", "SELECT FROM WHERE 'x"), []string{
		`refuse SELECT READ [select name from people order by salary] salary/order by=withheld refuse SV101 42501`,
		`refuse SELECT READ [select from where] refuse SV200 42501`,
	}},
	{"error", "boss", execute("SELECT nothing FROM people", "SELECT (SELECT 1 UNION SELECT 2)"), []string{
		`begin simple SELECT READ [select nothing from people] pass`,
		`end simple SELECT failed 42S22`,
		`begin simple SELECT READ [select (select ? union select ?)] pass`,
		`end simple SELECT failed 21000`,
	}},
	{"timeout", "boss", execute("SET STATEMENT max_statement_time = 0.1 FOR SELECT sleep(20)"), []string{
		`begin simple SELECT READ [set statement max_statement_time = ? for select sleep(?)] pass`,
		`end simple SELECT failed 70100`,
	}},
	{"killed", "boss", execute("KILL CONNECTION_ID()"), []string{
		`begin simple KILL OTHER [kill connection_id()] pass`,
		`end simple KILL failed 70100`,
	}},
}
