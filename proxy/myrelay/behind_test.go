package myrelay

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
)

// What a statement does to the reading of those behind it in the same text is
// known, or they are refused.
func TestBehindAStatement(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	const quoted = `SELECT concat("mobile", '') FROM person WHERE id = 1`
	for name, texts := range map[string][]string{
		"execute":         {"PREPARE s FROM 'SET sql_mode = ANSI_QUOTES'", "EXECUTE s; " + quoted},
		"prepare, too":    {"PREPARE s FROM 'SET sql_mode = ANSI_QUOTES'; EXECUTE s; " + quoted},
		"twice":           {"PREPARE s FROM 'SET sql_mode = ANSI_QUOTES'", "PREPARE q FROM 'SELECT 1'", "EXECUTE s; EXECUTE q; " + quoted},
		"block":           {"BEGIN NOT ATOMIC SET sql_mode = ANSI_QUOTES; END; " + quoted},
		"several blocks":  {"BEGIN NOT ATOMIC SET sql_mode = ANSI_QUOTES; END; " + quoted + "; BEGIN NOT ATOMIC SELECT 1; END"},
		"condition":       {"IF 1 THEN SET sql_mode = ANSI_QUOTES; END IF; " + quoted},
		"database":        {"PREPARE s FROM 'USE " + r.database + "_other'", "EXECUTE s; SELECT mobile AS secret FROM person"},
		"unknown text":    {"SET @q = 'SET sql_mode = ANSI_QUOTES'; EXECUTE IMMEDIATE @q; " + quoted},
		"function's mode": {"SET sql_mode = ANSI_QUOTES", "SELECT plain(); " + quoted},
	} {
		t.Run(name, func(t *testing.T) {
			r.exec("USE " + r.database + "; CREATE OR REPLACE FUNCTION plain() RETURNS int BEGIN SET sql_mode = ''; RETURN 1; END")
			conn := r.connect("analyst")
			got := ""
			for _, text := range texts {
				got = shown(t, conn, text)
			}
			if got != "error 1142 42000" {
				t.Errorf("the last answer: %s", got)
			}
		})
	}
}

// What a statement does that another one runs from a text is known as well.
func TestExecuteImmediate(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "EXECUTE IMMEDIATE") {
		return
	}
	conn := r.connect("analyst")
	for _, step := range []struct{ text, want string }{
		{"EXECUTE IMMEDIATE 'SELECT id, mobile FROM person WHERE id < 3'", "1|138****0001 ; 2|138****0002"},
		{"EXECUTE IMMEDIATE 'SELECT id FROM person WHERE id = ?' USING 7", "7"},
		{"EXECUTE IMMEDIATE 'SELECT id FROM person WHERE salary = ?' USING 1007", "error 1142 42000"},
		{"EXECUTE IMMEDIATE concat('SELECT mobile', ' FROM person')", "error 1142 42000"},
		{"EXECUTE IMMEDIATE 'SELECT 1; SELECT 2'", "error 1142 42000"},
		{"EXECUTE IMMEDIATE 'SET sql_mode = ANSI_QUOTES'", ""},
		{`SELECT concat("mobile", '') FROM person WHERE id = 1`, "[redacted]"},
		{`EXECUTE IMMEDIATE 'SET sql_mode = ""'; SELECT concat("mobile", '') FROM person WHERE id = 1`, "mobile"},
	} {
		if got := shown(t, conn, step.text); got != step.want {
			t.Errorf("%s: got %s, want %s", step.text, got, step.want)
		}
	}
}

// A procedure's results are masked each as what it is, and so are those of a block.
func TestSeveralResults(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec("USE " + r.database + `; CREATE PROCEDURE both_of() BEGIN
		SELECT id, name FROM person WHERE id = 1; SELECT id, mobile FROM person WHERE id = 1; SELECT count(*) AS n FROM person; END;
		CREATE PROCEDURE alike() BEGIN SELECT name AS it FROM person WHERE id = 1; SELECT mobile AS it FROM person WHERE id = 1; END;
		CREATE PROCEDURE around() BEGIN CALL both_of(); SELECT 'x', 'y', 'z'; END`)
	conn := r.connect("analyst")
	if got := shown(t, conn, "PREPARE p FROM 'CALL both_of()'"); got != "" {
		t.Fatal(got)
	}
	for text, want := range map[string][]string{
		"CALL both_of()": {"1|name 1", "1|138****0001", "100"},
		"CALL alike()":   {"[redacted]", "138****0001"},
		"CALL around()":  {"1|name 1", "1|138****0001", "100", "x|y|z"},
		"BEGIN NOT ATOMIC DECLARE i INT DEFAULT 2; WHILE i > 0 DO SELECT i, mobile FROM person WHERE id = i; SET i = i - 1; END WHILE; SELECT i; END": {
			"2|138****0002", "1|138****0001", "0",
		},
		"EXECUTE p": {"1|name 1", "1|138****0001", "100"},
	} {
		if got := results(t, conn, text); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"BEGIN NOT ATOMIC DECLARE v INT; SELECT mobile INTO v FROM person WHERE id = 1; END":          "error 1142 42000",
		"BEGIN NOT ATOMIC UPDATE person SET mobile = '1' WHERE id = 9; SELECT row_count(); END":       "0",
		"BEGIN NOT ATOMIC IF (SELECT salary FROM person WHERE id = 1) > 5 THEN SELECT 1; END IF; END": "error 1142 42000",
		"IF 1 = 1 THEN SELECT mobile FROM person WHERE id = 1; END IF":                                "138****0001",
		"BEGIN NOT ATOMIC SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END":                       "error 1644 45000",
		"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'":                                             "error 1644 45000",
		"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @@warning_count":                                  "error 1142 42000",
	} {
		if got := shown(t, conn, text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// results writes each result of a statement in one line.
func results(t *testing.T, conn *sql.Conn, text string) (lines []string) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	for more := true; more; more = rows.NextResultSet() {
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			cells := make([]string, len(names))
			into := make([]any, len(names))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return lines
}

// What could fail over a protected value is not worked out: the client gets NULL,
// under the same name.
func TestStandIns(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	for _, step := range []struct{ text, want string }{
		{"SELECT id, cast(mobile AS DATE) FROM person WHERE id = 1", "1|NULL"},
		{"SELECT 1 / (salary - 1001) AS x, id FROM person WHERE id < 3", "NULL|1 ; NULL|2"},
		{"SHOW WARNINGS", ""},
		{"SELECT id FROM person WHERE id < 2; SELECT mobile + 0 AS x FROM person WHERE id = 1", "1"},
		{"SELECT d.x FROM (SELECT cast(mobile AS DATE) AS x FROM person) d", "error 1142 42000"},
	} {
		if got := shown(t, conn, step.text); got != step.want {
			t.Errorf("%s: got %s, want %s", step.text, got, step.want)
		}
	}
	stmt, err := conn.PrepareContext(t.Context(), "SELECT id, cast(mobile AS DATE) FROM person WHERE id = ? + 0")
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	var id int
	var day sql.NullString
	if err := stmt.QueryRowContext(t.Context(), 7).Scan(&id, &day); err != nil || id != 7 || day.Valid {
		t.Errorf("prepared: %v, %d, %v", err, id, day)
	}
	rows, err := conn.QueryContext(t.Context(), "SELECT cast(mobile AS DATE) FROM person WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !slices.Equal(names, []string{"cast(mobile AS DATE)"}) {
		t.Errorf("columns %q, %v", names, err)
	}
}
