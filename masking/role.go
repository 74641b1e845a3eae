package masking

// A Role is what a caller may see. It is immutable and belongs to one Policy.
type Role struct {
	name    string
	policy  *Policy
	masks   []Mask // by class index; nil for a class seen in clear
	seesAll bool
}

// Name returns the role's name in the policy.
func (r *Role) Name() string { return r.name }

// SeesAll reports whether nothing is masked for the role.
func (r *Role) SeesAll() bool { return r.seesAll }

// Sees reports whether the role sees the class in clear.
func (r *Role) Sees(c *Class) bool { return r.mask(c) == nil }

// Mask returns the mask over a column with the label, nil when the role sees
// all of it in clear. The mask of a JSON label is one over the whole document,
// unless the label stands for an unknown part of one, which is redacted.
func (r *Role) Mask(l Label) Mask {
	switch {
	case l.class != nil:
		return r.mask(l.class)
	case l.doc == nil:
		return nil
	}
	var strictest Mask
	for _, c := range l.doc.classes() {
		strictest = Strictest(strictest, r.mask(c))
	}
	switch {
	case strictest == nil:
		return nil
	case l.doc.scattered != nil:
		return Strictest(strictest, Redact)
	}
	return document{shape: l.doc, role: r}
}

// mask returns the mask over a class. A class of another policy is withheld: it
// may mean anything here.
func (r *Role) mask(c *Class) Mask {
	if c.index >= len(r.policy.classes) || r.policy.classes[c.index] != c {
		return Redact
	}
	return r.masks[c.index]
}
