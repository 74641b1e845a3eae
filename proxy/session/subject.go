package session

import (
	"slices"

	"sqlveil/auditlog"
	"sqlveil/rewrite"
)

// maxSubjects is how many persons the record of one statement names; of more it
// only says how many values there were.
const maxSubjects = 200

// Subject returns the name of the class of a result column that identifies a
// person, "" for any other column.
func (p *Prepared) Subject(i, column int) string {
	if i >= len(p.plans) || column >= len(p.plans[i].Outputs) {
		return ""
	}
	o := &p.plans[i].Outputs[column]
	if o.Class == nil || !o.Class.Subject || o.Derived {
		return ""
	}
	return o.Class.Name
}

// Subjects says whether any result column of a statement identifies a person.
func (p *Prepared) Subjects(i int) bool {
	if i >= len(p.plans) {
		return false
	}
	for column := range p.plans[i].Outputs {
		if p.Subject(i, column) != "" {
			return true
		}
	}
	return false
}

// Persons are whom the predicates of a statement name, as the audit log knows them.
type Persons []auditlog.SubjectKey

// NamesByParameter says whether any parameter of a statement may name a person.
func (p *Prepared) NamesByParameter() bool {
	if len(p.plans) == 0 {
		return false
	}
	return slices.ContainsFunc(p.plans[0].Persons, func(person rewrite.Person) bool { return person.Constant.Param > 0 })
}

// Bound adds whom the parameters of a statement name to those of bound. parameter
// returns the text form of the parameter with this number, from 1, which is
// compared with a column of a type; ok is false for NULL and for what has none.
// It is called on the up side.
func (s *Session) Bound(bound Persons, p *Prepared, parameter func(n int, columnType string) (text []byte, ok bool)) Persons {
	if len(p.plans) == 0 {
		return bound
	}
	for i := range p.plans[0].Persons {
		person := &p.plans[0].Persons[i]
		if person.Constant.Param == 0 {
			continue
		}
		if text, ok := parameter(person.Constant.Param, person.Type); ok {
			bound = s.person(bound, person.Class, text)
		}
	}
	return bound
}

// namePersons adds to the record that begins a statement whom the literals of its statement name,
// and whom its parameters do.
func (s *Session) namePersons(e *auditlog.Event, q *Query, p *Prepared, bound Persons) {
	e.Subjects.Keys = append(e.Subjects.Keys, bound...)
	s.literals = s.literals[:0]
	for i := range q.plan.Persons {
		person := &q.plan.Persons[i]
		text := person.Constant.Text
		if n := person.Constant.Nth; n > 0 {
			if len(s.literals) == 0 && p.scope != nil {
				s.literals = s.options.Planner.AppendLiterals(s.literals, *p.scope, p.Text)
			}
			if n > len(s.literals) {
				continue
			}
			text = s.literals[n-1]
		}
		if person.Constant.Param == 0 {
			s.literal = append(s.literal[:0], text...)
			e.Subjects.Keys = s.person(e.Subjects.Keys, person.Class, s.literal)
		}
	}
	e.Subjects.Count = len(e.Subjects.Keys)
}

// person adds a person whom a predicate names.
func (s *Session) person(to []auditlog.SubjectKey, class string, text []byte) []auditlog.SubjectKey {
	if s.options.Hasher == nil {
		return to
	}
	if s.asked == nil {
		s.asked = s.options.Hasher()
	}
	if key := s.asked.Key(class, text); !slices.Contains(to, key) {
		to = append(to, key)
	}
	return to
}

// Subject notes for the record that a result holds a value, in the text form, of
// a column that identifies a person. It is called on the down side.
func (s *Session) Subject(q *Query, class string, text []byte) {
	if s.options.Hasher == nil {
		return
	}
	if s.hasher == nil {
		s.hasher = s.options.Hasher()
	}
	if len(q.subjects) == maxSubjects {
		q.unnamed++
		return
	}
	key := s.hasher.Key(class, text)
	if !slices.Contains(q.subjects, key) {
		q.subjects = append(q.subjects, key)
	}
}

// Named says whether the record of a statement names all the persons that it can:
// from then on their values need not be looked at one by one.
func (q *Query) Named() bool { return len(q.subjects) == maxSubjects }

// Unnamed adds n values that were not looked at.
func (q *Query) Unnamed(n int64) { q.unnamed += int(n) }

// record is what the record of a statement says of persons.
func (q *Query) recordSubjects(to *auditlog.Subjects) {
	to.Count, to.More = len(q.subjects), q.unnamed
	to.Keys = append(to.Keys, q.subjects...)
}
