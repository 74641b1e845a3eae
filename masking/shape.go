package masking

import (
	"fmt"
	"slices"
	"strings"
)

// A shape is a place in a document that has labels at it or below: what is at
// the place, and where to go from there. Shapes can lead back to themselves,
// since an array may stand wherever a path expects a single value.
type shape struct {
	class     *Class            // of a value here that is no array
	members   map[string]*shape // of an object here
	member    *shape            // its other members
	elements  map[int]*shape    // of an array here
	element   *shape            // its other elements
	scattered []*Class          // not nil: nothing is known but the classes
}

// label is the label of a value at this place alone.
func (s *shape) label() Label {
	if s.class != nil && s.element == s && len(s.elements) == 0 {
		return Label{class: s.class}
	}
	return Label{doc: s}
}

// classes returns every class at or below this place.
func (s *shape) classes() []*Class {
	if s.scattered != nil {
		return slices.Clone(s.scattered)
	}
	var found []*Class
	s.walk(map[*shape]bool{}, func(at *shape) {
		if at.class != nil {
			found = append(found, at.class)
		}
	})
	return sortClasses(found)
}

// walk visits this place and all below once.
func (s *shape) walk(seen map[*shape]bool, visit func(*shape)) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	visit(s)
	for _, next := range s.members {
		next.walk(seen, visit)
	}
	for _, next := range s.elements {
		next.walk(seen, visit)
	}
	s.member.walk(seen, visit)
	s.element.walk(seen, visit)
}

// to returns where the member leads, nil where nothing is labelled.
func (s *shape) to(member []byte) *shape {
	if next, ok := s.members[string(member)]; ok {
		return next
	}
	return s.member
}

func (s *shape) at(index int) *shape {
	if next, ok := s.elements[index]; ok {
		return next
	}
	return s.element
}

// move takes one step from each of the shapes, and returns where it may lead.
func move(from []*shape, by step) []*shape {
	var reached []*shape
	add := func(s *shape) {
		if s != nil && !slices.Contains(reached, s) {
			reached = append(reached, s)
		}
	}
	for _, s := range from {
		switch {
		case s.scattered != nil || s.class != nil:
			add(s) // whatever is inside is of the class
		case by.any:
			s.eachUnwrapped(func(s *shape) {
				for _, next := range s.members {
					add(next)
				}
				add(s.member)
			})
		case by.index == notIndex:
			s.eachUnwrapped(func(s *shape) { add(s.to([]byte(by.member))) })
		case by.index == anyIndex:
			for _, next := range s.elements {
				add(next)
			}
			add(s.element)
		default:
			add(s.at(by.index))
		}
	}
	return reached
}

// eachUnwrapped visits the place and, as a path unwraps arrays by itself, the
// elements of an array there.
func (s *shape) eachUnwrapped(visit func(*shape)) {
	visit(s)
	for _, next := range s.elements {
		visit(next)
	}
	if s.element != nil && s.element != s {
		visit(s.element)
	}
}

// A branch is a place as the paths of the policy file spell it.
type branch struct {
	id       int
	class    *Class
	members  map[string]*branch
	member   *branch
	elements map[int]*branch
	element  *branch
}

// A shaper turns the paths of one document into its shape. A shape is a set of
// branches: all that lead to the same place, the most literal first.
type shaper struct {
	count  int
	shapes map[string]*shape
}

func newShaper() *shaper { return &shaper{shapes: map[string]*shape{}} }

func (b *shaper) branch() *branch {
	b.count++
	return &branch{id: b.count, members: map[string]*branch{}, elements: map[int]*branch{}}
}

// grow adds a path below root.
func (b *shaper) grow(root *branch, path []step, class *Class) {
	at := root
	for _, s := range path {
		var next **branch
		switch {
		case s.any:
			next = &at.member
		case s.index == anyIndex:
			next = &at.element
		case s.index == notIndex:
			if at.members[s.member] == nil {
				at.members[s.member] = b.branch()
			}
			at = at.members[s.member]
			continue
		default:
			if at.elements[s.index] == nil {
				at.elements[s.index] = b.branch()
			}
			at = at.elements[s.index]
			continue
		}
		if *next == nil {
			*next = b.branch()
		}
		at = *next
	}
	at.class = class
}

// shape returns the shape of a set of branches, nil for the empty set.
func (b *shaper) shape(set []*branch) *shape {
	if len(set) == 0 {
		return nil
	}
	var key strings.Builder
	for _, at := range set {
		fmt.Fprintf(&key, "%d ", at.id)
	}
	if s := b.shapes[key.String()]; s != nil {
		return s
	}
	s := &shape{members: map[string]*shape{}, elements: map[int]*shape{}}
	b.shapes[key.String()] = s
	b.fillArray(s, set)
	b.fillObject(s, wrapped(set))
	return s
}

// wrapped adds what a value that is no array counts as, too: the only element
// of one.
func wrapped(set []*branch) []*branch {
	all := slices.Clone(set)
	for i := 0; i < len(all); i++ {
		for _, index := range sortedKeys(all[i].elements) {
			all = appendBranch(all, all[i].elements[index])
		}
		all = appendBranch(all, all[i].element)
	}
	return all
}

func (b *shaper) fillObject(s *shape, set []*branch) {
	names := map[string]bool{}
	var others []*branch
	for _, at := range set {
		if s.class == nil {
			s.class = at.class
		}
		for name := range at.members {
			names[name] = true
		}
		others = appendBranch(others, at.member)
	}
	for name := range names {
		var next []*branch
		for _, at := range set {
			next = appendBranch(next, at.members[name])
		}
		for _, at := range others {
			next = appendBranch(next, at)
		}
		s.members[name] = b.shape(next)
	}
	s.member = b.shape(others)
}

func (b *shaper) fillArray(s *shape, set []*branch) {
	indexes := map[int]bool{}
	var others []*branch
	for _, at := range set {
		for index := range at.elements {
			indexes[index] = true
		}
		others = appendBranch(others, at.element)
	}
	for _, at := range set { // an array where a single value is expected
		if at.class != nil || at.member != nil || len(at.members) > 0 {
			others = appendBranch(others, at)
		}
	}
	for index := range indexes {
		var next []*branch
		for _, at := range set {
			next = appendBranch(next, at.elements[index])
		}
		for _, at := range others {
			next = appendBranch(next, at)
		}
		s.elements[index] = b.shape(next)
	}
	s.element = b.shape(others)
}

func appendBranch(set []*branch, b *branch) []*branch {
	if b == nil || slices.Contains(set, b) {
		return set
	}
	return append(set, b)
}
