package pgsql

import "testing"

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"literals", `SELECT 'it''s', 1.5e-3, E'\'', $$a$$, $t$b$t$, X'1F', U&'\0041'`, "select ?, ?, ?, ?, ?, ?, ?"},
		{"parameters stay", "SELECT * FROM T WHERE id=$1", "select * from t where id=$1"},
		{"quoted names stay", `SELECT "Full Name" FROM "T"`, `select "Full Name" from "T"`},
		{"comments go", "SELECT /* a /* b */ 'x' */ 1 -- 'secret'", "select ?"},
		{"operators", "SELECT a->>'b'||c::text", "select a->>?||c::text"},
		{"only ASCII is folded", "SELECT É", "select É"},
		{"password", "ALTER USER x PASSWORD 'pw'", "alter user x password ?"},
	} {
		if got, ok := normalise(c.text); got != c.want || !ok {
			t.Errorf("%s: normalise(%q) = %q, %v, want %q", c.name, c.text, got, ok, c.want)
		}
	}
	if got, ok := normalise("SELECT 'unterminated"); got != "SELECT" || ok {
		t.Errorf("normalise of a broken text = %q, %v, want its first word, false", got, ok)
	}
}

// Texts that mean different things must not share a shape.
func TestShapesDiffer(t *testing.T) {
	for _, c := range [][2]string{
		{"SELECT mail ? 'x'", "SELECT mail 'y'\n'x'"},
		{"SELECT É", "SELECT é"},
		{"SELECT 1", "SELECT '1'"},
		{`SELECT "a"`, `SELECT "A"`},
		{"SELECT a - -1", "SELECT a--1"},
		{"SELECT a.b", "SELECT a b"},
		{"SELECT $1", "SELECT $2"},
		{"SELECT 1", "SELECT 1.5"},
		{"SELECT 1", "SELECT 3000000000"},
		{"SELECT 31", "SELECT 0x1F"},
		{"SELECT '1'", "SELECT B'1'"},
	} {
		a, okA := shape(c[0])
		b, okB := shape(c[1])
		if okA && okB && a == b {
			t.Errorf("%q and %q share the shape %q", c[0], c[1], a)
		}
	}
	if s, ok := shape(`SELECT U&"d!0061" UESCAPE '!'`); ok {
		t.Errorf("a text with UESCAPE has shape %q", s)
	}
}

func TestShapesAgree(t *testing.T) {
	a, _ := shape("SELECT mail FROM person WHERE id = 5 AND note = 'x'")
	b, ok := shape("select  mail FROM person where id = 17 /* c */ and note = 'it''s'")
	if !ok || a != b {
		t.Errorf("shapes %q and %q differ", a, b)
	}
}
