package rewrite

import "slices"

// mostPersons bounds the persons that a plan names: the audit log keeps no more
// of one statement.
const mostPersons = 200

// equal adds the person whom a comparison asks for, if the column identifies any.
func (d *decision) equal(e Equal) {
	for _, p := range d.protections(Source{Column: e.Column}, false) {
		for _, class := range p.label.Classes() {
			if !class.Subject || p.derived || len(d.plan.Persons) == mostPersons {
				continue
			}
			person := Person{Class: class.Name, Type: e.Column.Type, Constant: e.Constant}
			if !slices.Contains(d.plan.Persons, person) {
				d.plan.Persons = append(d.plan.Persons, person)
			}
		}
	}
}

// share prepares a plan for texts that differ from this one in their literals: a
// person is then the literal of a number. It reports whether that can be said.
func (p *Planner) share(scope Scope, plan *Plan, text string) bool {
	if !slices.ContainsFunc(plan.Persons, func(person Person) bool { return person.Constant.Param == 0 }) {
		return true
	}
	literals := p.shaper.AppendLiterals(nil, scope, text)
	shared := slices.Clone(plan.Persons)
	for i := range shared {
		c := &shared[i].Constant
		if c.Param != 0 {
			continue
		}
		at := slices.Index(literals, c.Text)
		if at < 0 || slices.Contains(literals[at+1:], c.Text) {
			return false
		}
		*c = Constant{Nth: at + 1}
	}
	plan.Persons = shared
	return true
}

// AppendLiterals appends the literals of a text, which [Constant].Nth counts. They
// may alias the text.
func (p *Planner) AppendLiterals(dst []string, scope Scope, text string) []string {
	if p.shaper == nil {
		return dst
	}
	return p.shaper.AppendLiterals(dst, scope, text)
}
