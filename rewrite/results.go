package rewrite

import (
	"slices"
	"strings"
)

// Result returns the outputs of the result whose columns the server gives these
// names, for a statement that may return several: which one comes when, nobody can
// say beforehand. Each output is as protected as its like in any result that it may
// be. Names are taken for what they are where some result has them and every
// character set writes them alike; there are none when no result has that many columns.
func (p *Plan) Result(names []string) []Output {
	if p.Results == nil {
		return p.Outputs
	}
	var alike, named []Output
	rest := p.Outputs
	for _, n := range p.Results {
		outputs := rest[:n]
		rest = rest[n:]
		if n != len(names) {
			continue
		}
		alike = strictestOf(alike, outputs)
		if mayBeNamed(outputs, names) {
			named = strictestOf(named, outputs)
		}
	}
	if named != nil && !slices.ContainsFunc(names, foreign) {
		return named
	}
	return alike
}

func mayBeNamed(outputs []Output, names []string) bool {
	for i, o := range outputs {
		if !o.Guess && !foreign(o.Name) && !strings.EqualFold(o.Name, names[i]) {
			return false
		}
	}
	return true
}

// foreign says whether a name has characters that the server may write as others, or
// as a question mark, in the character set of results.
func foreign(name string) bool {
	return strings.ContainsFunc(name, func(c rune) bool {
		return c < ' ' || c > '~' || strings.ContainsRune("?@[\\]^`{|}~", c) // SWE7 has letters in the place of some
	})
}

// strictestOf merges the outputs of two results with as many columns.
func strictestOf(a, b []Output) []Output {
	if a == nil {
		return slices.Clone(b)
	}
	for i := range a {
		a[i].Sources = slices.Concat(a[i].Sources, b[i].Sources)
		a[i].Derived = a[i].Derived || b[i].Derived
		a[i].Mask = strictest(a[i].Mask, b[i].Mask)
		if c := b[i].Class; a[i].Class == nil || c != nil && c.Level > a[i].Class.Level {
			a[i].Class = c
		}
	}
	return a
}
