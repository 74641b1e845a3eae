package main

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"sqlveil/proxy/proxytest"
)

//go:embed useful.txt
var useful string

// mostUseless is how many of a hundred useful statements may be refused.
const mostUseless = 2

// usefulWork sends statements that ordinary programs send, in a session of a role
// with masks, and compares the answers with the server's own: what is not named as
// masked must be the same.
func usefulWork(t *testing.T, l *lab) {
	t.Helper()
	direct := session(t, proxytest.MySQLDSN(l.server.Addr(), "catalog", databases[0]))
	masked := session(t, proxytest.MySQLDSN(l.proxy.Address, "reader", databases[1]))
	all, broken := 0, 0
	for line := range strings.Lines(useful) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		statement, differ, _ := strings.Cut(line, " -- masked ")
		all++
		if err := compareUseful(t.Context(), direct, masked, statement, strings.Split(differ, ",")); err != nil {
			broken++
			t.Logf("%s\n\t%v", statement, err)
		}
	}
	t.Logf("%d of %d statements work", all-broken, all)
	if broken*100 > all*mostUseless {
		t.Errorf("%d of %d useful statements do not work", broken, all)
	}
}

func session(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// compareUseful runs a statement in one database directly, and in the other, which
// has the same public data, through the proxy.
func compareUseful(ctx context.Context, direct, masked *sql.Conn, statement string, differ []string) error {
	want, err := answerOf(ctx, direct, statement)
	if err != nil {
		return fmt.Errorf("directly: %w", err)
	}
	got, err := answerOf(ctx, masked, strings.ReplaceAll(statement, databases[0], databases[1]))
	if err != nil {
		return err
	}
	if slices.Contains(differ, "*") {
		return nil
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d rows and columns instead of %d", len(got), len(want))
	}
	for i := range want {
		for column, value := range want[i] {
			is, ok := got[i][column]
			named := strings.ReplaceAll(is, databases[1], databases[0])
			if !ok || named != value && !slices.Contains(differ, column) {
				return fmt.Errorf("row %d, %s: %q instead of %q", i, column, is, value)
			}
		}
	}
	return nil
}

// answerOf are the rows of all results, each by the names of its columns.
func answerOf(ctx context.Context, conn *sql.Conn, statement string) ([]map[string]string, error) {
	rows, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []map[string]string
	for more := true; more; more = rows.NextResultSet() {
		columns, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			cells := make([]sql.NullString, len(columns))
			into := make([]any, len(columns))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				return nil, err
			}
			row := map[string]string{}
			for i, name := range columns {
				row[strings.ReplaceAll(name, databases[1], databases[0])] = fmt.Sprint(cells[i].String, cells[i].Valid)
			}
			out = append(out, row)
		}
	}
	return out, rows.Err()
}
