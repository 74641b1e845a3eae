package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"
)

// A step is one line of testdata/clients/steps.txt or mysql.txt.
type step struct {
	name, how, sql string
	parameters     []any
}

func readSteps(t *testing.T, name string) []step {
	t.Helper()
	file, err := os.Open("testdata/clients/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []step
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		s := step{name: fields[0], how: fields[1], sql: fields[2]}
		for _, parameter := range fields[3:] {
			s.parameters = append(s.parameters, stepParameter(t, parameter))
		}
		all = append(all, s)
	}
	return all
}

func stepParameter(t *testing.T, text string) any {
	t.Helper()
	kind, value, _ := strings.Cut(text, ":")
	switch {
	case kind == "n":
		return nil
	case value == "MOBILE":
		return ninthMobile()
	case kind == "t":
		return value
	}
	number, err := strconv.Atoi(value)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// A transcript is what the clients of this file print.
type transcript struct {
	strings.Builder
	full bool // every row, so that they can be searched for raw values
}

// note writes a step's line. Like the other clients' it begins with "error" when
// the step failed.
func (w *transcript) note(name string, value any, err error) {
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		value = []any{"error", server.Code, server.Message, server.Position}
	} else if server, ok := errors.AsType[*pq.Error](err); ok {
		value = []any{"error", server.Code, server.Message, server.Position}
	} else if server, ok := errors.AsType[*mysql.MySQLError](err); ok {
		value = []any{"error", server.Number, string(server.SQLState[:]), server.Message}
	} else if err != nil {
		value = []any{"error", err.Error()}
	}
	line, err := json.Marshal(value)
	if err != nil {
		line = fmt.Appendf(nil, "%v", value)
	}
	fmt.Fprintf(w, "%s\t%s\n", name, line)
}

func (w *transcript) digest(rows [][]any) any {
	if w.full {
		return rows
	}
	text := fmt.Sprint(rows)
	return []any{len(rows), sha256.Sum256([]byte(text)), rows[0], rows[len(rows)-1]}
}

// TestPgx is [TestClients] for pgx in the ways it can send a query.
func TestPgx(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			compareGo(t, func(t *testing.T, dsn string, w *transcript) { runPgx(t, dsn, mode, w) })
		})
	}
}

// TestDatabaseSQL is [TestClients] for the two drivers of database/sql.
func TestDatabaseSQL(t *testing.T) {
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			compareGo(t, func(t *testing.T, dsn string, w *transcript) { runDatabaseSQL(t, dsn, driver, w) })
		})
	}
}

func compareGo(t *testing.T, run func(t *testing.T, dsn string, w *transcript)) {
	d := lab(t)
	var direct, through transcript
	masked := transcript{full: true}
	run(t, d.direct("dba"), &direct)
	run(t, d.through("dba"), &through)
	run(t, d.through("analyst"), &masked)
	compare(t, direct.String(), through.String())
	checkMasked(t, direct.String(), masked.String())
}

func runPgx(t *testing.T, dsn string, mode pgx.QueryExecMode, w *transcript) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	query := func(sql string, parameters ...any) ([][]any, error) {
		rows, err := conn.Query(ctx, sql, parameters...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	}
	for _, s := range readSteps(t, "steps.txt") {
		switch s.how {
		case "copy":
			var out strings.Builder
			_, err := conn.PgConn().CopyTo(ctx, &out, s.sql)
			w.note(s.name, out.String(), err)
		case "bulk":
			rows, err := query(s.sql)
			if err != nil {
				t.Fatal(err)
			}
			w.note(s.name, w.digest(rows), nil)
		case "repeat":
			var all [][][]any
			for n := 1; n < 8; n++ {
				rows, err := query(s.sql, n)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, rows)
			}
			w.note(s.name, all, nil)
		default:
			rows, err := query(s.sql, s.parameters...)
			w.note(s.name, rows, err)
		}
	}
	pgxBatch(ctx, conn, w)
	pgxCopyIn(ctx, conn, w)
	pgxCancel(ctx, conn, w)
}

