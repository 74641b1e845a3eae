package masking

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// testKey is the key of every test and of the published vectors.
var testKey = []byte("0123456789abcdef0123456789abcdef")

// lawMasks is every mask of the table, in some of its forms.
func lawMasks(t testing.TB) map[string]Mask {
	t.Helper()
	specs := map[string][]map[string]any{
		"null":    {nil},
		"redact":  {nil},
		"partial": {{"first": 3, "last": 4}, {"first": 1}, {"last": 4, "char": "#"}},
		"email":   {nil},
		"name":    {nil},
		"hmac":    {nil, {"length": 8}, {"domain": "people", "length": 51}},
		"date":    {{"to": "year"}, {"to": "quarter"}, {"to": "month"}, {"to": "day"}, {"to": "hour"}},
		"round":   {{"to": 1000}, {"to": 0.25}, {"to": 7}},
	}
	all := map[string]Mask{}
	for name, construct := range masks {
		if len(specs[name]) == 0 {
			t.Fatalf("mask %q is not held to the laws", name)
		}
		for _, values := range specs[name] {
			o := &options{values: values, class: "c", keys: testKeyring()}
			m := construct(o)
			if o.finish(name); len(o.problems) > 0 {
				t.Fatalf("%s %v: %v", name, values, o.problems)
			}
			if m.Name() != name {
				t.Errorf("the mask %q calls itself %q", name, m.Name())
			}
			all[fmt.Sprint(name, values)] = m
		}
	}
	return all
}

func testKeyring() *keyring {
	return &keyring{secret: testKey, masks: map[string]*hmacMask{}}
}

// lawTypes draws a type of any kind.
func lawTypes() *rapid.Generator[Type] {
	return rapid.Custom(func(t *rapid.T) Type {
		typ := Type{Kind: Kind(rapid.IntRange(0, int(KindBytes)+1).Draw(t, "kind"))}
		switch typ.Kind {
		case KindText, KindBytes:
			typ.Length = rapid.IntRange(0, 30).Draw(t, "length")
		case KindInteger:
			typ.Bits = rapid.SampledFrom([]int{8, 16, 24, 32, 64}).Draw(t, "bits")
			typ.Unsigned = rapid.Bool().Draw(t, "unsigned")
		case KindFloat:
			typ.Bits = rapid.SampledFrom([]int{32, 64}).Draw(t, "bits")
		case KindNumeric:
			typ.Precision = rapid.IntRange(0, 40).Draw(t, "precision")
			typ.Scale = rapid.IntRange(0, max(typ.Precision, 1)).Draw(t, "scale")
		}
		return typ
	})
}

