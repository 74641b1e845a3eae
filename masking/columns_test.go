package masking

import (
	"testing"

	"pgregory.net/rapid"
)

// TestColumnLabel checks which pattern wins. The class of each pattern is named
// after what is special about it.
func TestColumnLabel(t *testing.T) {
	patterns := map[string]string{
		"crm.public.customers.phone":      "all-literal",
		"crm.public.customers.*":          "table",
		"crm.*.customers.phone":           "any-schema",
		"*.public.customers.phone":        "any-database",
		"*.*.*.phone":                     "any-table",
		"*.*.*.pho*":                      "longer",
		"*.*.*.p*":                        "shorter",
		"crm.public.*.p*":                 "schema",
		"leaklab.crm.Cust Info.Full Name": "blanks",
		`crm."a.b".t.c`:                   "dot",
		`crm.s.t."a*b"`:                   "star",
		`crm.s.t."say ""hi"""`:            "quotes",
		"shop.customers.phone":            "mysql",
		"shop.*.email":                    "mysql-any-table",
		"*.*.*.id_card":                   "everywhere",
		"*.s.*.only_with_schema":          "with-schema",
		"crm.public.customers.Phone":      "upper-case",
		"crm.public.orders.客户_*":          "han",
		"crm.public.customers.a*c*e":      "two-stars",
	}
	spec := Spec{
		Version: 1, Levels: []string{"low", "high"}, Unlabelled: "visible",
		Classes: map[string]ClassSpec{}, Columns: map[string]ColumnSpec{},
	}
	for text, class := range patterns {
		spec.Classes[class] = ClassSpec{Level: "high", Mask: MaskSpec{"redact": nil}}
		spec.Columns[text] = ColumnSpec{Class: class}
	}
	p := compile(t, spec)
	for _, test := range []struct {
		column Column
		want   string
	}{
		{Column{"crm", "public", "customers", "phone"}, "all-literal"},
		{Column{"crm", "public", "customers", "city"}, "table"},
		{Column{"crm", "other", "customers", "phone"}, "any-schema"},
		{Column{"other", "public", "customers", "phone"}, "any-database"},
		{Column{"crm", "public", "orders", "phone"}, "any-table"},
		{Column{"x", "y", "z", "photo"}, "longer"},
		{Column{"x", "y", "z", "pin"}, "shorter"},
		{Column{"crm", "public", "orders", "pin"}, "schema"},
		{Column{"crm", "public", "orders", "photo"}, "longer"}, // the column's name counts first
		{Column{"leaklab", "crm", "Cust Info", "Full Name"}, "blanks"},
		{Column{"leaklab", "crm", "cust info", "full name"}, ""},
		{Column{"crm", "a.b", "t", "c"}, "dot"},
		{Column{"crm", "s", "t", "a*b"}, "star"},
		{Column{"crm", "s", "t", "axb"}, ""},
		{Column{"crm", "s", "t", `say "hi"`}, "quotes"},
		{Column{"shop", "", "customers", "phone"}, "mysql"},
		{Column{"shop", "", "orders", "email"}, "mysql-any-table"},
		{Column{"shop", "", "orders", "phone"}, "any-table"},
		{Column{"shop", "public", "customers", "phone"}, "any-database"},
		{Column{"shop", "public", "orders", "email"}, ""},
		{Column{"shop", "", "t", "id_card"}, "everywhere"},
		{Column{"x", "y", "t", "id_card"}, "everywhere"},
		{Column{"x", "", "t", "only_with_schema"}, ""},
		{Column{"x", "s", "t", "only_with_schema"}, "with-schema"},
		{Column{"crm", "public", "customers", "Phone"}, "upper-case"},
		{Column{"crm", "public", "orders", "客户_姓名"}, "han"},
		{Column{"crm", "public", "customers", "abcde"}, "two-stars"},
		{Column{"crm", "public", "customers", "ace"}, "two-stars"},
		{Column{"crm", "public", "customers", "acf"}, "table"},
		{Column{}, ""},
	} {
		got := ""
		if l, ok := p.Label(test.column); ok {
			got = l.Class().Name
		}
		if got != test.want {
			t.Errorf("%v has the class %q, want %q", test.column, got, test.want)
		}
	}
}

// TestTie checks that of two patterns that are equally specific the one with
// the more sensitive data wins.
func TestTie(t *testing.T) {
	spec := Spec{
		Version: 1, Levels: []string{"low", "high"}, Unlabelled: "visible",
		Classes: map[string]ClassSpec{
			"a": {Level: "low", Mask: MaskSpec{"redact": nil}},
			"b": {Level: "high", Mask: MaskSpec{"redact": nil}},
		},
		Columns: map[string]ColumnSpec{"d.s.t.x*": {Class: "a"}, "d.s.t.*y": {Class: "b"}},
	}
	if got := label(t, compile(t, spec), Column{"d", "s", "t", "xy"}).Class().Name; got != "b" {
		t.Errorf("the class is %s", got)
	}
}

// TestColumnString checks that a column's name is a pattern that matches it and
// nothing else.
func TestColumnString(t *testing.T) {
	for column, want := range map[Column]string{
		{"crm", "public", "customers", "id"}:      "crm.public.customers.id",
		{"crm", "", "customers", "id"}:            "crm.customers.id",
		{"leaklab", "crm", "Cust Info", "E-Mail"}: "leaklab.crm.Cust Info.E-Mail",
		{"crm", "a.b", `say "hi"`, "*"}:           `crm."a.b"."say ""hi"""."*"`,
	} {
		if got := column.String(); got != want {
			t.Errorf("%#v is %s, want %s", column, got, want)
		}
	}
	name := rapid.StringOfN(rapid.RuneFrom([]rune(`ab.*" `)), 1, 5, -1)
	rapid.Check(t, func(t *rapid.T) {
		c := Column{name.Draw(t, "database"), name.Draw(t, "schema"), name.Draw(t, "table"), name.Draw(t, "column")}
		p, err := parsePattern(c.String())
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		if got, ok := p.literal(); !ok || got != c {
			t.Errorf("%s is the pattern %+v", c, p)
		}
	})
}

// TestGlob holds the matcher to the plainest one there is.
func TestGlob(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 6, -1)
	glob := rapid.StringOfN(rapid.RuneFrom([]rune("ab*")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern, name := glob.Draw(t, "pattern"), text.Draw(t, "text")
		if got, want := matchGlob(pattern, name), matchSlowly(pattern, name); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, name, got, want)
		}
		other := glob.Draw(t, "other")
		if coversGlob(pattern, other) && matchGlob(other, name) && !matchGlob(pattern, name) {
			t.Errorf("%q covers %q, but for %q", pattern, other, name)
		}
	})
}

func matchSlowly(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return matchSlowly(pattern[1:], text) || text != "" && matchSlowly(pattern, text[1:])
	}
	return text != "" && pattern[0] == text[0] && matchSlowly(pattern[1:], text[1:])
}
