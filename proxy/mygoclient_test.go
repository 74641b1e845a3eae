package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// TestGoSQLDriver is [TestMySQLClients] for go-sql-driver: parameters in prepared
// statements, and put into the text by the driver.
func TestGoSQLDriver(t *testing.T) {
	d := myLab(t)
	for name, interpolate := range map[string]bool{"prepared": false, "interpolated": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(address, user string, full bool) string {
				config := mysql.NewConfig()
				config.User, config.Passwd, config.Net, config.Addr, config.DBName = user, proxytest.Password(user), "tcp", address, sample.Database
				config.InterpolateParams, config.MultiStatements = interpolate, true
				config.Logger = &mysql.NopLogger{}
				w := transcript{full: full}
				runGoSQLDriver(t, config, &w)
				return w.String()
			}
			direct := run(d.server.Addr(), "dba", false)
			compare(t, direct, run(d.address, "dba", false))
			checkMasked(t, direct, run(d.address, "analyst", true))
		})
	}
}

func runGoSQLDriver(t *testing.T, config *mysql.Config, w *transcript) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range readSteps(t, "mysql.txt") {
		switch s.how {
		case "load":
			const source = "rows of the test"
			mysql.RegisterReaderHandler(source, loadReader)
			result, err := conn.ExecContext(ctx, strings.Replace(s.sql, "LOADFILE", "Reader::"+source, 1))
			w.note(s.name, affected(result), err)
		case "bulk":
			rows, err := allRows(conn.QueryContext(ctx, s.sql))
			if err != nil {
				t.Fatal(err)
			}
			w.note(s.name, w.digest(rows), nil)
		case "repeat":
			w.note(s.name, repeated(ctx, conn, s.sql), nil)
		case "several":
			results, err := allResults(conn.QueryContext(ctx, s.sql))
			w.note(s.name, results, err)
		default:
			rows, err := allRows(conn.QueryContext(ctx, s.sql, s.parameters...))
			w.note(s.name, rows, err)
		}
	}
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	_, err = db.ExecContext(short, "DO SLEEP(20)")
	w.note("timed out", "", errors.Join(err, db.PingContext(ctx)))
}

func repeated(ctx context.Context, conn *sql.Conn, text string) any {
	prepared, err := conn.PrepareContext(ctx, text)
	if err != nil {
		return err.Error()
	}
	defer prepared.Close()
	var all [][][]any
	for n := 1; n < 8; n++ {
		rows, err := allRows(prepared.QueryContext(ctx, n))
		if err != nil {
			return err.Error()
		}
		all = append(all, rows)
	}
	return all
}

// allResults reads the results of a text with several statements.
func allResults(rows *sql.Rows, err error) ([][][]any, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all [][][]any
	for more := true; more; more = rows.NextResultSet() {
		result, err := scanned(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, result)
	}
	return all, rows.Err()
}

func affected(result sql.Result) any {
	if result == nil {
		return nil
	}
	n, err := result.RowsAffected()
	return []any{n, err}
}
