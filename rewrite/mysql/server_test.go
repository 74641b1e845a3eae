package mysql_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

const testdata = "../testdata/mysql"

var loadSchema sync.Once

// firm is a pool on the server of this test binary, with testdata's databases.
func firm(t *testing.T) *sql.DB {
	t.Helper()
	db, err := proxytest.MariaDB(t).Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	loadSchema.Do(func() { runFile(t, db, filepath.Join(testdata, "schema.sql")) })
	return db
}

// runFile runs the statements of a file, which "//" ends.
func runFile(t testing.TB, db *sql.DB, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range strings.Split(string(text), "//\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// querier is what asks: a pool or one of its connections.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func askOf(db querier) mysql.Ask {
	return func(ctx context.Context, query string) ([][]*string, error) {
		rows, err := db.QueryContext(ctx, query)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		var out [][]*string
		for rows.Next() {
			cells := make([]*string, len(names))
			into := make([]any, len(names))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				return nil, err
			}
			out = append(out, cells)
		}
		return out, rows.Err()
	}
}

func loadCatalog(t *testing.T, db querier) *mysql.Catalog {
	t.Helper()
	catalog, err := mysql.Load(context.Background(), askOf(db))
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// testScope is a clerk's in the database firm.
func testScope(t *testing.T) rewrite.Scope {
	t.Helper()
	policy := testPolicy(t, "")
	return rewrite.Scope{
		Role: policy.Role("clerk"), Policy: policy, Database: "firm", User: "clerk", SearchPath: []string{"firm"},
		Catalog: loadCatalog(t, firm(t)),
	}
}

// testPolicy labels testdata's tables. With use "raw" every class may be used
// anywhere, so that only outputs and flows are judged; with "" each has its own.
func testPolicy(t testing.TB, every string) *masking.Policy {
	t.Helper()
	class := func(mask, use string) masking.ClassSpec {
		if every != "" {
			use = every
		}
		options := map[string]map[string]any{
			"partial": {"first": 3, "last": 4}, "date": {"to": "year"},
		}[mask]
		return masking.ClassSpec{Level: "secret", Mask: masking.MaskSpec{mask: options}, Use: use}
	}
	policy, problems := masking.Compile(masking.Spec{
		Version: 1, Levels: []string{"open", "secret"}, Unlabelled: "visible",
		Classes: map[string]masking.ClassSpec{
			"name": class("name", "deny"), "mail": class("email", "deny"), "mobile": class("partial", "equality"),
			"card": class("redact", "deny"), "pay": class("null", "deny"), "born": class("date", "deny"),
		},
		Columns: map[string]masking.ColumnSpec{
			"firm.person.name": {Class: "name"}, "firm.person.mail": {Class: "mail"}, "firm.person.mobile": {Class: "mobile"},
			"firm.person.card": {Class: "card"}, "firm.person.pay": {Class: "pay"}, "firm.person.grade": {Class: "pay"}, "firm.person.born": {Class: "born"},
			"firm.person.doc":         {JSON: map[string]string{"$.phone": "mobile", "$.mails[*]": "mail"}},
			"firm.person.secret_note": {Class: "card"},
			"firm.team.mobile":        {Class: "mobile"}, "firm.visit.phone": {Class: "mobile"}, "archive.person.name": {Class: "name"},
			"firm.Odd Name.Full Name": {Class: "name"},
		},
		Roles: map[string]masking.RoleSpec{"clerk": {Clearance: "open"}, "boss": {Clearance: "secret"}},
	}, make([]byte, 32))
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p.Path, p.Message)
		}
	}
	return policy
}
