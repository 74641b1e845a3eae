package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"sqlveil/masking"
	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

// openCatalogs are Catalogs over a database of the test's own, and a session to
// change it with.
func openCatalogs(t *testing.T, database string) (*mysql.Catalogs, *sql.Conn) {
	t.Helper()
	db := firm(t)
	catalogs := mysql.NewCatalogs(func(ctx context.Context) (mysql.Ask, func(), error) {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		return askOf(conn), func() { conn.Close() }, nil
	})
	t.Cleanup(catalogs.Close)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	run(t, conn, "DROP DATABASE IF EXISTS "+database, "CREATE DATABASE "+database, "USE "+database)
	return catalogs, conn
}

func run(t *testing.T, conn *sql.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// fresh is the catalog after definitions were changed.
func fresh(t *testing.T, catalogs *mysql.Catalogs) *mysql.Catalog {
	t.Helper()
	catalogs.Changed("")
	c, err := catalogs.Fresh(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return c.(*mysql.Catalog)
}

func columnPolicy(t *testing.T, columns ...string) *masking.Policy {
	t.Helper()
	spec := masking.Spec{
		Version: 1, Levels: []string{"open", "secret"}, Unlabelled: "visible", Columns: map[string]masking.ColumnSpec{},
		Classes: map[string]masking.ClassSpec{"secret": {Level: "secret", Mask: masking.MaskSpec{"redact": nil}, Use: "deny"}},
		Roles:   map[string]masking.RoleSpec{"clerk": {Clearance: "open"}},
	}
	for _, c := range columns {
		spec.Columns[c] = masking.ColumnSpec{Class: "secret"}
	}
	policy, problems := masking.Compile(spec, nil)
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p.Path, p.Message)
		}
	}
	return policy
}

