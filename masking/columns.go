package masking

import (
	"cmp"
	"slices"
	"strings"
)

// columns finds the label of a column: patterns without stars by one look-up,
// the others in order of specificity, those that name the column apart, so that
// the search stays short with thousands of patterns.
type columns struct {
	exact  map[Column]Label
	byName map[string][]rule
	wild   []rule
}

// A rule is one entry of the policy's columns.
type rule struct {
	pattern pattern
	label   Label
}

func newColumns(rules []rule) *columns {
	c := &columns{exact: map[Column]Label{}, byName: map[string][]rule{}}
	slices.SortFunc(rules, func(a, b rule) int {
		return cmp.Or(
			a.pattern.moreSpecific(b.pattern),
			b.label.level()-a.label.level(), // a tie: the more sensitive
			strings.Compare(a.pattern.text, b.pattern.text),
		)
	})
	for _, r := range rules {
		if column, ok := r.pattern.literal(); ok {
			c.exact[column] = r.label
		} else if !r.pattern.column.glob {
			name := r.pattern.column.text
			c.byName[name] = append(c.byName[name], r)
		} else {
			c.wild = append(c.wild, r)
		}
	}
	return c
}

func (c *columns) label(column Column) (Label, bool) {
	if l, ok := c.exact[column]; ok {
		return l, true
	}
	for _, rules := range [...][]rule{c.byName[column.Name], c.wild} {
		for _, r := range rules {
			if r.pattern.match(column) {
				return r.label, true
			}
		}
	}
	return Label{}, false
}

// level is the highest level of the label's classes.
func (l Label) level() int {
	classes := l.Classes()
	if len(classes) == 0 {
		return 0
	}
	return classes[0].Level
}
