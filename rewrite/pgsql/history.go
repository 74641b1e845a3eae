package pgsql

import (
	"maps"
	"slices"
	"sync"
	"time"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// forgetAfter is how long a table is remembered which only a session saw.
const forgetAfter = time.Hour

// A history remembers by which names this process knew a column before, so that
// a label does not come off when the column, its table or its schema is renamed,
// or the table no longer belongs to another.
type history struct {
	mu     sync.Mutex
	seen   map[uint32]sighting // guarded by mu
	former map[columnKey][]masking.Column
}

// A sighting is a relation as the last snapshot had it.
type sighting struct {
	relation *Relation
	at       time.Time
}

// note compares a new snapshot's layer with what was seen before and gives it
// the former names of its columns.
func (h *history) note(c *Catalog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen, h.former = map[uint32]sighting{}, map[columnKey][]masking.Column{}
	}
	now := time.Now()
	for oid, rel := range c.relations {
		if rel.System {
			continue
		}
		if before, ok := h.seen[oid]; ok {
			h.compare(before.relation, rel)
		}
		h.seen[oid] = sighting{rel, now}
	}
	if c.base == nil {
		h.forget(c, now)
	}
	for key, names := range h.former {
		if c.relations[key.rel] != nil {
			c.former[key] = slices.Clone(names)
		}
	}
}

// compare remembers the names that columns of before no longer have, and those of
// the columns of a parent that they were part of: rows do not change when a
// partition is detached or a table stops to inherit.
func (h *history) compare(before, now *Relation) {
	for _, old := range before.Columns {
		c := now.Attribute(old.Att)
		if c == nil {
			continue
		}
		key := columnKey{old.Rel, old.Att}
		if c.Name != old.Name {
			h.remember(key, old.Name)
		}
		for _, kin := range old.Kin {
			kept := slices.ContainsFunc(c.Kin, func(k *rewrite.TableColumn) bool { return k.Rel == kin.Rel && k.Att == kin.Att })
			if !kept && h.descends(before, kin.Rel) {
				h.remember(key, kin.Name)
				for _, name := range h.former[columnKey{kin.Rel, kin.Att}] {
					h.remember(key, name)
				}
			}
		}
	}
}

// descends says whether a relation inherited from the one with the OID ancestor,
// as far as sightings tell. They are not all of one moment, and may go in circles.
func (h *history) descends(rel *Relation, ancestor uint32) bool {
	above := slices.Clone(rel.Parents)
	for i := 0; i < len(above); i++ {
		if above[i] == ancestor {
			return true
		}
		if s, ok := h.seen[above[i]]; ok {
			for _, parent := range s.relation.Parents {
				if !slices.Contains(above, parent) {
					above = append(above, parent)
				}
			}
		}
	}
	return false
}

// remember adds a name to those that a column had.
func (h *history) remember(key columnKey, name masking.Column) {
	h.former[key] = rewrite.AddFormerName(h.former[key], name)
}

// forget drops the relations that are gone.
func (h *history) forget(c *Catalog, now time.Time) {
	maps.DeleteFunc(h.seen, func(oid uint32, s sighting) bool {
		return c.relations[oid] == nil && now.Sub(s.at) > forgetAfter
	})
	maps.DeleteFunc(h.former, func(key columnKey, _ []masking.Column) bool {
		_, ok := h.seen[key.rel]
		return !ok
	})
}
