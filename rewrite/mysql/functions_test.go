package mysql

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

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

func init() {
	awkward['c'] = slices.DeleteFunc(slices.Clone(awkward['t']), func(v string) bool { return strings.HasPrefix(v, "x") })
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
		query := fmt.Sprintf("SELECT %s(%s) FROM mysql.user LIMIT 1", name, strings.Join(args, ", "))
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
	var cell *string
	if err := conn.QueryRowContext(t.Context(), query).Scan(&cell); err != nil {
		number, _, _ := strings.Cut(err.Error(), ":")
		return number
	}
	var warnings int
	if err := conn.QueryRowContext(t.Context(), "SELECT @@warning_count").Scan(&warnings); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("NULL %v, %d warnings", cell == nil, warnings)
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

// notJudged are names that servers take for functions, or seem to, and that are
// refused on purpose: words in front of a select list, internal names of operators
// in TiDB, what nobody documents.
var notJudged = strings.Fields(`
	all distinct distinctrow high_priority straight_join sql_big_result sql_buffer_result sql_cache sql_no_cache sql_calc_found_rows sql_small_result
	not row sql_tsi_second sql_tsi_minute sql_tsi_hour sql_tsi_day sql_tsi_week sql_tsi_month sql_tsi_quarter sql_tsi_year
	cast count
	bitand bitneg bitor bitxor eq ge getparam gt intdiv isfalse le leftshift lt minus mul ne nulleq plus rightshift setvar unaryminus
	decode_oracle wsrep_sync_wait_upto_gtid version_with_update`)

// TestFunctionsAreJudged asks the server for its functions: which of the words in
// its program it takes for one.
func TestFunctionsAreJudged(t *testing.T) {
	server := proxytest.MariaDB(t)
	db, err := server.Open("mysql")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	found := 0
	for _, word := range serverWords(t, conn, server.Product()) {
		if !isFunction(t, conn, word) {
			continue
		}
		found++
		name := strings.ToLower(word)
		_, judged := judge(name)
		_, special := specialCalls[name]
		_, aggregate := aggregates[name]
		if !judged && !special && !aggregate && !choices[name] && !ranks[name] && !slices.Contains(notJudged, name) {
			t.Errorf("function %s is not judged", name)
		}
	}
	if found < 200 {
		t.Errorf("only %d functions were found", found)
	}
	t.Logf("%d functions", found)
}

const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

// serverWords are words among which the names of all functions are: what TiDB
// lists, and for others each string in capitals that ends with a zero byte in the
// server's program.
func serverWords(t *testing.T, conn *sql.Conn, product proxytest.Product) []string {
	t.Helper()
	if product == proxytest.ProductTiDB {
		return firstColumn(t, conn, "SHOW BUILTINS")
	}
	var program []byte
	for _, name := range []string{"mysqld", "mariadbd"} {
		found, err := os.ReadFile(filepath.Join(firstColumn(t, conn, "SELECT @@basedir")[0], "sbin", name))
		if err == nil && len(found) > len(program) {
			program = found
		}
	}
	words := map[string]bool{}
	for text := range bytes.SplitSeq(program, []byte{0}) {
		if word := text[bytes.LastIndexFunc(text, func(c rune) bool { return !strings.ContainsRune(capitals, c) })+1:]; len(word) > 0 && len(word) < 64 {
			words[string(word)] = true
		}
	}
	return slices.Sorted(maps.Keys(words))
}

// firstColumn is the first column of a result.
func firstColumn(t *testing.T, conn *sql.Conn, query string) (cells []string) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var cell string
		if err := rows.Scan(&cell); err != nil {
			t.Fatal(err)
		}
		cells = append(cells, cell)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return cells
}

// Errors that tell what a word in front of parentheses is.
const (
	errSyntax           = 1064
	errNoFunction       = 1305
	errNoFunctionEither = 1630 // of a name that is a keyword
	errInternalFunction = 3566 // of information_schema's views alone
)

// isFunction says whether the server takes a word for a function of 0 to 3 arguments.
func isFunction(t *testing.T, conn *sql.Conn, word string) bool {
	t.Helper()
	for _, arguments := range []string{"1", "", "1,1", "1,1,1"} {
		_, err := conn.ExecContext(t.Context(), fmt.Sprintf("PREPARE call_it FROM 'SELECT %s(%s)'", word, arguments))
		told, ok := errors.AsType[*mysql.MySQLError](err)
		if err != nil && !ok {
			t.Fatal(word, err)
		}
		switch {
		case err == nil:
			return true
		case told.Number == errNoFunction, told.Number == errNoFunctionEither, told.Number == errInternalFunction:
			return false
		case told.Number != errSyntax:
			return true
		}
	}
	return false
}