// labelled lists the columns of a table that carry a label.
func labelled(t *testing.T, c *mysql.Catalog, policy *masking.Policy, schema, table string) string {
	t.Helper()
	rel := c.Relation(schema, table)
	if rel == nil {
		t.Fatalf("no table %s.%s", schema, table)
	}
	var names []string
	for _, column := range rel.Columns {
		if _, ok := c.Label(policy, &column.TableColumn); ok {
			names = append(names, column.Name.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestLabelsStick(t *testing.T) {
	catalogs, conn := openCatalogs(t, "sticky")
	policy := columnPolicy(t, "sticky.a.mail", "sticky.m.mail")
	run(
		t, conn, "CREATE TABLE a (id INT, mail VARCHAR(20), x INT) ENGINE=InnoDB", "CREATE TABLE b (id INT, note VARCHAR(20))",
		"CREATE TABLE m (id INT, mail VARCHAR(20)) ENGINE=MyISAM",
	)
	fresh(t, catalogs)
	for _, step := range []struct{ statement, table, want string }{
		{"ALTER TABLE a RENAME COLUMN mail TO post", "a", "post"},
		{"ALTER TABLE a CHANGE post letter VARCHAR(30)", "a", "letter"},
		{"ALTER TABLE a ADD COLUMN first INT FIRST", "a", "letter"},
		{"RENAME TABLE a TO c", "c", "letter"},
		{"ALTER TABLE c ADD COLUMN mail VARCHAR(20)", "c", "letter"},
		{"RENAME TABLE c TO z, b TO c, z TO b", "b", "letter"},
		{"ALTER TABLE b ADD COLUMN y INT", "c", ""},
		{"ALTER TABLE m RENAME COLUMN mail TO post", "m", "post"},
		{"RENAME TABLE m TO n", "n", "post"},
		{"DROP TABLE n", "b", "letter"},
	} {
		run(t, conn, step.statement)
		if got := labelled(t, fresh(t, catalogs), policy, "sticky", step.table); got != step.want {
			t.Errorf("after %s: labelled in %s: %q, want %q", step.statement, step.table, got, step.want)
		}
	}
}

func TestSnapshots(t *testing.T) {
	catalogs, conn := openCatalogs(t, "snaps")
	first := fresh(t, catalogs)
	if again := fresh(t, catalogs); again != first {
		t.Error("nothing changed, but the snapshot is another one")
	}
	for _, change := range []string{
		"CREATE TABLE t (id INT)", "ALTER TABLE t ADD COLUMN a VARCHAR(10)", "ALTER TABLE t MODIFY a VARCHAR(20)", "CREATE VIEW v AS SELECT id FROM t",
		"CREATE OR REPLACE VIEW v AS SELECT a AS id FROM t", "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1", "DROP FUNCTION f",
		"CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 2", "CREATE PROCEDURE p(IN a INT) SELECT 1", "DROP PROCEDURE p", "CREATE PROCEDURE p(OUT a INT) SELECT 1",
		"ALTER TABLE t MODIFY a VARCHAR(20) NOT NULL", "ALTER TABLE t ADD COLUMN g INT AS (id + 1)", "DROP TABLE t", "CREATE DATABASE IF NOT EXISTS snaps2",
	} {
		run(t, conn, change)
		next := fresh(t, catalogs)
		if next.Version() == first.Version() {
			t.Errorf("%s went unnoticed", change)
		}
		first = next
	}
}

func TestCurrentNeedsAConnection(t *testing.T) {
	broken := errors.New("no such server")
	var tries atomic.Int32
	catalogs := mysql.NewCatalogs(func(context.Context) (mysql.Ask, func(), error) {
		tries.Add(1)
		return nil, nil, broken
	})
	for range 2 {
		if _, err := catalogs.Current(t.Context(), ""); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	catalogs.Close()
	if _, err := catalogs.Fresh(t.Context(), ""); err == nil || tries.Load() != 2 {
		t.Errorf("closed: %v after %d tries", err, tries.Load())
	}
}

func TestTemporaryTables(t *testing.T) {
	catalogs, conn := openCatalogs(t, "temps")
	run(t, conn, "CREATE TABLE kept (id INT, mail VARCHAR(20))", "CREATE TEMPORARY TABLE gone (a INT)", "DROP TABLE gone",
		"CREATE TEMPORARY TABLE kept (other INT)", "CREATE TEMPORARY TABLE fresh (b VARCHAR(10), c DECIMAL(5,2))",
		"CREATE TEMPORARY TABLE made (copy VARCHAR(20) AS (mail), again VARCHAR(20) AS (copy), mail VARCHAR(20))")
	names := []rewrite.TemporaryTable{{Schema: "temps", Name: "gone"}, {Schema: "temps", Name: "kept"}, {Schema: "temps", Name: "fresh"}, {Schema: "temps", Name: "made"}}
	c, err := catalogs.Local(t.Context(), "", names, askOf(conn))
	if err != nil {
		t.Fatal(err)
	}
	policy := columnPolicy(t, "temps.*.mail")
	scope := rewrite.Scope{Role: policy.Role("clerk"), Policy: policy, SearchPath: []string{"temps"}, Catalog: c}
	for sql, want := range map[string]string{
		"SELECT * FROM kept": "SELECT other", "SELECT * FROM fresh": "SELECT b, c", "SELECT * FROM made": "SELECT copy=redact(derived), again=redact(derived), mail=redact",
		"SELECT * FROM gone": "SELECT refused SV201 42S02: Table 'temps.gone' doesn't exist",
	} {
		if got := describe(rewrite.NewPlanner(mysql.Dialect{}, 1).Plan(scope, sql)); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
	plain, err := catalogs.Local(t.Context(), "", nil, askOf(conn))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := plain.(*mysql.Catalog).Label(policy, &plain.(*mysql.Catalog).Relation("temps", "kept").Column("mail").TableColumn); !ok {
		t.Error("the label of the table underneath is lost")
	}
}

func TestOrigin(t *testing.T) {
	c := loadCatalog(t, firm(t))
	rel, att, ok := c.Origin("firm", "person", "MAIL")
	if !ok || rel != c.Relation("firm", "person").ID || att == 0 {
		t.Errorf("person.mail: %d %d %v", rel, att, ok)
	}
	if _, ok := c.LabelOf(testPolicy(t, ""), rel, att); !ok {
		t.Error("person.mail has no label by its origin")
	}
	for _, o := range [][3]string{{"firm", "person", "nothing"}, {"firm", "nothing", "id"}, {"", "", ""}} {
		if _, _, ok := c.Origin(o[0], o[1], o[2]); ok {
			t.Errorf("%v was found", o)
		}
	}
	if _, ok := c.LabelOf(testPolicy(t, ""), 1<<30, 1); !ok {
		t.Error("an unknown table has no label")
	}
}
