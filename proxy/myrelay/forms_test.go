package myrelay

import (
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

// TestForms sends statements of forms that only some servers know. What a server
// answers to a role that sees everything, it answers to one with masks, masked.
func TestForms(t *testing.T) {
	r := newRig(t)
	r.exec("USE " + r.database + `; CREATE VIEW seen AS SELECT id, mobile AS m FROM person WHERE id = 1;
		CREATE TABLE note (id int PRIMARY KEY, word varchar(20)); INSERT INTO note VALUES (1, 'a')`)
	direct, conn := r.connect("dba", func(c *driver.Config) { c.Addr = r.Addr() }), r.connect("analyst")
	known := 0
	for _, form := range []struct{ text, want string }{
		{"WITH c AS (SELECT id, mobile FROM person) SELECT * FROM c WHERE id = 1", "1|138****0001"},
		{"WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 3) SELECT * FROM c", "1 ; 2 ; 3"},
		{"SELECT id, lag(mobile) OVER w FROM person WINDOW w AS (ORDER BY id) LIMIT 2", "1|NULL ; 2|138****0001"},
		{"SELECT t.m FROM person p JOIN LATERAL (SELECT p.mobile AS m) t WHERE p.id = 1", "138****0001"},
		{"VALUES ROW(1, 'a'), ROW(2, 'b')", "1|a ; 2|b"},
		{"VALUES ROW((SELECT mobile FROM person WHERE id = 1))", "138****0001"},
		{"VALUES (1, 'a'), (2, 'b')", "1|a ; 2|b"},
		{"TABLE seen", "1|138****0001"},
		{"SELECT m FROM seen", "138****0001"},
		{"SELECT id FROM person WHERE id < 4 INTERSECT SELECT id FROM person WHERE id > 2", "3"},
		{"SELECT id FROM person WHERE id < 3 EXCEPT SELECT id FROM person WHERE id = 1", "2"},
		{"SELECT jt.a FROM JSON_TABLE('[7]', '$[*]' COLUMNS (a INT PATH '$')) jt", "7"},
		{"SELECT /*+ SET_VAR(sort_buffer_size = 1000000) */ mobile FROM person WHERE id = 1", "138****0001"},
		{"SELECT ANY_VALUE(mobile) FROM person WHERE id = 1", "138****0001"},
		{"SELECT id FROM person WHERE id = 1 FOR UPDATE SKIP LOCKED", "1"},
		{"INSERT INTO note VALUES (1, 'b') AS n ON DUPLICATE KEY UPDATE word = n.word", ""},
		{"SELECT word FROM note WHERE id = 1 /*!80019 AND word = 'b' */", "?"},
		{"SELECT 1 /*!50101 , 2 */", "?"},
		{"SELECT 1 /*!80000 , mobile FROM person WHERE id = 1 */", "?"},
		{"SELECT 1 /*!99999 , 2 */", "?"},
		{"SELECT 1 /*M! , 2 */", "?"},
		{"SELECT STRING_TO_VECTOR('[1,2]') IS NULL", "0"},
		{"SELECT id FROM person WHERE name = 'name 1' COLLATE utf8mb4_0900_as_cs", "1"},
		{"CREATE JSON DUALITY VIEW dual_person AS SELECT JSON_DUALITY_OBJECT('_id': id, 'mobile': mobile) FROM person", "error 1142 42000"},
		{"CREATE LIBRARY code LANGUAGE JAVASCRIPT AS $$ export function f() {} $$", "error 1142 42000"},
		{"SET PERSIST max_connections = 300", "error 1142 42000"},
		{"LOCK INSTANCE FOR BACKUP", "error 1142 42000"},
		{"SHOW BINLOG EVENTS", "error 1142 42000"},
		{"SHOW PARSE_TREE SELECT 1", "error 1142 42000"},
	} {
		want := shown(t, direct, form.text)
		if strings.HasPrefix(want, "error") {
			if got := shown(t, conn, form.text); !strings.HasPrefix(got, "error") {
				t.Errorf("%s: got %s, and the server %s", form.text, got, want)
			}
			continue
		}
		known++
		if form.want != "?" {
			want = form.want
		}
		if got := shown(t, conn, form.text); got != strings.ReplaceAll(want, "13800000001", "138****0001") {
			t.Errorf("%s: got %s, want %s", form.text, got, want)
		}
	}
	t.Logf("the server knows %d forms", known)
	if known < 8 {
		t.Errorf("the server knows only %d forms", known)
	}
}

// A plan shows nothing of a row that the server has read to make it, whatever its
// form, nor do the messages behind it.
func TestPlansOfTheServer(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	if got := shown(t, conn, "EXPLAIN SELECT id FROM person WHERE id = 1"); got == "" || strings.HasPrefix(got, "error") {
		t.Errorf("EXPLAIN: %s", got)
	}
	for _, form := range []string{"", "FORMAT=JSON ", "FORMAT=TREE ", "FORMAT=TRADITIONAL ", "EXTENDED ", "ANALYZE ", "FORMAT=JSON INTO @plan "} {
		for _, text := range []string{
			"SELECT mobile, salary FROM person WHERE id = 1",
			"SELECT max(o.id + p.salary) FROM person p JOIN person o WHERE p.id = 1",
			"SELECT count(*) FROM (SELECT max(o.id + p.salary) AS m FROM person p JOIN person o WHERE p.id = 1) t",
			"UPDATE person p JOIN person o ON o.id = 1 SET p.mobile = o.mobile",
		} {
			for _, step := range []string{"EXPLAIN " + form + text, "SHOW WARNINGS", "SELECT @plan"} {
				if got := shown(t, conn, step); strings.Contains(got, "13800000001") || strings.Contains(got, "1001") {
					t.Errorf("EXPLAIN %s%s: %s: %s", form, text, step, got)
				}
			}
		}
	}
}
