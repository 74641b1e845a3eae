package myrelay

import (
	"fmt"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/proxy/proxytest"
)

// What the proxy asks in a session does not take the place of what the client's
// own statement has left there.
func TestQuestionsGoUnnoticed(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "limits of SHOW WARNINGS, and FOUND_ROWS() of the statement before the last") {
		return
	}
	r.exec("CREATE TABLE " + r.database + ".plain (id int PRIMARY KEY AUTO_INCREMENT, word varchar(20))")
	for name, texts := range map[string][]string{
		"warnings of a definition": {"CREATE TABLE IF NOT EXISTS plain (id int)", "SHOW WARNINGS LIMIT 1"},
		"found rows":               {"USE %s", "SELECT SQL_CALC_FOUND_ROWS id FROM person LIMIT 3", "USE %s", "SELECT FOUND_ROWS()"},
		"number of a row":          {"INSERT INTO plain (word) VALUES ('a')", "USE %s", "SELECT LAST_INSERT_ID() AS id", "DELETE FROM plain"},
		"errors":                   {"SET NAMES utf8mb4", "DROP TABLE nowhere", "SHOW ERRORS LIMIT 1"},
	} {
		through, direct := r.connect("analyst"), r.connect("dba", func(c *driver.Config) { c.Addr = r.Addr() })
		for _, text := range texts {
			if strings.Contains(text, "%s") {
				text = fmt.Sprintf(text, r.database)
			}
			got, want := shown(t, through, text), shown(t, direct, text)
			if name == "number of a row" && strings.Contains(text, "LAST_INSERT_ID") {
				got, want = fmt.Sprint(got != "0"), "true" // each has its own
			}
			if strings.HasPrefix(text, "SHOW WARNINGS") || strings.HasPrefix(text, "SHOW ERRORS") {
				got, want = strings.SplitAfterN(got, "|", 3)[1], strings.SplitAfterN(want, "|", 3)[1] // but for the message
			}
			if got != want {
				t.Errorf("%s: %s: got %s, want %s", name, text, got, want)
			}
		}
	}
}

// How many warnings a statement over protected values left says something of them.
func TestWarningsAreWithheld(t *testing.T) {
	r := newRig(t)
	db := r.connect("analyst")
	warned := func() (n int) {
		t.Helper()
		rows, err := db.QueryContext(t.Context(), "SHOW WARNINGS")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			n++
		}
		return n
	}
	for _, c := range []struct {
		text string
		want int
	}{
		{"SELECT GROUP_CONCAT(mobile, REPEAT('x', 5000000)) FROM person", 0},
		{"DO 0", 0}, // the server keeps the warnings
		{"SELECT @@warning_count", 0},
		{"SELECT id, CAST('a' AS SIGNED) FROM person LIMIT 1", 1},
	} {
		rows, err := db.QueryContext(t.Context(), c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		for rows.Next() {
			var count string
			if c.text == "SELECT @@warning_count" {
				if err := rows.Scan(&count); err != nil || count != "0" {
					t.Errorf("%s: %q, %v", c.text, count, err)
				}
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if got := warned(); got != c.want {
			t.Errorf("%s: %d warnings are shown, not %d", c.text, got, c.want)
		}
	}
}
