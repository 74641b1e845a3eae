package myrelay

import (
	"fmt"
	"strings"
	"testing"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// A role with masks works with temporary tables as with others, for as long as
// they exist, and its data keeps its labels.
func TestTemporaryTables(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "CREATE TABLE ... SELECT") {
		return
	}
	conn := r.connect("analyst")
	other := r.connect("analyst")
	for _, step := range []struct{ text, want string }{
		{"CREATE TEMPORARY TABLE scratch (id int, note varchar(40), mobile varchar(20), copied varchar(20) AS (mobile))", ""},
		{"INSERT INTO scratch (id, note) VALUES (1, 'one'), (2, 'two')", ""},
		{"SELECT id, note FROM scratch ORDER BY id", "1|one ; 2|two"},
		{"SELECT s.note, p.mobile FROM scratch s JOIN person p USING (id) ORDER BY id", "one|138****0001 ; two|138****0002"},
		{"INSERT INTO scratch (id, note) SELECT id, mobile FROM person WHERE id = 3", "error 1142 42000"},
		{"UPDATE scratch s JOIN person p USING (id) SET s.note = p.mobile", "error 1142 42000"},
		{"CREATE TEMPORARY TABLE person (id int)", "error 1142 42000"},
		{"CREATE TEMPORARY TABLE numbers AS SELECT id, name FROM person WHERE id < 3", ""},
		{"SELECT * FROM numbers", "1|name 1 ; 2|name 2"},
		{"CREATE TEMPORARY TABLE leak AS SELECT mobile AS m FROM person", "error 1142 42000"},
		{"CREATE TEMPORARY TABLE leak (mobile varchar(20), m varchar(20) DEFAULT (mobile))", "error 1142 42000"},
		{"CREATE TEMPORARY TABLE alike LIKE person", ""},
		{"SELECT count(*) FROM alike", "0"},
		{"ALTER TABLE scratch ADD COLUMN more int DEFAULT 7", ""},
		{"SELECT more FROM scratch", "7 ; 7"},
		{"TRUNCATE TABLE numbers", ""},
		{"SELECT * FROM numbers", ""},
		{"DROP TABLE numbers, nowhere", "error 1051 42S02"}, // which may drop the first
		{"DROP TABLE IF EXISTS numbers", ""},
		{"SELECT * FROM numbers", "error 1146 42S02"},
		{"DROP TEMPORARY TABLE scratch", ""},
		{"SELECT * FROM scratch", "error 1146 42S02"},
	} {
		if got := shown(t, conn, step.text); got != step.want {
			t.Errorf("%s: got %s, want %s", step.text, got, step.want)
		}
	}
	if got := shown(t, other, "SELECT * FROM alike"); got != "error 1146 42S02" {
		t.Errorf("another session sees the table: %s", got)
	}
}

// What a session takes for a temporary table is the table itself once the
// temporary one is gone.
func TestTemporaryTableGone(t *testing.T) {
	r := newRig(t)
	for table, drop := range map[string]string{
		"one": "DROP TEMPORARY TABLE one", "two": "DROP TABLE IF EXISTS two, nowhere", "three": "EXECUTE d",
	} {
		conn := r.connect("analyst")
		for text, want := range map[string]string{
			"CREATE TEMPORARY TABLE " + table + " (secret varchar(20))": "",
			"PREPARE d FROM 'DROP TEMPORARY TABLE " + table + "'":       "",
		} {
			if got := shown(t, conn, text); got != want {
				t.Fatalf("%s: got %s", text, got)
			}
		}
		if got := shown(t, conn, "SELECT count(*) FROM "+table); got != "0" {
			t.Fatalf("%s: got %s", table, got)
		}
		r.exec(fmt.Sprintf("CREATE TABLE %[1]s.%[2]s (secret varchar(20)); INSERT INTO %[1]s.%[2]s VALUES ('x')", r.database, table))
		shown(t, conn, drop)
		if got := shown(t, conn, "SELECT secret FROM "+table); got != "[redacted]" {
			t.Errorf("after %s: got %s", drop, got)
		}
	}
}

// COM_RESET_CONNECTION and COM_CHANGE_USER drop temporary tables.
func TestTemporaryTablesAfterReset(t *testing.T) {
	r := newRig(t)
	for name, reset := range map[string]func(*rawClient){
		"reset": func(c *rawClient) {
			c.send([]byte{byte(mywire.ComResetConnection)})
			c.next()
		},
		"change": func(c *rawClient) { c.change(r, "analyst") },
	} {
		c := r.raw("analyst")
		for _, text := range []string{"CREATE TEMPORARY TABLE scratch (id int)", "INSERT INTO scratch VALUES (1)"} {
			if got := c.ask(text); got != "OK" {
				t.Fatalf("%s: %s", text, got)
			}
		}
		reset(c)
		if got := c.ask("INSERT INTO scratch VALUES (1)"); !strings.Contains(got, "1146") {
			t.Errorf("after the %s: %s", name, got)
		}
	}
}
