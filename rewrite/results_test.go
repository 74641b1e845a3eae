package rewrite

import (
	"testing"

	"sqlveil/masking"
)

// A result is one of those that it may be by the number and names of its columns,
// and as protected as any of them.
func TestResult(t *testing.T) {
	open, hidden := Output{Name: "title"}, Output{Name: "mail", Mask: masking.Null}
	guess := Output{Name: "f(x)", Guess: true, Mask: masking.Withheld}
	id := Output{Name: "id"}
	plan := &Plan{Outputs: []Output{id, open, id, hidden, id}, Results: []int{2, 2, 1}}
	guessing := &Plan{Outputs: []Output{id, open, id, guess}, Results: []int{2, 2}}
	foreign := &Plan{Outputs: []Output{{Name: "\u65e5", Mask: masking.Null}, {Name: "?"}, {Name: "x"}}, Results: []int{1, 1, 1}}
	for name, test := range map[string]struct {
		plan  *Plan
		names []string
		masks []masking.Mask // nil when there is no such result
	}{
		"the first":                                 {plan, []string{"ID", "Title"}, []masking.Mask{nil, nil}},
		"the second":                                {plan, []string{"id", "mail"}, []masking.Mask{nil, masking.Null}},
		"by its number of columns":                  {plan, []string{"x"}, []masking.Mask{nil}},
		"other names":                               {plan, []string{"id", "x"}, []masking.Mask{nil, masking.Null}},
		"another number":                            {plan, []string{"id", "title", "mail"}, nil},
		"a name that may be either":                 {guessing, []string{"id", "title"}, []masking.Mask{nil, masking.Withheld}},
		"a name that is told in other words":        {foreign, []string{"?"}, []masking.Mask{masking.Null}},
		"a name that other words may be told as":    {foreign, []string{"x"}, []masking.Mask{masking.Null}},
		"names in a character set of several bytes": {plan, []string{"\x00i\x00d", "\x00x"}, []masking.Mask{nil, masking.Null}},
		"one result":                                {&Plan{Outputs: []Output{hidden}}, []string{"x"}, []masking.Mask{masking.Null}},
	} {
		got := test.plan.Result(test.names)
		if len(got) != len(test.masks) {
			t.Errorf("%s: %d outputs, want %d", name, len(got), len(test.masks))
			continue
		}
		for i, o := range got {
			if o.Mask != test.masks[i] {
				t.Errorf("%s: column %d has mask %v, want %v", name, i, o.Mask, test.masks[i])
			}
		}
	}
	if plan.Outputs[1].Mask != nil {
		t.Error("the plan was changed")
	}
}
