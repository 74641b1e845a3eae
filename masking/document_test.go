package masking

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// documentPolicy has a class per mask that the tests of documents need, and one
// labelled column.
func documentPolicy(t testing.TB, paths map[string]string) (*Role, Label) {
	t.Helper()
	p := compile(t, Spec{
		Version: 1,
		Levels:  []string{"low", "middle", "high"},
		Classes: map[string]ClassSpec{
			"mobile": {Level: "middle", Mask: MaskSpec{"partial": {"first": 3, "last": 4}}},
			"email":  {Level: "middle", Mask: MaskSpec{"email": {}}},
			"salary": {Level: "high", Mask: MaskSpec{"null": {}}},
			"note":   {Level: "high", Mask: MaskSpec{"redact": {}}},
			"open":   {Level: "low", Mask: MaskSpec{"redact": {}}},
		},
		Columns:    map[string]ColumnSpec{"d.s.t.c": {JSON: paths}},
		Roles:      map[string]RoleSpec{"r": {Clearance: "low"}, "all": {Clearance: "high"}},
		Unlabelled: "visible",
	})
	return p.Role("r"), label(t, p, Column{"d", "s", "t", "c"})
}

func TestDocument(t *testing.T) {
	role, l := documentPolicy(t, map[string]string{
		"$.phone":            "mobile",
		"$.contacts[*].mail": "email",
		`$."pay roll".*`:     "salary",
		`$.notes[1]`:         "note",
		"$.city":             "open",
	})
	for _, test := range []struct{ name, text, want string }{
		{"a string", `{"phone": "13800138000", "x": 1}`, `{"phone": "138****8000", "x": 1}`},
		{"as it was written", "\n{ \"x\" :\t[ 1 ,2e3] , \"phone\":\"13800138000\" } ", "\n{ \"x\" :\t[ 1 ,2e3] , \"phone\":\"138****8000\" } "},
		{"twice the key", `{"phone":"13800138000","phone":"13900139000"}`, `{"phone":"138****8000","phone":"139****9000"}`},
		{"the key with escapes", `{"\u0070ho\u006ee":"13800138000"}`, `{"\u0070ho\u006ee":"138****8000"}`},
		{"the value with escapes", `{"phone":"\u0031380013800\u0030"}`, `{"phone":"138****8000"}`},
		{"a surrogate pair", `{"phone":"\ud83d\ude00\u00e9\"aaaaaaa\"z"}`, `{"phone":"😀é\"*****aa\"z"}`},
		{"half of one", `{"phone":"\ud83daaaaaaaaaa"}`, `{"phone":"` + "\ufffd" + `aa****aaaa"}`},
		{"a number", `{"phone":13800138000}`, `{"phone":null}`},
		{"true", `{"phone":true}`, `{"phone":null}`},
		{"null", `{"phone":null}`, `{"phone":null}`},
		{"an object", `{"phone":{"13800138000":"x"}}`, `{"phone":null}`},
		{"an array", `{"phone":["13800138000",13800138000,["13900139000"],{}]}`, `{"phone":["138****8000",null,["139****9000"],null]}`},
		{"too short to show in part", `{"phone":"110"}`, `{"phone":"[redacted]"}`},
		{"below an array", `{"contacts":[{"mail":"user@example.com","x":"y"},{"mail":7}]}`, `{"contacts":[{"mail":"u***@example.com","x":"y"},{"mail":null}]}`},
		{"an object for an array", `{"contacts":{"mail":"user@example.com"}}`, `{"contacts":{"mail":"u***@example.com"}}`},
		{"an array of arrays", `{"contacts":[[{"mail":"user@example.com"}]]}`, `{"contacts":[[{"mail":"u***@example.com"}]]}`},
		{"an array of documents", `[{"phone":"13800138000"}]`, `[{"phone":"138****8000"}]`},
		{"any member", `{"pay roll":{"a":"x","b":[1,2],"c":{"d":1}}}`, `{"pay roll":{"a":null,"b":[null,null],"c":null}}`},
		{"one element", `{"notes":["a","b","c"]}`, `{"notes":["a","[redacted]","c"]}`},
		{"a single value for an array", `{"notes":"b"}`, `{"notes":"[redacted]"}`},
		{"another place", `{"x":{"phone":"13800138000"},"city":"Beijing"}`, `{"x":{"phone":"13800138000"},"city":"Beijing"}`},
		{"nothing labelled", `"13800138000"`, `"13800138000"`},
		{"empty", `{}`, `{}`},
		{"no JSON", `{"phone":"13800138000"`, `{}`},
		{"more than JSON", `{"phone":"13800138000"} 1`, `{}`},
		{"a bare word", `13800138000x`, `{}`},
		{"no text", ``, `{}`},
		{"too deep", strings.Repeat("[", deepestJSON+1), `{}`},
	} {
		m := role.Mask(l)
		for _, kind := range []Kind{KindJSON, KindText} {
			out, ok := Apply(m, nil, []byte(test.text), Type{Kind: kind})
			if string(out) != test.want || !ok {
				t.Errorf("%s: %s is %s, %v, want %s", test.name, test.text, out, ok, test.want)
			}
		}
		if LooksMasked(m, test.text) {
			t.Errorf("%s: %s looks masked", test.name, test.text)
		}
	}
}