// pgxBatch sends many statements before it reads an answer; one fails.
func pgxBatch(ctx context.Context, conn *pgx.Conn, w *transcript) {
	batch := new(pgx.Batch)
	for n := 1; n <= 5; n++ {
		batch.Queue("SELECT id, mobile FROM customers WHERE id = $1", n)
	}
	batch.Queue("SELECT 1/0")
	batch.Queue("SELECT id, mobile FROM customers WHERE id = 6")
	results := conn.SendBatch(ctx, batch)
	var all []any
	for range batch.Len() {
		rows, err := results.Query()
		var values [][]any
		if err == nil {
			values, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
		}
		all = append(all, fmt.Sprint(values, err))
	}
	w.note("batch", all, nil)
	w.note("end of the batch", nil, results.Close())
}

func pgxCopyIn(ctx context.Context, conn *pgx.Conn, w *transcript) {
	_, err := conn.Exec(ctx, "CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY, v text)")
	w.note("temporary table", nil, err)
	n, err := conn.CopyFrom(ctx, pgx.Identifier{"scratch"}, []string{"id", "v"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) {
		return []any{i, fmt.Sprintf("行 %d", i)}, nil
	}))
	w.note("copy in", n, err)
	var count int
	var last string
	err = conn.QueryRow(ctx, "SELECT count(*), max(v) FROM scratch").Scan(&count, &last)
	w.note("copied", []any{count, last}, err)
}

func pgxCancel(ctx context.Context, conn *pgx.Conn, w *transcript) {
	time.AfterFunc(300*time.Millisecond, func() {
		if err := conn.PgConn().CancelRequest(ctx); err != nil {
			w.note("cancel request", nil, err)
		}
	})
	_, err := conn.Exec(ctx, "SELECT pg_sleep(20)")
	w.note("cancelled", "not cancelled", err)
	var alive string
	err = conn.QueryRow(ctx, "SELECT 'alive'").Scan(&alive)
	w.note("after the cancel", alive, err)
}

func runDatabaseSQL(t *testing.T, dsn, driver string, w *transcript) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(3)
	for _, s := range readSteps(t, "steps.txt") {
		switch s.how {
		case "copy": // database/sql has no COPY out
		case "bulk":
			rows, err := allRows(db.QueryContext(ctx, s.sql))
			if err != nil {
				t.Fatal(err)
			}
			w.note(s.name, w.digest(rows), nil)
		case "repeat":
			prepared, err := db.PrepareContext(ctx, s.sql)
			if err != nil {
				t.Fatal(err)
			}
			var all [][][]any
			for n := 1; n < 8; n++ {
				rows, err := allRows(prepared.QueryContext(ctx, n))
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, rows)
			}
			w.note(s.name, all, prepared.Close())
		default:
			rows, err := allRows(db.QueryContext(ctx, s.sql, s.parameters...))
			w.note(s.name, rows, err)
		}
	}
	w.note("transaction", nil, inTransaction(ctx, db))
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	_, err = db.ExecContext(short, "SELECT pg_sleep(20)")
	w.note("timed out", "", errors.Join(err, db.PingContext(ctx)))
}

// inTransaction rolls a failed transaction back.
func inTransaction(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, statement := range []string{"CREATE TEMPORARY TABLE kept (id int PRIMARY KEY)", "INSERT INTO kept VALUES (1), (2)", "SAVEPOINT here", "INSERT INTO kept VALUES (1)"} {
		if _, err = tx.ExecContext(ctx, statement); err != nil {
			break
		}
	}
	return errors.Join(err, tx.Rollback())
}

func allRows(rows *sql.Rows, err error) ([][]any, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return scanned(rows)
}

// scanned reads the rows of the result at hand.
func scanned(rows *sql.Rows) ([][]any, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]any
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(any)
		}
		if err := rows.Scan(row...); err != nil {
			return nil, err
		}
		for i, cell := range row {
			if row[i] = *cell.(*any); row[i] != nil {
				if text, ok := row[i].([]byte); ok {
					row[i] = string(text)
				}
			}
		}
		all = append(all, row)
	}
	return all, rows.Err()
}
