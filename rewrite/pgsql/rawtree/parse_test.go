package rawtree

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// statements are those of the golden plans and some with what these have not.
func statements(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/pgsql/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("glob: %v, %d files", err, len(files))
	}
	texts := []string{
		"",
		";;",
		"SELECT 1; SELECT 2",
		`SELECT E'a\b\f\n\r\t\v\x01\x7f', 'quote '' backslash \ less < more > "', U&'\4E2D' AS "中\n""文"`,
		"SELECT -2147483648, 2147483647, 2147483648, 9223372036854775808, 1.5e400, B'101', X'1F', NULL, true, false",
		"SELECT ARRAY[]::int[], ROW(), (a).b[1:2], a[:], $1, $2::text COLLATE \"C\", :: FROM x",
		"CREATE TABLE a (LIKE b INCLUDING ALL EXCLUDING INDEXES, c int DEFAULT 1 CHECK (c > 0) NO INHERIT, EXCLUDE USING gist (c WITH &&))",
		"DECLARE c CURSOR FOR SELECT 1; FETCH BACKWARD ALL FROM c; FETCH ABSOLUTE -3 FROM c; MOVE 9000000000 FROM c",
		"COPY t (a, b) FROM STDIN WITH (FORMAT csv, FORCE_NULL (a), HEADER match) WHERE a > 1",
		"GRANT SELECT (a), UPDATE ON t TO PUBLIC, CURRENT_USER WITH GRANT OPTION",
		"CREATE FUNCTION f(INOUT a int = 1, VARIADIC b text[]) RETURNS SETOF record LANGUAGE sql BEGIN ATOMIC SELECT 1; RETURN 2; END",
		"SELECT * FROM ROWS FROM (f(1) AS (a int), g(2)) WITH ORDINALITY TABLESAMPLE x (1) FOR UPDATE OF a SKIP LOCKED",
		"DO $$ BEGIN NULL; END $$; VACUUM (FULL, PARALLEL 3) t; SET x TO DEFAULT; SET TIME ZONE INTERVAL '1' HOUR TO MINUTE",
		"SELECT sum(a) FILTER (WHERE b) OVER (w ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES) FROM t WINDOW w AS (PARTITION BY c)",
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\n\n") {
			statement, _, _ := strings.Cut(block, "\n----")
			texts = append(texts, statement)
		}
	}
	return texts
}

// checkParse compares with what pg_query's own way gives, and reports whether the
// text is a statement.
func checkParse(t *testing.T, text string) bool {
	t.Helper()
	want, complaint := pg.Parse(text)
	got, err := Parse(text)
	switch {
	case complaint != nil:
		if err == nil || err.Error() != complaint.Error() {
			t.Errorf("%q: error %v instead of %v", text, err, complaint)
		}
	case err != nil:
		t.Errorf("%q: %v", text, err)
	case !proto.Equal(got, want):
		t.Errorf("%q:\n%v instead of\n%v", text, got, want)
	}
	return complaint == nil
}

func TestParse(t *testing.T) {
	parsed := 0
	for _, text := range statements(t) {
		if checkParse(t, text) {
			parsed++
		}
	}
	if parsed < 300 {
		t.Errorf("%d statements only", parsed)
	}
}

func TestParseComplaint(t *testing.T) {
	for _, text := range []string{"SELEC 1", "SELECT 'a", "SELECT a b c", "CREATE TABLE"} {
		if checkParse(t, text) {
			t.Errorf("%q is a statement", text)
		}
	}
}

// TestParseInvalidUTF8: an escape can make a string of bytes that are no characters,
// which neither way takes.
func TestParseInvalidUTF8(t *testing.T) {
	if tree, err := Parse(`SELECT E'\xff'`); err == nil {
		t.Errorf("tree %v", tree)
	}
}

// TestReadUnknown: what the parser does not write is not passed over.
func TestReadUnknown(t *testing.T) {
	const whole = `{"version":170007,"stmts":[{"stmt":{"SelectStmt":{"targetList":[{"ResTarget":{"val":{"A_Const":{"ival":{"ival":1},"location":7}},"location":7}}],"limitOption":"LIMIT_OPTION_DEFAULT","op":"SETOP_NONE"}}}]}`
	if _, err := read(whole); err != nil {
		t.Fatalf("the tree as it is: %v", err)
	}
	for _, change := range [][2]string{
		{`"location":7}},"location"`, `"place":7}},"location"`},
		{`"ival":{"ival":1},"location":7`, `"location":7,"ival":{"ival":1}`},
		{`"ival":{"ival":1}`, `"ival":{"ival":1},"ival":{"ival":2}`},
		{`"A_Const"`, `"B_Const"`},
		{`LIMIT_OPTION_DEFAULT`, `LIMIT_OPTION_NEVER`},
		{`"ival":1`, `"ival":2147483648`},
		{`"ival":1`, `"ival":1.5`},
		{`"ival":1`, `"ival":"1"`},
		{`"ival":1`, `"ival":`},
		{`]}`, `]`},
		{`]}`, `]}}`},
		{`]}`, `}`},
		{`{"version"`, ` {"version"`},
	} {
		text := strings.Replace(whole, change[0], change[1], 1)
		if text == whole {
			t.Fatalf("%s is not in the tree", change[0])
		}
		if tree, err := read(text); err == nil {
			t.Errorf("%s in the place of %s: no error, %v", change[1], change[0], tree)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range statements(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const most = 1000 // bytes: the parser's stack is not without end
		if len(text) < most && utf8.ValidString(text) && !strings.Contains(text, "\x00") {
			checkParse(t, text)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(`{"version":170007,"stmts":[{"stmt":{"SelectStmt":{"limitOption":"LIMIT_OPTION_DEFAULT","op":"SETOP_NONE"}}}]}`)
	f.Add(`{"stmts":[{"stmt":{"VariableSetStmt":{"kind":"VAR_SET_VALUE","name":"a\u001fb\"","is_local":true}}},{"stmt":{}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := read(text)
		if (tree == nil) == (err == nil) {
			t.Fatalf("%q: tree %v, error %v", text, tree, err)
		}
	})
}
