package rewrite

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawValue makes values over a handful of columns.
func drawValue(columns []*TableColumn) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		pick := rapid.Custom(func(t *rapid.T) []Source {
			var out []Source
			for _, c := range columns {
				if rapid.Bool().Draw(t, "in") {
					out = append(out, Source{Column: c})
				}
			}
			return out
		})
		return Value{Plain: pick.Draw(t, "plain"), Derived: pick.Draw(t, "derived")}
	})
}

func sameSet(a, b []Source) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s Source) bool { return !slices.Contains(b, s) })
}

func sameValue(a, b Value) bool { return sameSet(a.Plain, b.Plain) && sameSet(a.Derived, b.Derived) }

// Whatever is made of a value depends on everything that the value depends on:
// an operation that forgot a source would release it.
func TestNoOperationForgetsASource(t *testing.T) {
	columns := []*TableColumn{{Rel: 1, Att: 1}, {Rel: 1, Att: 2}, {Rel: 2, Att: 1}}
	rapid.Check(t, func(t *rapid.T) {
		v, w := drawValue(columns).Draw(t, "v"), drawValue(columns).Draw(t, "w")
		for name, out := range map[string]Value{
			"Either": v.Either(w), "Into": v.Into(w), "Derive": v.Derive(), "At": v.At(".a"),
		} {
			have := map[*TableColumn]bool{}
			for s := range out.Sources {
				have[s.Column] = true
			}
			for s := range v.Sources {
				if !have[s.Column] {
					t.Fatalf("%s forgot column %d of table %d", name, s.Column.Att, s.Column.Rel)
				}
			}
		}
	})
}

func TestValueLaws(t *testing.T) {
	columns := []*TableColumn{{Rel: 1, Att: 1}, {Rel: 1, Att: 2}, {Rel: 2, Att: 1}}
	rapid.Check(t, func(t *rapid.T) {
		v, w := drawValue(columns).Draw(t, "v"), drawValue(columns).Draw(t, "w")
		x := drawValue(columns).Draw(t, "x")
		check := func(law string, ok bool) {
			if !ok {
				t.Fatalf("%s does not hold", law)
			}
		}
		check("v either v is v", sameValue(v.Either(v), v))
		check("either commutes", sameValue(v.Either(w), w.Either(v)))
		check("either associates", sameValue(v.Either(w).Either(x), v.Either(w.Either(x))))
		check("into commutes", sameValue(v.Into(w), w.Into(v)))
		check("into leaves nothing plain", len(v.Into(w).Plain) == 0)
		check("derive twice is derive", sameValue(v.Derive().Derive(), v.Derive()))
		check("operations leave their operands alone", sameValue(v, Value{Plain: v.Plain, Derived: v.Derived}))
	})
}

func TestAtNarrowsPlainSourcesAlone(t *testing.T) {
	doc, other := &TableColumn{Rel: 1, Att: 1}, &TableColumn{Rel: 1, Att: 2}
	v := Value{Plain: []Source{{Column: doc}}, Derived: []Source{{Column: other}}}
	got := v.At(`."a"`).At("[*]")
	if got.Plain[0].Path != `$."a"[*]` || got.Derived[0].Path != "" || v.Plain[0].Path != "" {
		t.Errorf("At = %+v of %+v", got, v)
	}
}
