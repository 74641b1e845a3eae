package myrelay

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
)

const needsPreparing = 1615 // ER_NEED_REPREPARE

// asTold carries out a text that must not fail.
func asTold(t *testing.T, conn *sql.Conn, text string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// answeredWith is the first cell of a result, or the number of the error.
func answeredWith(t *testing.T, rows *sql.Rows, err error) (cell string, number uint16) {
	t.Helper()
	var all [][]*string
	if err == nil {
		defer rows.Close()
		all, err = scan(rows)
	}
	var refused *driver.MySQLError
	switch {
	case errors.As(err, &refused):
		return "", refused.Number
	case err != nil:
		t.Fatal(err)
	case len(all) == 0 || all[0][0] == nil:
		return "NULL", 0
	}
	return *all[0][0], 0
}

// A server keeps what it has prepared as it read it then, or reads the text again
// under the settings of later.
func TestReadAgain(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		name, before, text, after string
		want                      string
		number                    uint16
	}{
		{"quotes", "SET sql_mode = 'ANSI_QUOTES'", `SELECT concat("mobile") FROM person WHERE id = 1`, "SET sql_mode = ''", "", needsPreparing},
		{"backslashes", "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", `SELECT concat('\', name) FROM person WHERE id = 1 -- ')`, "SET sql_mode = ''", "", needsPreparing},
		{"characters", "SET NAMES utf8mb4", "SELECT concat('你\\', mobile) FROM person WHERE id = 1 -- ') FROM person", "SET NAMES gbk", "", needsPreparing},
		{"literals", "SET NAMES utf8mb4", "SELECT '你' FROM person", "SET character_set_connection = latin1", "", needsPreparing},
		{"operators", "SET sql_mode = 'PIPES_AS_CONCAT'", "SELECT 'a' || name FROM person WHERE NOT salary IS NULL", "SET sql_mode = 'HIGH_NOT_PRECEDENCE'", "", needsPreparing},
		{"nothing that changes", "SET sql_mode = 'ANSI_QUOTES'", "SELECT concat(`name`, 'x') FROM person WHERE id = 1", "SET sql_mode = '', NAMES latin1", "name 1x", 0},
		{"nothing that is read", "SET sql_mode = ''", "SELECT concat(\"mobile\") FROM person WHERE id = 1", "SET sort_buffer_size = 100000", "mobile", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := r.connect("analyst")
			asTold(t, conn, c.before)
			prepared, err := conn.PrepareContext(t.Context(), c.text)
			if err != nil {
				t.Fatal(err)
			}
			defer prepared.Close()
			asTold(t, conn, c.after)
			r.exec("ALTER TABLE " + r.database + ".person COMMENT '" + c.name + "'")
			rows, err := prepared.QueryContext(t.Context())
			if cell, number := answeredWith(t, rows, err); cell != c.want || number != c.number {
				t.Errorf("%s after %s: %q, error %d", c.text, c.after, cell, number)
			}
		})
	}
}

// So it is with what SQL's PREPARE makes.
func TestReadAgainInText(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	asTold(t, conn, "SET sql_mode = 'ANSI_QUOTES'")
	asTold(t, conn, `PREPARE s FROM 'SELECT concat("mobile") FROM person WHERE id = 1'`)
	rows, err := conn.QueryContext(t.Context(), "EXECUTE s")
	if cell, number := answeredWith(t, rows, err); cell != "[redacted]" || number != 0 {
		t.Errorf("at first: %q, error %d", cell, number)
	}
	asTold(t, conn, "SET sql_mode = ''")
	rows, err = conn.QueryContext(t.Context(), "EXECUTE s")
	if cell, number := answeredWith(t, rows, err); number != needsPreparing {
		t.Errorf("then: %q, error %d", cell, number)
	}
	asTold(t, conn, "SET sql_mode = 'ANSI_QUOTES'")
	rows, err = conn.QueryContext(t.Context(), "EXECUTE s")
	if cell, number := answeredWith(t, rows, err); cell != "[redacted]" || number != 0 {
		t.Errorf("and again: %q, error %d", cell, number)
	}
}

// What is prepared keeps to the database that was current then.
func TestPreparedKeepsDatabase(t *testing.T) {
	r := newRig(t)
	spec := policySpec
	spec.Columns = map[string]masking.ColumnSpec{r.database + ".person.name": {Class: "secret"}}
	r.policy.Store(compiled(t, spec))
	conn := r.connect("analyst")
	const text = "SELECT concat(name) FROM person WHERE id = 1"
	here, err := conn.PrepareContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	asTold(t, conn, "PREPARE here FROM '"+text+"'")
	asTold(t, conn, "USE "+r.database+"_other")
	there, err := conn.PrepareContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	for range 2 {
		for name, c := range map[string]struct {
			query func() (*sql.Rows, error)
			want  string
		}{
			"prepared before":         {func() (*sql.Rows, error) { return here.QueryContext(t.Context()) }, "[redacted]"},
			"prepared before in text": {func() (*sql.Rows, error) { return conn.QueryContext(t.Context(), "EXECUTE here") }, "[redacted]"},
			"prepared there":          {func() (*sql.Rows, error) { return there.QueryContext(t.Context()) }, "other"},
		} {
			rows, err := c.query()
			if cell, number := answeredWith(t, rows, err); cell != c.want || number != 0 {
				t.Errorf("%s: %q, error %d", name, cell, number)
			}
		}
	}
}

