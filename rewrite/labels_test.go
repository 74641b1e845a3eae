package rewrite

import (
	"strings"
	"testing"

	"sqlveil/masking"
)

func TestLabelSum(t *testing.T) {
	spec := masking.Spec{
		Version: 1, Levels: []string{"a", "b", "c", "d"},
		Classes: map[string]masking.ClassSpec{},
		Columns: map[string]masking.ColumnSpec{},
		Roles:   map[string]masking.RoleSpec{"r": {Clearance: "a"}}, DefaultRole: "r", Unlabelled: "visible",
	}
	for _, level := range []string{"b", "c", "d"} {
		spec.Classes["class-"+level] = masking.ClassSpec{Level: level, Mask: masking.MaskSpec{"redact": {}}}
		spec.Columns["db.s."+level+".whole"] = masking.ColumnSpec{Class: "class-" + level}
		spec.Columns["db.s."+level+".part"] = masking.ColumnSpec{JSON: map[string]string{"$.x": "class-" + level}}
	}
	p, problems := masking.Compile(spec, nil)
	if p == nil {
		t.Fatal(problems)
	}
	of := func(name string) masking.Label {
		table, column, _ := strings.Cut(name, ".")
		l, ok := p.Label(masking.Column{Database: "db", Schema: "s", Table: table, Name: column})
		if !ok {
			t.Fatal(name)
		}
		return l
	}
	for _, c := range []struct{ a, b, want string }{
		{"b.whole", "c.whole", "class-c"},
		{"c.part", "c.part", "parts"},
		{"b.part", "c.part", "class-c"},
		{"c.part", "b.whole", "class-c"},
		{"b.part", "d.whole", "class-d"},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			var sum LabelSum
			sum.Add(masking.Label{}, false)
			sum.Add(of(pair[0]), true)
			sum.Add(of(pair[1]), true)
			label, found := sum.Label()
			got := "parts"
			if class := label.Class(); class != nil {
				got = class.Name
			}
			if !found || got != c.want {
				t.Errorf("%s and %s: %s, want %s", pair[0], pair[1], got, c.want)
			}
		}
	}
}
