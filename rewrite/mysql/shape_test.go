package mysql

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
)

func TestShape(t *testing.T) {
	scope := rewrite.Scope{Catalog: &Catalog{}, Mode: "|utf8mb4|8.0.36"}
	for _, c := range []struct{ text, want string }{
		{"SELECT a  FROM t WHERE b = 'x' /* c */", "SELECT a  FROM t WHERE b = ?s /* c */"},
		{"SELECT A FROM t WHERE b IN (1, 2.5, -3)", "SELECT A FROM t WHERE b IN (?n, ?n, -?n)"},
		{"SELECT x'41', \"q\", 'it''s', 0x41", "SELECT ?x, ?s, ?s, ?n"},
		{"SELECT 1; SELECT 2", ""},
		{"SELECT a FROM t WHERE b = ?", ""},
		{"SELECT 'a", ""},
		{"SELECT 1a", ""},
	} {
		if got, ok := (Dialect{}).AppendShape(nil, scope, c.text); ok != (c.want != "") || ok && string(got) != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
	scope.Mode = "|gbk|8.0.36"
	if _, ok := (Dialect{}).AppendShape(nil, scope, "SELECT 1"); ok {
		t.Error("a text in GBK has a shape")
	}
}

// TestSharedPlans changes the literals of each statement of testdata. Where the
// analysis says that no literal decided anything, the plan must be the same.
func TestSharedPlans(t *testing.T) {
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
	schema, err := os.ReadFile("../testdata/mysql/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range strings.Split(string(schema), "//\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := conn.ExecContext(t.Context(), strings.ReplaceAll(strings.ReplaceAll(statement, "firm", "shared"), "archive", "shared2")); err != nil {
			t.Fatal(err)
		}
	}
	scope := oracleScope(t, conn, "shared.person.*", "shared.visit.phone")
	scope.SearchPath = []string{"shared"}
	files, err := filepath.Glob("../testdata/mysql/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n\n") {
			statement, _, _ := strings.Cut(block, "\n----")
			if comparePlans(t, scope, statement) {
				compared++
			}
		}
	}
	if compared < 40 {
		t.Errorf("only %d statements share their plans", compared)
	}
}

func comparePlans(t *testing.T, scope rewrite.Scope, statement string) bool {
	t.Helper()
	analysed := Dialect{}.Analyse(scope, statement)
	if len(analysed) != 1 || !analysed[0].LiteralFree {
		return false
	}
	plan := rewrite.NewPlanner(Dialect{}, 1).Plan(scope, statement)[0]
	if plan.Refuse != nil {
		return false
	}
	m := parseMode("", scope.Catalog.(*Catalog).Mode)
	for _, literals := range [][2]string{{"'other'", "7"}, {"'1'", "123456789"}, {"''", "0"}, {"'138****1111'", "99999999"}} {
		other := withLiterals(statement, &m, literals[0], literals[1])
		got := rewrite.NewPlanner(Dialect{}, 1).Plan(scope, other)[0]
		if !reflect.DeepEqual(got.Outputs, plan.Outputs) || !reflect.DeepEqual(got.Uses, plan.Uses) || !reflect.DeepEqual(got.Refuse, plan.Refuse) ||
			!reflect.DeepEqual(got.Effect, plan.Effect) || got.Text != plan.Text || got.Kind != plan.Kind {
			t.Errorf("%s\nand %s\nhave different plans", statement, other)
		}
	}
	return true
}

// withLiterals replaces the literals of a text.
func withLiterals(text string, m *mode, str, number string) string {
	var b strings.Builder
	done := 0
	l := lexer{text: text, mode: m}
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		if t.kind == tokenString || t.kind == tokenNumber {
			b.WriteString(text[done:t.start])
			if t.kind == tokenString {
				b.WriteString(str)
			} else {
				b.WriteString(number)
			}
			done = t.end
		}
	}
	return b.String() + text[done:]
}
