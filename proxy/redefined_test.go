package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// A redefinition is a statement of the analyst under which the dba gives names
// another meaning, directly on the server: what it reads is protected then.
type redefinition struct {
	name     string
	before   string // by the dba
	sql      string // by the analyst
	change   string // by the dba
	prepared bool   // the analyst prepares the statement before the change
	own      bool   // the analyst has a temporary table
}

// The industry of a company is not protected, its contact's number is.
const (
	industryView = "CREATE VIEW branches AS SELECT id, upper(industry) AS branch FROM companies"
	contactView  = "CREATE OR REPLACE VIEW branches AS SELECT id, upper(contact_mobile) AS branch FROM companies"
	swapNames    = "ALTER TABLE companies RENAME COLUMN industry TO trade; ALTER TABLE companies RENAME COLUMN contact_mobile TO industry"
	industryOf   = "CREATE FUNCTION branch_of(bigint) RETURNS text LANGUAGE sql AS 'SELECT industry FROM public.companies WHERE id = $1'"
	contactOf    = "CREATE OR REPLACE FUNCTION branch_of(bigint) RETURNS text LANGUAGE sql AS 'SELECT contact_mobile::text FROM public.companies WHERE id = $1'"
	undoView     = "DROP VIEW IF EXISTS branches"
	undoFunction = "DROP FUNCTION IF EXISTS branch_of(bigint)"
	undoNames    = "ALTER TABLE companies RENAME COLUMN industry TO contact_mobile; ALTER TABLE companies RENAME COLUMN trade TO industry"

	whileItWaits   = 300 * time.Millisecond
	untilItIsKnown = 10 * time.Second // on a machine where looking at the definitions is costly
)

var mobileNumber = regexp.MustCompile(`\d{11}`)

var redefinitions = []redefinition{
	{"view", industryView, "SELECT branch FROM branches LIMIT 3", contactView, false, false},
	{"expression", "", "SELECT upper(industry) FROM companies LIMIT 3", swapNames, false, false},
	{"function", industryOf, "SELECT branch_of(1)", contactOf, false, false},
	{"prepared statement", industryView, "SELECT branch FROM branches LIMIT 3", contactView, true, false},
	{"prepared expression", "", "SELECT upper(industry) FROM companies LIMIT 3", swapNames, true, false},
	{"COPY", "", "COPY (SELECT upper(industry) FROM companies LIMIT 3) TO STDOUT", swapNames, false, false},
	{"cursor", industryView, "BEGIN; DECLARE c CURSOR FOR SELECT branch FROM branches; FETCH 3 FROM c; COMMIT", contactView, false, false},
	{"temporary table at hand", industryView, "SELECT branch FROM branches LIMIT 3", contactView, false, true},
}

// TestRedefined changes definitions behind the proxy's back: before a statement
// that was planned a moment ago, and while it waits for a lock.
func TestRedefined(t *testing.T) {
	d := leakLab(t)
	for _, r := range redefinitions {
		for _, waits := range []bool{false, true} {
			name := r.name + " sent afterwards"
			if waits {
				name = r.name + " waiting for a lock"
			}
			t.Run(name, func(t *testing.T) { r.run(t, d, waits) })
		}
	}
}

func openAs(t *testing.T, address, user string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), proxytest.PostgresDSN(address, user, sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (r *redefinition) run(t *testing.T, d *postgresLab, waits bool) {
	analyst, dba := openAs(t, d.address, "analyst"), openAs(t, d.server.Addr(), "dba")
	execute := func(sql string) {
		t.Helper()
		if _, err := dba.Exec(context.WithoutCancel(t.Context()), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	defer execute(undoView + ";" + undoFunction)
	if r.before != "" {
		execute(r.before)
	}
	if r.own {
		if _, err := analyst.Exec(t.Context(), "CREATE TEMP TABLE own (id int)").ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	if r.prepared {
		if _, err := analyst.Prepare(t.Context(), "s", r.sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	got := r.ask(t, analyst)
	for end := time.Now().Add(untilItIsKnown); strings.Contains(got, "ERROR") && time.Now().Before(end); {
		got = r.ask(t, analyst)
	}
	if strings.Contains(got, "ERROR") || mobileNumber.MatchString(got) {
		t.Fatalf("before the change: %q", got)
	}
	if waits {
		execute("BEGIN")
	}
	execute(r.change)
	if r.change == swapNames {
		defer execute(undoNames)
	}
	answer := make(chan string, 1)
	go func() { answer <- r.ask(t, analyst) }()
	if waits {
		time.Sleep(whileItWaits)
		execute("COMMIT")
	}
	for _, got := range []string{<-answer, r.ask(t, analyst)} {
		if mobileNumber.MatchString(got) {
			t.Errorf("released: %q", got)
		}
	}
}

// ask is all that a statement answers, each value in a line of its own.
func (r *redefinition) ask(t *testing.T, conn *pgconn.PgConn) string {
	var out bytes.Buffer
	out.WriteByte('\n')
	switch {
	case strings.HasPrefix(r.sql, "COPY"):
		if _, err := conn.CopyTo(t.Context(), &out, r.sql); err != nil {
			out.WriteString(err.Error())
		}
	case r.prepared:
		writeRows(&out, conn.ExecPrepared(t.Context(), "s", nil, nil, nil).Read())
	default:
		results, err := conn.Exec(t.Context(), r.sql).ReadAll()
		for _, result := range results {
			writeRows(&out, result)
		}
		if err != nil {
			out.WriteString(err.Error())
			if conn.TxStatus() != 'I' {
				_, err = conn.Exec(t.Context(), "ROLLBACK").ReadAll()
			}
			if err != nil && conn.IsClosed() {
				t.Errorf("the session ended: %v", err)
			}
		}
	}
	return out.String()
}

func writeRows(out *bytes.Buffer, result *pgconn.Result) {
	for _, row := range result.Rows {
		for _, value := range row {
			out.Write(append(value, '\n'))
		}
	}
	if result.Err != nil {
		out.WriteString(result.Err.Error())
	}
}