func TestDocumentTypes(t *testing.T) {
	role, l := documentPolicy(t, map[string]string{"$.mail": "email"})
	m := role.Mask(l)
	text := []byte(`{"mail":"ab@b.cn"}`)
	for _, test := range []struct {
		typ  Type
		want string
	}{
		{Type{Kind: KindText, Length: 20}, `{"mail":"a***@b.cn"}`},
		{Type{Kind: KindText, Length: 18}, `{}`},
		{Type{Kind: KindText, Length: 1}, `NULL`},
		{Type{Kind: KindBytes}, `NULL`},
		{Type{Kind: KindOther}, `NULL`},
	} {
		out, ok := Apply(m, nil, text, test.typ)
		got := string(out)
		if !ok {
			got = "NULL"
		}
		if got != test.want {
			t.Errorf("as %+v: %s, want %s", test.typ, got, test.want)
		}
	}
	if m := role.policy.Role("all").Mask(l); m != nil {
		t.Error("a role that sees all has a mask")
	}
}

// TestMaskedJSON checks masks that are not made for JSON over JSON columns.
func TestMaskedJSON(t *testing.T) {
	mobile := partial{first: 3, last: 4, char: '*'}
	checkMask(t, mobile, Type{Kind: KindJSON}, []maskCase{
		{"a string", `"13800138000"`, `"138****8000"`},
		{"with blanks", ` "13800138000" `, `"138****8000"`},
		{"a number", `13800138000`, `null`},
		{"true", `true`, `null`},
		{"null", `null`, `null`},
		{"an object", `{"phone":"13800138000"}`, `{}`},
		{"an array", `["13800138000"]`, `{}`},
		{"no JSON", `"13800138000`, `{}`},
	})
	checkMask(t, Null, Type{Kind: KindJSON}, []maskCase{{"null", `"x"`, "NULL"}})
	checkMask(t, Redact, Type{Kind: KindJSON}, []maskCase{{"redact", `"x"`, "{}"}, {"redact", `7`, "{}"}})
}

func TestDocumentLooksMasked(t *testing.T) {
	role, l := documentPolicy(t, map[string]string{"$.phone": "mobile", "$.city": "open"})
	m := role.Mask(l)
	for text, want := range map[string]bool{
		`{"phone":"138****8000"}`:                 true,
		`{"phone":["13800138000","138****8000"]}`: true,
		`{"phone":"[redacted]"}`:                  true,
		`{"phone":"13800138000"}`:                 false,
		`{"city":"[redacted]"}`:                   false,
		`{"other":"138****8000"}`:                 false,
		`{"phone":"138****8000"`:                  false,
	} {
		if got := LooksMasked(m, text); got != want {
			t.Errorf("%s: looks masked %v, want %v", text, got, want)
		}
	}
}

