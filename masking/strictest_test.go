package masking

import (
	"slices"
	"testing"
)

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

func TestStrictest(t *testing.T) {
	key := testKeyring()
	partialOf := func(first, last int) Mask { return partial{first: first, last: last, char: '*'} }
	for _, test := range []struct {
		name       string
		a, b, want Mask
	}{
		{"clear and clear", nil, nil, nil},
		{"clear and masked", nil, email{}, email{}},
		{"the same", email{}, email{}, email{}},
		{"null", Null, partialOf(1, 1), Null},
		{"null and redact", Redact, Null, Null},
		{"redact", Redact, email{}, Redact},
		{"withheld", Withheld, email{}, Withheld},
		{"withheld and redact", Withheld, Redact, Withheld},
		{"withheld and null", Withheld, Null, Null},
		{"two partials", partialOf(3, 4), partialOf(1, 6), partialOf(1, 4)},
		{"two with nothing in common", partialOf(3, 0), partialOf(0, 4), Redact},
		{"different kinds", email{}, personName{}, Redact},
		{"different periods", date{to: year}, date{to: month}, Redact},
		{"the same key", key.mask("a", 26), key.mask("a", 26), key.mask("a", 26)},
		{"different keys", key.mask("a", 26), key.mask("b", 26), Redact},
	} {
		if got := Strictest(test.a, test.b); got != test.want {
			t.Errorf("%s: %#v", test.name, got)
		}
		if got := Strictest(test.b, test.a); got != test.want {
			t.Errorf("%s, the other way round: %#v", test.name, got)
		}
	}
}

// TestLooksMasked checks that every mask recognises its own work, and does not
// take ordinary values for it.
func TestLooksMasked(t *testing.T) {
	for name, m := range lawMasks(t) {
		for _, text := range []string{"13800138000", "11010519491231002X", "张三丰", "欧阳修", "阿卜杜拉·测试", "John Smith", "user@example.com", "a@b.cn", "x"} {
			if LooksMasked(m, text) {
				t.Errorf("%s: %q looks masked", name, text)
			}
			switch m.Name() {
			case "date", "round", "null": // what these make looks like any value
				continue
			}
			out, _ := Apply(m, nil, []byte(text), Type{Kind: KindText})
			if !LooksMasked(m, string(out)) {
				t.Errorf("%s: %q of %q does not look masked", name, out, text)
			}
		}
	}
	for _, test := range []struct {
		m    Mask
		text string
		want bool
	}{
		{nil, "[redacted]", false},
		{Redact, "[redacted]", true},
		{Redact, " *** ", true},
		{Redact, "", false},
		{Redact, "0", false},
		{email{}, "****", true},
		{email{}, "***@example.com", true},
		{email{}, "ab***@example.com", false},
		{email{}, "u***@", false},
		{partial{first: 1, char: '*'}, "5*", true},
		{partial{first: 1, char: '*'}, "5", false},
		{partial{first: 1, char: '*'}, "5*5", false},
		{personName{}, "欧阳**", true},
		{personName{}, "阿卜杜拉·**", true},
		{personName{}, "J*** S***", true},
		{personName{}, "J*** Smith", false},
		{personName{}, "*三", false},
		{testKeyring().mask("a", 26), "d00f2b3e-e6b2-87e4-a003-9541da5dbb72", true},
		{testKeyring().mask("a", 26), "d00f2b3e-e6b2-47e4-a003-9541da5dbb72", false},
		{testKeyring().mask("a", 26), "password", false},
		{date{to: year}, "1990-01-01", false},
	} {
		if got := LooksMasked(test.m, test.text); got != test.want {
			t.Errorf("%T: %q looks masked: %v", test.m, test.text, got)
		}
	}
}
