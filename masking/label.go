package masking

import (
	"cmp"
	"slices"
	"strings"
)

// A Label says what a column carries: data of one class, or a JSON document
// with classes at some of its paths. The zero Label carries nothing.
type Label struct {
	class *Class
	doc   *shape
}

// LabelOf returns the label of a column whose every value is of the class.
func LabelOf(c *Class) Label { return Label{class: c} }

// Class returns the class of the whole column, nil for a JSON label.
func (l Label) Class() *Class { return l.class }

// Classes returns every class in the label, the most sensitive first.
func (l Label) Classes() []*Class {
	switch {
	case l.class != nil:
		return []*Class{l.class}
	case l.doc != nil:
		return l.doc.classes()
	}
	return nil
}

// At narrows a JSON label to the part of the document that an SQL/JSON path
// such as $.contacts[*].mail selects. Arrays are wrapped and unwrapped the way
// both databases do it, so $.contacts.mail selects the same. Where the path
// cannot be followed (a filter, a method, one that is not known yet), the label
// stands for whatever may be found below.
func (l Label) At(path string) Label {
	if l.doc == nil {
		return l
	}
	reached := []*shape{l.doc}
	rest, found := strings.CutPrefix(path, "$")
	if !found {
		return anywhere(reached)
	}
	for rest != "" {
		s, next, err := nextStep(rest)
		if err != nil {
			return anywhere(reached)
		}
		reached, rest = move(reached, s), next
	}
	switch len(reached) {
	case 0:
		return Label{}
	case 1:
		return reached[0].label()
	}
	return anywhere(reached)
}

// anywhere is the label of a value that can be any part of the shapes.
func anywhere(shapes []*shape) Label {
	var classes []*Class
	for _, s := range shapes {
		classes = append(classes, s.classes()...)
	}
	if len(classes) == 0 {
		return Label{}
	}
	return Label{doc: &shape{scattered: sortClasses(classes)}}
}

// sortClasses puts the most sensitive classes first and drops repetitions.
func sortClasses(classes []*Class) []*Class {
	slices.SortFunc(classes, func(a, b *Class) int {
		return cmp.Or(b.Level-a.Level, strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(classes)
}
