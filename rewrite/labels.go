package rewrite

import (
	"cmp"
	"slices"
	"sync"

	"sqlveil/masking"
)

// labelledPolicies is how many policies a snapshot keeps labels for: the one in
// force, and the one before it while sessions move over.
const labelledPolicies = 2

// A LabelCache keeps what the columns of one catalog snapshot carry under the
// newest policies. The zero value is empty. It is safe for concurrent use.
type LabelCache struct {
	mu       sync.RWMutex
	policies []*policyLabels // the newest first; guarded by mu
}

type policyLabels struct {
	policy    *masking.Policy
	relations sync.Map // a relation's number to []ColumnLabel
}

// A ColumnLabel is the label of one column that has one.
type ColumnLabel struct {
	Att   int16 // the column's number in its relation
	Label masking.Label
}

// Label returns what column att of relation rel carries under p. It calls label
// for the labels of the whole relation where it has not got them.
func (c *LabelCache) Label(p *masking.Policy, rel uint32, att int16, label func() []ColumnLabel) (masking.Label, bool) {
	cache := c.of(p)
	known, ok := cache.relations.Load(rel)
	if !ok {
		known, _ = cache.relations.LoadOrStore(rel, label())
	}
	for _, l := range known.([]ColumnLabel) {
		if l.Att == att {
			return l.Label, true
		}
	}
	return masking.Label{}, false
}

func (c *LabelCache) of(p *masking.Policy) *policyLabels {
	c.mu.RLock()
	i := slices.IndexFunc(c.policies, func(e *policyLabels) bool { return e.policy == p })
	if i >= 0 {
		defer c.mu.RUnlock()
		return c.policies[i]
	}
	c.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.policies, func(e *policyLabels) bool { return e.policy == p }); i >= 0 {
		return c.policies[i]
	}
	added := &policyLabels{policy: p}
	c.policies = append([]*policyLabels{added}, c.policies[:min(len(c.policies), labelledPolicies-1)]...)
	return added
}

// A LabelSum is the strictest of the labels added to it.
type LabelSum struct {
	label masking.Label
	any   bool
}

// Add keeps the label of the higher level, the earlier of two of one level; it
// keeps none where ok is false. Where one of them labels parts of a document, in
// another way than the other, the sum is the most sensitive class of both for
// the whole value.
func (s *LabelSum) Add(l masking.Label, ok bool) {
	switch {
	case !ok || s.any && l == s.label:
		return
	case !s.any:
		s.label = l
	case l.Class() == nil || s.label.Class() == nil:
		s.label = masking.LabelOf(worstClass(s.label, l))
	case l.Class().Level > s.label.Class().Level:
		s.label = l
	}
	s.any = true
}

// Label returns the sum, and whether anything was added to it.
func (s *LabelSum) Label() (masking.Label, bool) { return s.label, s.any }

// worstClass is the most sensitive class of two labels.
func worstClass(a, b masking.Label) *masking.Class {
	return slices.MaxFunc(slices.Concat(a.Classes(), b.Classes()), func(x, y *masking.Class) int {
		return cmp.Compare(x.Level, y.Level)
	})
}

// MostFormerNames bounds how many earlier names of a column are remembered.
const MostFormerNames = 16

// AddFormerName adds a name to those that a column had before. Of too many it
// keeps the first, under which the policy may have been written, and the latest.
// It may change the array behind names.
func AddFormerName(names []masking.Column, name masking.Column) []masking.Column {
	if slices.Contains(names, name) {
		return names
	}
	if len(names) == MostFormerNames {
		names = slices.Delete(names, MostFormerNames/2, MostFormerNames/2+1)
	}
	return append(names, name)
}
