package myrelay

import (
	"fmt"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

// What the proxy asks in a session does not take the place of what the client's
// own statement has left there.
func TestQuestionsGoUnnoticed(t *testing.T) {
	r := newRig(t)
	r.exec("CREATE TABLE " + r.database + ".plain (id int PRIMARY KEY AUTO_INCREMENT, word varchar(20))")
	for name, texts := range map[string][]string{
		"warnings of a definition": {"CREATE TABLE IF NOT EXISTS plain (id int)", "SHOW COUNT(*) WARNINGS", "SELECT @@warning_count", "SHOW WARNINGS LIMIT 1"},
		"found rows":               {"USE %s", "SELECT SQL_CALC_FOUND_ROWS id FROM person LIMIT 3", "USE %s", "SELECT FOUND_ROWS()"},
		"number of a row":          {"INSERT INTO plain (word) VALUES ('a')", "USE %s", "SELECT LAST_INSERT_ID() AS id", "DELETE FROM plain"},
		"errors":                   {"SET NAMES utf8mb4", "DROP TABLE nowhere", "SHOW COUNT(*) ERRORS"},
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
			if strings.HasPrefix(text, "SHOW WARNINGS") {
				got, want = strings.SplitAfterN(got, "|", 3)[1], strings.SplitAfterN(want, "|", 3)[1] // but for the message
			}
			if got != want {
				t.Errorf("%s: %s: got %s, want %s", name, text, got, want)
			}
		}
	}
}
