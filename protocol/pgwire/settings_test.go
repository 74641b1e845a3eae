package pgwire

import (
	"slices"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	for _, test := range []struct {
		options string
		want    []Parameter
		ok      bool
	}{
		{"", nil, true},
		{"-c a=1 -cb=2\t--c-d=3", []Parameter{{"a", "1"}, {"b", "2"}, {"c_d", "3"}}, true},
		{`-c a=x\ y\\z -c b=`, []Parameter{{"a", `x y\z`}, {"b", ""}}, true},
		{`-c a=1\`, []Parameter{{"a", "1"}}, true},
		{`\-c a=1`, []Parameter{{"a", "1"}}, true},
		{"-c a=1 -fs", []Parameter{{"a", "1"}}, false},
		{"-c", nil, false},
		{"-c a", nil, false},
		{"a=1", nil, false},
	} {
		s := Startup{Parameters: []Parameter{
			{"user", "u"}, {"TimeZone", "UTC"}, {"options", test.options}, {"database", "d"}, {"replication", "no"}, {"_pq_.x", "y"}, {"DateStyle", "ISO"},
		}}
		want := slices.Concat([]Parameter{{"TimeZone", "UTC"}}, test.want, []Parameter{{"DateStyle", "ISO"}})
		if got, ok := s.Settings(); !slices.Equal(got, want) || ok != test.ok {
			t.Errorf("%q: got %v, %v, want %v, %v", test.options, got, ok, want, test.ok)
		}
	}
}

func FuzzOptions(f *testing.F) {
	f.Add("-c a=1 --b=2")
	f.Add(`\ -c a=\`)
	f.Fuzz(func(t *testing.T, text string) {
		escape := strings.NewReplacer(" ", `\ `, "\t", "\\\t", "\n", "\\\n", "\v", "\\\v", "\f", "\\\f", "\r", "\\\r", `\`, `\\`)
		settings, ok := decodeOptions(text)
		var again []string
		for _, s := range settings {
			again = append(again, escape.Replace("--"+s.Name+"="+s.Value))
		}
		if got, sure := decodeOptions(strings.Join(again, " ")); ok && (!sure || !slices.Equal(got, settings)) {
			t.Errorf("%q: %v, then %v", text, settings, got)
		}
	})
}
