package mysql

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// labelledPolicies is how many policies a snapshot keeps labels for: the one in
// force, and the one before it while sessions move over.
const labelledPolicies = 2

// A labelCache keeps what a snapshot's columns carry under the newest policies.
type labelCache struct {
	mu       sync.RWMutex
	policies []*policyLabels // the newest first; guarded by mu
}

type policyLabels struct {
	policy    *masking.Policy
	relations sync.Map // Relation.ID to []attributeLabel
}

// An attributeLabel is the label of one column that has one.
type attributeLabel struct {
	att   int16
	label masking.Label
}

func (l *labelCache) of(p *masking.Policy) *policyLabels {
	l.mu.RLock()
	i := slices.IndexFunc(l.policies, func(e *policyLabels) bool { return e.policy == p })
	if i >= 0 {
		defer l.mu.RUnlock()
		return l.policies[i]
	}
	l.mu.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.policies, func(e *policyLabels) bool { return e.policy == p }); i >= 0 {
		return l.policies[i]
	}
	added := &policyLabels{policy: p}
	l.policies = append([]*policyLabels{added}, l.policies[:min(len(l.policies), labelledPolicies-1)]...)
	return added
}

// Label returns what a column carries under a policy: the label of its own
// name, of the names that it had before, and, in the server's own schemas, the
// class of data that no policy needs to name. The strictest wins.
func (c *Catalog) Label(p *masking.Policy, column *rewrite.TableColumn) (masking.Label, bool) {
	return c.LabelOf(p, column.Rel, column.Att)
}

// LabelOf is [Catalog.Label] by the numbers that [Catalog.Origin] gives. A table
// that the snapshot does not know carries the strictest label.
func (c *Catalog) LabelOf(p *masking.Policy, rel uint32, att int16) (masking.Label, bool) {
	if c.base != nil && c.byID[rel] == nil {
		return c.base.LabelOf(p, rel, att)
	}
	r := c.byID[rel]
	if r == nil {
		return masking.LabelOf(p.System()), true
	}
	cache := c.labels.of(p)
	labels, ok := cache.relations.Load(rel)
	if !ok {
		labels, _ = cache.relations.LoadOrStore(rel, c.labelRelation(p, r))
	}
	for _, l := range labels.([]attributeLabel) {
		if l.att == att {
			return l.label, true
		}
	}
	return masking.Label{}, false
}

func (c *Catalog) labelRelation(p *masking.Policy, r *Relation) []attributeLabel {
	var list []attributeLabel
	for _, column := range r.Columns {
		if l, ok := c.labelColumn(p, r, column); ok {
			list = append(list, attributeLabel{column.Att, l})
		}
	}
	return list
}

func (c *Catalog) labelColumn(p *masking.Policy, r *Relation, column *Column) (masking.Label, bool) {
	var found labelSum
	if r.System && sensitive(r.Schema, r.Name, column.Name.Name) {
		found.add(masking.LabelOf(p.System()), true)
	}
	found.add(p.Label(column.Name))
	found.add(p.Label(lowerCase(column.Name)))
	for _, name := range c.formerly(columnKey{column.Rel, column.Att}) {
		found.add(p.Label(name))
	}
	return found.label, found.any
}

// lowerCase is a column as a policy may name it where the server does not tell
// upper from lower case.
func lowerCase(c masking.Column) masking.Column {
	return masking.Column{Database: strings.ToLower(c.Database), Table: strings.ToLower(c.Table), Name: strings.ToLower(c.Name)}
}

func (c *Catalog) formerly(key columnKey) []masking.Column {
	if c.byID[key.rel] == nil && c.base != nil {
		return c.base.formerly(key)
	}
	return c.former[key]
}

// A labelSum is the strictest of the labels added to it.
type labelSum struct {
	label masking.Label
	any   bool
}

// add keeps the label of the higher level, the earlier of two of one level.
// Where one of them labels parts of a document, in another way than the other,
// the sum is the most sensitive class of both for the whole value.
func (s *labelSum) add(l masking.Label, ok bool) {
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

// worstClass is the most sensitive class of two labels.
func worstClass(a, b masking.Label) *masking.Class {
	return slices.MaxFunc(slices.Concat(a.Classes(), b.Classes()), func(x, y *masking.Class) int {
		return cmp.Compare(x.Level, y.Level)
	})
}
