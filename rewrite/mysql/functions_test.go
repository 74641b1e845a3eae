package mysql

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
)

// awkward are values on which a function fails, if it can.
var awkward = map[byte][]string{
	't': {
		"''", "'a'", "'中文 text'", "' 12 '", "'-1e400'", "'{\"a\": [1]}'", "'['", "'%Y-%m-%d'", "'0000-00-00'", "repeat('ab', 3000)", "x'00ff'",
		"'a@b.example'", "'$.a'", "'9999-12-31 23:59:59.999999'",
	},
	'n': {"0", "1", "-1", "2147483647", "-999999999999999999", "999999999999999999", "0.5", "-123456.78", "99999999999999.9999"},
	'd': {"DATE'1000-01-01'", "DATE'9999-12-31'", "TIMESTAMP'2024-02-29 23:59:59'", "DATE'1970-01-01'"},
	'j': {"'{}'", "'[]'", "'{\"a\": {\"b\": [1, \"x\", null]}}'", "'\"text\"'", "'1'", "'null'", "'[1, 2]'"},
}

// constants stand for the arguments that no protected value may be.
var constants = []string{"1", "2", "'a'", "'$.a'", "'utf8mb4'"}

// TestJudgedFunctions calls each function of the server with awkward values
// where its judgement says that no value shows: what comes of a call must not
// depend on the value, be it an error, a warning or NULL.
func TestJudgedFunctions(t *testing.T) {
	db, err := proxytest.MariaDB(t).Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	calls := 0
	for name, j := range functions {
		if j.refused || j.sink || strings.Contains(name, ".") {
			continue
		}
		for count := 1; count <= 4; count++ {
			for place := range count {
				calls += tryFunction(t, conn, name, j, count, place)
			}
		}
	}
	t.Logf("%d calls", calls)
}

// tryFunction calls a function with count arguments, of which one is awkward.
func tryFunction(t *testing.T, conn *sql.Conn, name string, j judgement, count, place int) (calls int) {
	t.Helper()
	if strings.HasPrefix(name, "crc32") && count > 1 {
		return 0
	}
	first, firstQuery := "", ""
	for _, v := range awkward[j.arg(place)] {
		args := make([]string, count)
		for i := range args {
			args[i] = constantFor(j.arg(i), i)
		}
		args[place] = v
		query := fmt.Sprintf("SELECT %s(%s) IS NULL FROM mysql.global_priv LIMIT 1", name, strings.Join(args, ", "))
		outcome := outcomeOf(t, conn, query)
		calls++
		if first == "" {
			first, firstQuery = outcome, query
		}
		if outcome != first {
			t.Errorf("%s: %s\n%s: %s", firstQuery, first, query, outcome)
			break
		}
	}
	return calls
}

// outcomeOf is what a client sees of a call besides its value.
func outcomeOf(t *testing.T, conn *sql.Conn, query string) string {
	t.Helper()
	var null bool
	if err := conn.QueryRowContext(t.Context(), query).Scan(&null); err != nil {
		number, _, _ := strings.Cut(err.Error(), ":")
		return number
	}
	var warnings int
	if err := conn.QueryRowContext(t.Context(), "SELECT @@warning_count").Scan(&warnings); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("NULL %v, %d warnings", null, warnings)
}

// constantFor is an argument that is in nobody's way.
func constantFor(letter byte, place int) string {
	switch letter {
	case 'd':
		return "DATE'2020-01-01'"
	case 'j':
		return "'{\"a\": 1}'"
	case 'n':
		return "1"
	}
	return constants[place%len(constants)]
}

// TestFunctionsAreJudged asks the server which functions it has.
func TestFunctionsAreJudged(t *testing.T) {
	db, err := proxytest.MariaDB(t).Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT LOWER(FUNCTION) FROM information_schema.SQL_FUNCTIONS")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	syntax := []string{"cast", "count"}                               // the parser makes something else of these
	refused := []string{"decode_oracle", "wsrep_sync_wait_upto_gtid"} // unknown on purpose
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		_, judged := judge(name)
		_, special := specialCalls[name]
		_, aggregate := aggregates[name]
		if !judged && !special && !aggregate && !choices[name] && !ranks[name] && !slices.Contains(syntax, name) && !slices.Contains(refused, name) {
			t.Errorf("function %s is not judged", name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