func TestLabelAt(t *testing.T) {
	_, l := documentPolicy(t, map[string]string{
		"$.phone":            "mobile",
		"$.contacts[*].mail": "email",
		"$.contacts[0].name": "note",
		"$.pay.*":            "salary",
	})
	for path, want := range map[string]string{
		"$.phone":                    "mobile",
		`$["phone"]`:                 "mobile",
		`$."phone"`:                  "mobile",
		"$.phone[0]":                 "mobile",
		"$.phone.anything[3]":        "mobile",
		"$[0].phone":                 "mobile",
		"$.contacts[5].mail":         "email",
		"$.contacts[*].mail":         "email",
		"$.contacts.mail":            "email",
		"$.contacts[0].mail":         "email",
		"$.contacts[0].name":         "note",
		"$.contacts[1].name":         "",
		"$.contacts[*].name":         "note",
		"$.contacts.name":            "note",
		"$.pay.july":                 "salary",
		"$.pay.*":                    "salary",
		"$.city":                     "",
		"$.Phone":                    "",
		"$":                          "{email mobile note salary}",
		"$.contacts":                 "{email note}",
		"$.contacts[*]":              "{email note}",
		"$.contacts[last].mail":      "{email note}",
		`$.contacts[*] ? (@.x == 1)`: "{email note}",
		"$.*":                        "{email mobile note salary}",
		"$..mail":                    "{email mobile note salary}",
		"lax $.phone":                "{email mobile note salary}",
		"":                           "{email mobile note salary}",
		"?":                          "{email mobile note salary}",
	} {
		if got := describe(l.At(path)); got != want {
			t.Errorf("at %s: %s, want %s", path, got, want)
		}
	}
	plain := LabelOf(l.At("$.phone").Class())
	if got := plain.At("$.x"); got != plain {
		t.Errorf("a plain label narrows to %v", got)
	}
	if got := (Label{}).At("$.x"); got != (Label{}) {
		t.Errorf("no label narrows to %v", got)
	}
}

// describe is a class's name, or the names of all in braces.
func describe(l Label) string {
	var names []string
	for _, c := range l.Classes() {
		names = append(names, c.Name)
	}
	if l.Class() != nil || len(names) == 0 {
		return strings.Join(names, " ")
	}
	// by sensitivity first, then by name: sort by name for the reader
	return "{" + strings.Join(sorted(names), " ") + "}"
}

// TestLabelAtMask checks that what is unknown is redacted, and that what is part
// of a document is masked as one.
func TestLabelAtMask(t *testing.T) {
	role, l := documentPolicy(t, map[string]string{"$.phone": "mobile", "$.a.mail": "email", "$.b.c": "open", "$.d": "salary"})
	for path, want := range map[string]string{
		"$.phone": "partial",
		"$.a":     "json",
		"$.b":     "",
		"$.b.c":   "",
		"$.d":     "null",
		"$.a.*":   "email",
		"$.*":     "null", // the strictest of all
		"$.b.?":   "",
		"$.a.?":   "redact",
	} {
		got := ""
		if m := role.Mask(l.At(path)); m != nil {
			got = m.Name()
		}
		if got != want {
			t.Errorf("at %s the mask is %q, want %q", path, got, want)
		}
	}
	out, ok := Apply(role.Mask(l.At("$.a")), nil, []byte(`{"mail": "user@example.com"}`), Type{Kind: KindJSON})
	if string(out) != `{"mail": "u***@example.com"}` || !ok {
		t.Errorf("part of a document is %s", out)
	}
}