// lawTexts draws values as databases print them, and values that no database
// prints.
func lawTexts() *rapid.Generator[[]byte] {
	return rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, 40),
		rapid.Map(rapid.SampledFrom(sampleValues), func(s string) []byte { return []byte(s) }),
		rapid.Map(rapid.StringN(0, 40, -1), func(s string) []byte { return []byte(s) }),
		rapid.Map(rapid.Int64(), func(n int64) []byte { return fmt.Append(nil, n) }),
		rapid.Map(rapid.Float64(), func(f float64) []byte { return fmt.Append(nil, f) }),
		rapid.Map(rapid.StringMatching(`[0-9]{4,6}-[0-1][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?([+-][0-9]{2}(:30)?)?)?( BC)?`), func(s string) []byte { return []byte(s) }),
		rapid.Map(rapid.StringMatching(`[a-z*]{1,5}(\.[a-z]{1,3})?@([a-z]{1,4}\.){1,2}[a-z]{2}`), func(s string) []byte { return []byte(s) }),
		rapid.Map(rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,5})?`), func(s string) []byte { return []byte(s) }),
		rapid.Map(rapid.StringMatching(`(\{("[a-z\\n]{0,3}":("[a-z]*"|[0-9]|null),?)?\}|"[a-zé*]*"|\[[0-9]?\])`), func(s string) []byte { return []byte(s) }),
	)
}

var sampleValues = []string{
	"", " ", "*", "***", "****", "[redacted]", "0", "1", "-1", "00", "t", "f", "true", "13800138000", "138****8000",
	"张三", "张", "欧阳修", "欧阳", "阿卜杜拉·测试", "John Smith", "J. R. R. Tolkien", "a@b.cn", "user@example.com", "u***@example.com",
	"1990-05-17", "1990-01-01", "1970-01-01", "infinity", "-infinity", "0044-03-15 BC", "0001-01-01 BC", "10000-12-31",
	"1990-05-17 13:14:15.678+08", "1990-05-17 13:14:15", "1990-05-17T13:14:15Z", "0000-00-00", "17/05/1990", "1990-05-17 00:00:00+08:05:43",
	"13:14:15", "13:00:00+08", "NaN", "Infinity", "-Infinity", "1e+20", "1.5e-7", "9223372036854775807", "18446744073709551615",
	"-9223372036854775808", "32767", "-32768", "127", "5000", "5432.10", "0.00", "999.99", "-0", "6.022e23",
	"00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-426614174000", `\x`, `\x00ff`, "0.0.0.0", "192.0.2.1", "2001:db8::/32",
	"{}", "[]", "null", `"x"`, `{"a": 1}`, `"13800138000"`, `"\ud83d\ude00abc"`, `"\ud83d"`, `[1, "a"]`, "00:00:5e:00:53:01",
	"13800138000     ", "\xff\xfe", "abc\xffdef", "\x00", "e\u0301\u0301\u0301\u0301",
}

// TestLaws holds every mask to every law of the package.
func TestLaws(t *testing.T) {
	all := lawMasks(t)
	rapid.Check(t, func(t *rapid.T) {
		text, typ := lawTexts().Draw(t, "text"), lawTypes().Draw(t, "type")
		for name, m := range all {
			checkLaws(t, name, m, text, typ)
		}
	})
}

// TestLawsOnSamples is TestLaws over all combinations that chance may not draw.
func TestLawsOnSamples(t *testing.T) {
	for name, m := range lawMasks(t) {
		for _, text := range sampleValues {
			for kind := KindOther; kind <= KindBytes+1; kind++ {
				for _, n := range []int{0, 1, 2, 5, 11, 20, 64} {
					checkLaws(t, name, m, []byte(text), Type{Kind: kind, Bits: n, Length: n, Precision: n, Scale: n / 2})
				}
			}
		}
	}
}

func checkLaws(t rapid.TB, name string, m Mask, text []byte, typ Type) {
	t.Helper()
	input := slices.Clone(text)
	out, ok := Apply(m, []byte("before"), text, typ)
	fail := func(law string) {
		t.Errorf("%s of %q as %+v is %q, %v: %s", name, input, typ, out, ok, law)
	}
	if !bytes.Equal(text, input) {
		fail("the mask wrote into its input")
	}
	if !bytes.HasPrefix(out, []byte("before")) || !ok && len(out) > len("before") {
		fail("what was in dst is not as it was")
	}
	if !ok {
		return
	}
	masked := out[len("before"):]
	neutral, _ := Neutral(nil, typ)
	isNull := typ.Kind == KindJSON && string(masked) == jsonNull
	if bytes.Equal(masked, text) && !bytes.Equal(masked, neutral) && !isNull {
		fail("the mask returned its input")
	}
	if !valid(masked, typ) {
		fail("no value of the type")
	}
	if typ.Length > 0 && utf8.RuneCount(masked) > typ.Length && typ.Kind == KindText {
		fail("too long")
	}
	again, _ := Apply(m, nil, text, typ)
	if !bytes.Equal(again, masked) {
		fail(fmt.Sprintf("the second time it was %q", again))
	}
}

// TestPartialKeepsLittle checks how much of a value a partial mask may show.
func TestPartialKeepsLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := partial{first: rapid.IntRange(0, 9).Draw(t, "first"), last: rapid.IntRange(0, 9).Draw(t, "last"), char: '*'}
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab1张é")), 0, 40, -1).Draw(t, "text")
		out, ok := Apply(m, nil, []byte(text), Type{Kind: KindText})
		if !ok {
			t.Fatalf("%q became NULL", text)
		}
		if string(out) == neutralTexts[0] {
			return
		}
		n := utf8.RuneCountInString(text)
		kept := n - strings.Count(string(out), "*")
		if kept > n/2 && (n-kept < fewestHidden || 3*kept > 2*n) {
			t.Errorf("%q of %d characters shows %d: %q", text, n, kept, out)
		}
	})
}

// TestApplyAllocatesNothing holds every mask to it, for values that are masked
// and for values that are withheld.
func TestApplyAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for name, m := range lawMasks(t) {
		if raceDetector && m.Name() == "hmac" {
			continue
		}
		for kind := KindOther; kind <= KindBytes; kind++ {
			for _, value := range sampleValues {
				text := []byte(value)
				if n := testing.AllocsPerRun(10, func() { Apply(m, dst, text, Type{Kind: kind}) }); n > 0 {
					t.Errorf("%s of %q as kind %d allocates %v times", name, value, kind, n)
				}
			}
		}
	}
}

func FuzzApply(f *testing.F) {
	for i, value := range sampleValues {
		f.Add([]byte(value), uint8(i), uint8(i), i%2 == 0)
	}
	all := lawMasks(f)
	f.Fuzz(func(t *testing.T, text []byte, kind, n uint8, unsigned bool) {
		typ := Type{Kind: Kind(kind % 18), Bits: int(n), Unsigned: unsigned, Length: int(n), Precision: int(n), Scale: int(n) / 3}
		for name, m := range all {
			checkLaws(t, name, m, text, typ)
			checkFitted(t, name, m, text, typ)
		}
	})
}
