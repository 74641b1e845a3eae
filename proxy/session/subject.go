package session

import (
	"slices"

	"sqlveil/auditlog"
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
