package session

import (
	"testing"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

func TestVouched(t *testing.T) {
	column := &rewrite.TableColumn{Rel: 7, Att: 2}
	system := &rewrite.TableColumn{Rel: 3, Att: 1, System: true}
	view := &rewrite.TableColumn{Rel: 9, Att: 1, View: true}
	output := func(mask masking.Mask, sources ...*rewrite.TableColumn) *rewrite.Plan {
		return &rewrite.Plan{Outputs: []rewrite.Output{{Mask: mask, Sources: sources}}}
	}
	for _, test := range []struct {
		name   string
		plan   *rewrite.Plan
		origin Origin
		want   bool
	}{
		{"the column that was planned", output(nil, column), Origin{7, 2}, true},
		{"another column", output(nil, column), Origin{7, 3}, false},
		{"a view's column, which the server names in place of the table's", output(nil, column, view), Origin{9, 1}, false},
		{"an expression", output(nil, column), Origin{}, false},
		{"a masked expression", output(masking.Withheld, column), Origin{}, true},
		{"a constant", output(nil), Origin{}, true},
		{"a constant that is a view's column", output(nil), Origin{9, 1}, false},
		{"an expression over the system's own tables", output(nil, system), Origin{}, true},
		{"an expression over both", output(nil, system, column), Origin{}, false},
		{"what a user's function returns", &rewrite.Plan{Routines: true}, Origin{}, false},
	} {
		p := &Prepared{plans: []*rewrite.Plan{test.plan}}
		if got := p.Vouched(0, []Origin{test.origin}); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