// TestDocumentProperty draws documents with a secret at labelled places and
// checks that it is gone, that the rest stays, and that the result is JSON.
func TestDocumentProperty(t *testing.T) {
	role, l := documentPolicy(t, map[string]string{"$.k.k": "note", "$.a[*].k": "note", "$.a[1].a": "note"})
	m := role.Mask(l)
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(drawJSON(t, 0))
		out, ok := Apply(m, nil, text, Type{Kind: KindJSON})
		if !ok || !json.Valid(out) {
			t.Fatalf("%s is %s, %v", text, out, ok)
		}
		var before, after any
		if err := json.Unmarshal(text, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(redactReference(before, "", 0))
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(after)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is\n%s, want\n%s", text, got, want)
		}
	})
}

// redactReference masks a decoded document by trying each label's path on each
// value in the plainest way: place is the keys and array marks on the way.
func redactReference(v any, place string, index int) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			at := place
			if place == ".a" { // only here indexes matter
				at = place + "[]"
				v[i] = redactReference(v[i], at, i)
				continue
			}
			v[i] = redactReference(v[i], at, index)
		}
		return v
	case map[string]any:
		if labelledReference(place, index) {
			return nil
		}
		for key := range v {
			v[key] = redactReference(v[key], place+"."+key, index)
		}
		return v
	case string:
		if labelledReference(place, index) {
			return neutralTexts[0]
		}
		return v
	}
	if labelledReference(place, index) {
		return nil
	}
	return v
}

func labelledReference(place string, index int) bool {
	switch place {
	case ".k.k", ".a[].k", ".a.k", ".a.a":
		return true
	case ".a[].a":
		return index == 1
	}
	return false
}

// drawJSON draws a document over few keys, so that labels are often hit.
func drawJSON(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth > 4 {
		kind = min(kind, 3)
	}
	switch kind {
	case 0:
		return `"secret"`
	case 1:
		return rapid.SampledFrom([]string{`1`, `-1.5e3`, `true`, `null`}).Draw(t, "scalar")
	case 2, 3:
		return `"x\u00e9\n"`
	case 4:
		var items []string
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			items = append(items, drawJSON(t, depth+1))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	var members []string
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "k", "x"}), 0, 3, rapid.ID).Draw(t, "keys") {
		members = append(members, `"`+key+`" :`+drawJSON(t, depth+1))
	}
	return "{" + strings.Join(members, ",") + " }"
}

func TestDocumentAllocatesNothing(t *testing.T) {
	role, l := documentPolicy(t, map[string]string{"$.phone": "mobile", "$.contacts[*].mail": "email"})
	m, dst := role.Mask(l), make([]byte, 0, 4096)
	text := []byte(`{"phone":"13800138000","contacts":[{"mail":"user@example.com","x":[1,{}]}],"\u0078":"y"}`)
	if n := testing.AllocsPerRun(100, func() { Apply(m, dst, text, Type{Kind: KindJSON}) }); n > 0 {
		t.Errorf("masking a document allocates %v times", n)
	}
	plain := l.At("$.phone")
	if n := testing.AllocsPerRun(100, func() { role.Mask(plain) }); n > 0 {
		t.Errorf("finding a mask allocates %v times", n)
	}
}

// FuzzDocument holds the scanner to encoding/json's idea of JSON.
func FuzzDocument(f *testing.F) {
	for _, value := range sampleValues {
		f.Add([]byte(value))
	}
	f.Add([]byte(`{"phone":"13800138000","contacts":[{"mail":"user@example.com"}]}`))
	role, l := documentPolicy(f, map[string]string{"$.phone": "mobile", "$.contacts[*].mail": "email"})
	m := role.Mask(l)
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < deepestJSON && isJSON(text) != json.Valid(text) {
			t.Errorf("%q is JSON: %v", text, json.Valid(text))
		}
		out, ok := Apply(m, nil, text, Type{Kind: KindJSON})
		if !ok || !json.Valid(out) {
			t.Errorf("%q is %q, %v", text, out, ok)
		}
	})
}
