package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/auditlog/segment"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

const secretValues = 1000

// carriers are statements with a value in every place that one can be in. Some
// are refused, some fail: what the proxy writes about those counts as well.
var carriers = []string{
	"SELECT id FROM customers WHERE mobile = '%s'",
	"SELECT id /* %[1]s */ FROM customers WHERE email IN ('%[1]s', $$%[1]s$$) -- %[1]s",
	`SELECT id AS "alias" FROM customers WHERE id_card = E'%s'`,
	"SELECT '%s'::int",
	"SELECT 1/0, '%s'",
	"SELECT nothing FROM nowhere WHERE a = '%s'",
	"SELECT FROM WHERE '%s",
	"UPDATE customers SET notes = '%s' WHERE id = -1",
	"INSERT INTO companies (id, name) VALUES ('%s', 'x')",
	"CREATE ROLE nobody PASSWORD '%s'; DROP ROLE nobody",
	"SET application_name = '%s'",
	"SELECT set_config('search_path', 'public', false), '%s'",
	"DO $body$ BEGIN RAISE EXCEPTION '%s'; END $body$",
	"SELECT dblink('host=h password=%s')",
	"PREPARE p AS SELECT '%[1]s'; EXECUTE p; EXECUTE q('%[1]s'); DEALLOCATE p",
	"BEGIN; DECLARE c CURSOR FOR SELECT id FROM customers WHERE bank_card = '%s'; FETCH ALL FROM c; COMMIT",
	"EXPLAIN SELECT id FROM customers WHERE mobile = '%s'",
	"NOTIFY channel, '%s'",
	"COMMENT ON TABLE customers IS '%s'",
}

// TestNothingWrittenHoldsAValue sends values through the proxy in every way
// and looks for them in all that it has ever written: the audit log with its
// queue, its index and the sealed originals, the program's log with the traces of
// all goroutines, the pages of the admin address.
func TestNothingWrittenHoldsAValue(t *testing.T) {
	values := secrets(t)
	s := newSite(t, lab(t).server.Addr())
	s.replace(t, "sqlveil.yaml", "durability: classified", "text: sealed, durability: spool")
	p := s.serve(t)
	sendValues(t, p.Address, "analyst", values[:len(values)/2])
	sendValues(t, p.Address, "dba", values[len(values)/2:])
	written := make(map[string]string)
	for _, page := range []string{"/", "/metrics", "/healthz"} {
		_, written[page] = p.get(t, page)
	}
	if err := p.Process.Signal(syscall.SIGQUIT); err != nil { // the runtime prints every goroutine's stack
		t.Fatal(err)
	}
	p.Wait()
	if !strings.Contains(p.Log(), "goroutine ") {
		t.Errorf("the program ended without traces: %s", p.Log())
	}
	written["program log"] = p.Log()
	readAll(t, filepath.Join(s.directory, "audit"), written)
	records := 0
	for name, text := range written {
		records += strings.Count(text, `"kind":"query.begin"`)
		for _, value := range values {
			if at := strings.Index(text, value); at >= 0 {
				t.Fatalf("%s holds the value %q: …%s…", name, value, text[max(0, at-300):min(len(text), at+100)])
			}
		}
	}
	if records < len(carriers) {
		t.Errorf("only %d statements were let through", records)
	}
	for _, name := range []string{segment.IndexFile, segment.IntakeFile, segment.HeadFile} {
		if written[filepath.Join(s.directory, "audit", name)] == "" {
			t.Errorf("%s was not looked into", name)
		}
	}
}

// secrets are personal values of the sample, and passwords.
func secrets(t *testing.T) (values []string) {
	t.Helper()
	for _, table := range sample.Tables(1, labCustomers) {
		if table.Name != "customers" {
			continue
		}
		for row := range table.Rows {
			for i, cell := range row {
				switch table.Columns[i] {
				case "mobile", "email", "id_card", "bank_card":
					if cell != nil && len(values) < secretValues {
						values = append(values, *cell)
					}
				}
			}
		}
	}
	for i := range 50 {
		values = append(values, fmt.Sprintf("pass-word-%d-密码", i))
	}
	return values
}

func sendValues(t *testing.T, address, user string, values []string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, proxytest.PostgresDSN(address, user, sample.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	c := conn.PgConn()
	for i, value := range values {
		// Errors are the point of many; only a lost session is one here.
		_, _ = c.Exec(ctx, fmt.Sprintf(carriers[i%len(carriers)], value)).ReadAll()
		_, _ = c.Exec(ctx, "ROLLBACK").ReadAll()
		_ = c.ExecParams(ctx, "SELECT id, name FROM customers WHERE mobile = $1 OR email = $1", [][]byte{[]byte(value)}, nil, nil, nil).Read()
		if c.IsClosed() {
			t.Fatalf("%s: the session ended with %q", user, carriers[i%len(carriers)])
		}
	}
	copyValues(ctx, c, values)
	_ = c.ExecParams(ctx, "SELECT name, mobile, email, id_card, bank_card FROM customers ORDER BY id", nil, nil, nil, nil).Read()
}

func copyValues(ctx context.Context, c *pgconn.PgConn, values []string) {
	_, _ = c.CopyFrom(ctx, strings.NewReader(strings.Join(values, "\n")+"\n"), "COPY companies (name) FROM STDIN")
	_, _ = c.CopyTo(ctx, io.Discard, "COPY customers TO STDOUT")
	_, _ = c.CopyTo(ctx, io.Discard, "COPY (SELECT name, mobile FROM customers) TO STDOUT")
}

// readAll reads every file below a directory; segments as they were written.
func readAll(t *testing.T, dir string, written map[string]string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		r, err := segment.Open(segment.File{Path: path, Compressed: strings.HasSuffix(path, segment.Compressed)})
		if err != nil {
			return err
		}
		defer r.Close()
		text, err := io.ReadAll(r)
		written[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
