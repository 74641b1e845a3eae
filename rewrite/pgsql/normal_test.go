package pgsql

import (
	"strconv"
	"strings"
	"testing"
)

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
		a, okA := shapeText(c[0])
		b, okB := shapeText(c[1])
		if okA && okB && a == b {
			t.Errorf("%q and %q share the shape %q", c[0], c[1], a)
		}
	}
	if s, ok := shapeText(`SELECT U&"d!0061" UESCAPE '!'`); ok {
		t.Errorf("a text with UESCAPE has shape %q", s)
	}
}

func TestLiteralKinds(t *testing.T) {
	for _, c := range []struct{ literal, want string }{
		{"0", "i"},
		{"7", "i"},
		{"999999999", "i"},
		{"2147483647", "i"},
		{"2147483648", "l"},
		{"9223372036854775807", "l"},
		{"9223372036854775808", "9223372036854775808"},
		{"007", "007"},
		{"1.5", "f"},
		{"0.5", "f"},
		{".5", "f"},
		{"5.", "f"},
		{"1.2.3", "1.2.3"},
		{"1e5", "1e5"},
		{"1.5e-3", "1.5e-3"},
		{"0x1F", "0x1F"},
		{"1_000", "1_000"},
		{"B'1'", "B'1'"},
		{"x'1F'", "x'1F'"},
		{"'1'", "s"},
		{"E'1'", "s"},
		{"$$1$$", "s"},
	} {
		if got := literalKind(c.literal); got != c.want {
			t.Errorf("%s: got %q, want %q", c.literal, got, c.want)
		}
	}
}

// BenchmarkShape is what a text costs whose plan is known but for its literals.
func BenchmarkShape(b *testing.B) {
	long := "SELECT name, phone FROM customers WHERE id = 4711 AND id IN (0" + strings.Repeat(",1000", 2000) + ")"
	for _, size := range []int{100, 1000, 10_000} {
		text := long[:size-1] + ")"
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var kept []byte
			for b.Loop() {
				kept, _ = appendShape(kept[:0], text)
			}
		})
	}
}

func TestShapesAgree(t *testing.T) {
	a, _ := shapeText("SELECT mail FROM person WHERE id = 5 AND note = 'x'")
	b, ok := shapeText("select  mail FROM person where id = 17 /* c */ and note = 'it''s'")
	if !ok || a != b {
		t.Errorf("shapes %q and %q differ", a, b)
	}
}

func shapeText(text string) (string, bool) {
	shape, ok := appendShape(nil, text)
	return string(shape), ok
}
