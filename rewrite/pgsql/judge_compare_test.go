package pgsql_test

import (
	"fmt"
	"strings"

	"sqlveil/rewrite"
)

// A finding is a disagreement between the judge and the resolver.
type finding struct {
	release bool // the resolver would release more than the server's analysis allows
	what    string
}

// A comparison of one statement's judgement with what the resolver says.
type comparison struct {
	want     *judgement
	got      *rewrite.Statement
	findings []finding
}

// compare lists the disagreements. A statement that the resolver refuses for
// want of understanding releases nothing.
func compare(want *judgement, got []*rewrite.Statement) []finding {
	c := comparison{want: want, got: got[0]}
	if len(got) != 1 {
		c.release("%d statements instead of one", len(got))
		return c.findings
	}
	if len(c.got.Unknown) > 0 {
		why := c.got.Unknown[0]
		c.caution("refused %s: %s", why.Code, why.Message)
		return c.findings
	}
	if c.columns(); len(c.findings) == 0 || !c.findings[0].release {
		c.uses()
		c.writes()
	}
	return c.findings
}

func (c *comparison) release(format string, args ...any) {
	c.findings = append(c.findings, finding{true, fmt.Sprintf(format, args...)})
}

func (c *comparison) caution(format string, args ...any) {
	if !c.want.opaque { // else the resolver may know more than the judge
		c.findings = append(c.findings, finding{false, fmt.Sprintf(format, args...)})
	}
}

func (c *comparison) columns() {
	if len(c.got.Columns) != len(c.want.columns) {
		c.release("%d columns instead of %d", len(c.got.Columns), len(c.want.columns))
		return
	}
	for i, column := range c.got.Columns {
		if column.Name != c.want.names[i] {
			c.release("column %d is named %q instead of %q", i+1, column.Name, c.want.names[i])
		}
		c.value(fmt.Sprintf("column %d %q", i+1, column.Name), c.want.columns[i], column.Value)
	}
}

// value compares what one value is made of.
func (c *comparison) value(place string, want lineage, got rewrite.Value) {
	for p, m := range want.parts {
		plain, derived := holds(got.Plain, p), holds(got.Derived, p)
		switch {
		case m == loosely:
			// The resolver looks into more functions than the judge.
		case m&derivedly != 0 && !derived:
			c.release("%s: %v is not in it derived (%v)", place, p, m)
		case m&(plainly|castly) != 0 && !plain && !derived:
			c.release("%s: %v is not in it (%v)", place, p, m)
		case m == plainly && derived && !plain:
			c.caution("%s: %v is derived instead of plain", place, p)
		}
	}
	for s := range got.Sources {
		if !mentions(want, s.Column) {
			c.caution("%s: %s is in it", place, s.Column.Name)
		}
	}
}

// holds reports whether sources have a part, or the document that it is of.
func holds(sources []rewrite.Source, p part) bool {
	for _, s := range sources {
		if s.Column.Rel == p.rel && int(s.Column.Att) == p.att && strings.HasPrefix(p.path, s.Path) {
			return true
		}
	}
	return false
}

func mentions(l lineage, column *rewrite.TableColumn) bool {
	for p := range l.parts {
		if p.rel == column.Rel && p.att == int(column.Att) {
			return true
		}
	}
	return false
}

// uses compares the columns that stand elsewhere, and the forms in which they do.
func (c *comparison) uses() {
	for want := range c.want.uses {
		if !c.covered(want) {
			c.release("%v is used (form %d, with %v)", want.part, want.form, want.with)
		}
	}
	for _, u := range c.got.Uses {
		if !harmless(u.In) && !c.wanted(u) {
			c.caution("%s is used in %s", u.Column.Name, u.In)
		}
	}
}

// harmless reports whether the judge does not look for uses in a clause: they
// follow from what functions do with their arguments, and from what is left out
// once a result is certain.
func harmless(clause string) bool {
	switch clause {
	case rewrite.ClauseFallible, "argument", "subscript", "a set-returning function",
		"coalesce", "boolean expression", "comparison", "comparison with a subquery":
		return true
	}
	return strings.HasPrefix(clause, "an argument of ")
}

// covered reports whether the resolver has the use, or one of the document around
// it, in the same form or in one that allows less.
func (c *comparison) covered(want judgedUse) bool {
	for _, u := range c.got.Uses {
		if u.Column.Rel != want.rel || int(u.Column.Att) != want.att || !strings.HasPrefix(want.path, u.Path) {
			continue
		}
		switch {
		case u.Form == rewrite.FormOther, want.form == rewrite.FormIsNull:
			return true
		case want.form == rewrite.FormEqualConstant && u.Form == want.form:
			return true
		case want.form == rewrite.FormEqualColumn && u.Form == want.form:
			return true
		}
	}
	return false
}

func (c *comparison) wanted(u rewrite.Use) bool {
	for want := range c.want.uses {
		if u.Column.Rel == want.rel && int(u.Column.Att) == want.att {
			return true
		}
	}
	return false
}

// writes compares where values of columns go.
func (c *comparison) writes() {
	for _, w := range c.want.writes {
		for p := range w.value.parts {
			if !c.flows(w, p) {
				c.release("%v goes to %v", p, w.target)
			}
		}
	}
}

func (c *comparison) flows(w judgedWrite, p part) bool {
	for _, f := range c.got.Flows {
		if !w.view && (f.Target == nil || f.Target.Rel != w.target.rel || int(f.Target.Att) != w.target.att) {
			continue
		}
		if holds(f.Value.Plain, p) || holds(f.Value.Derived, p) {
			return true
		}
	}
	return w.value.parts[p] == loosely
}