// What names nothing may be carried out whenever it was prepared.
func TestPreparedBeforeAnybodyAsked(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	prepared, err := conn.PrepareContext(t.Context(), "SET @a = 7")
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	asTold(t, conn, "PREPARE s FROM 'SELECT 1'")
	for _, between := range []string{"USE " + r.database + "_other", "SET sql_mode = 'ANSI_QUOTES'", "SET NAMES latin1"} {
		asTold(t, conn, between)
		if _, err := prepared.ExecContext(t.Context()); err != nil {
			t.Errorf("after %s: %v", between, err)
		}
		rows, err := conn.QueryContext(t.Context(), "EXECUTE s")
		if cell, number := answeredWith(t, rows, err); cell != "1" || number != 0 {
			t.Errorf("after %s: %q, error %d", between, cell, number)
		}
		rows, err = conn.QueryContext(t.Context(), "SELECT name FROM "+r.database+".person WHERE id = @a")
		if cell, number := answeredWith(t, rows, err); cell != "name 7" || number != 0 {
			t.Errorf("after %s: %q, error %d", between, cell, number)
		}
	}
}

// A text that names nothing as settings of before would have it read may do so as
// it is read.
func TestReadUnderNewSettings(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	for _, settings := range []string{"sql_mode = 'NO_BACKSLASH_ESCAPES'", "sql_mode = ''", "sql_mode = 'NO_BACKSLASH_ESCAPES'"} {
		asTold(t, conn, "SET "+settings)
		_, err := conn.ExecContext(t.Context(), `SET @a = 'x\', @b = (SELECT mobile FROM person LIMIT 1) -- '`)
		if strings.HasSuffix(settings, "''") {
			if err != nil {
				t.Errorf("SET %s: %v", settings, err)
			}
		} else if err == nil {
			t.Errorf("SET %s: a protected value may go to a variable", settings)
		}
		rows, err := conn.QueryContext(t.Context(), "SELECT @b")
		if cell, number := answeredWith(t, rows, err); cell != "NULL" || number != 0 {
			t.Errorf("SET %s: then %q, error %d", settings, cell, number)
		}
	}
}

// Literals are written in the connection's character set: names in a text to prepare,
// and those of columns without one, may become others.
func TestLiteralsOfAnotherCharacterSet(t *testing.T) {
	r := newRig(t)
	for _, connection := range []string{"character_set_connection = latin1", "character_set_connection = ascii", "collation_connection = swe7_swedish_ci", "character_set_connection = utf8mb4"} {
		if strings.Contains(connection, "swe7") && r.lacks(proxytest.ProductTiDB, "swe7") {
			continue
		}
		conn := r.connect("analyst")
		asTold(t, conn, "SET "+connection)
		for _, text := range []string{
			"SELECT (SELECT `手机` FROM (SELECT '手机') d) x FROM (SELECT mobile AS `手机` FROM person) o",
			"SELECT (SELECT `a@b` FROM (SELECT 'a@b') d) x FROM (SELECT mobile AS `a@b` FROM person) o",
			"EXECUTE IMMEDIATE 'SELECT (SELECT `é` FROM (SELECT mobile AS `?` FROM person LIMIT 1) d) x FROM (SELECT 1 AS `é`) c'",
			"EXECUTE IMMEDIATE 'SELECT (SELECT `手` FROM (SELECT mobile AS `?` FROM person LIMIT 1) d) x FROM (SELECT 1 AS `手`) c'",
		} {
			rows, err := conn.QueryContext(t.Context(), text)
			if cell, _ := answeredWith(t, rows, err); strings.HasPrefix(cell, "1380000") {
				t.Errorf("SET %s: %s: %q", connection, text, cell)
			}
		}
	}
	conn := r.connect("analyst")
	asTold(t, conn, "PREPARE s FROM 'SELECT name AS `手机` FROM person WHERE id = 1 AND ''你'' = ''你'''")
	rows, err := conn.QueryContext(t.Context(), "EXECUTE s")
	if cell, number := answeredWith(t, rows, err); cell != "name 1" || number != 0 {
		t.Errorf("in one character set: %q, error %d", cell, number)
	}
}
