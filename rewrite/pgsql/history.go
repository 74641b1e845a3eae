package pgsql

import (
	"maps"
	"slices"
	"sync"
	"time"

	"sqlveil/masking"
)

const (
	// formerNames bounds how many earlier names of a column are remembered: the
	// first and the latest of them.
	formerNames = 16
	// forgetAfter is how long a table is remembered which only a session saw.
	forgetAfter = time.Hour
)

// A history remembers by which names this process knew a column before, so that
// a label does not come off when the column, its table or its schema is renamed.
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

// compare remembers the names that columns of before no longer have.
func (h *history) compare(before, now *Relation) {
	for _, old := range before.Columns {
		c := now.Attribute(old.Att)
		if c == nil || c.Name == old.Name {
			continue
		}
		key := columnKey{old.Rel, old.Att}
		names := h.former[key]
		if slices.Contains(names, old.Name) {
			continue
		}
		if len(names) == formerNames {
			names = slices.Delete(names, formerNames/2, formerNames/2+1)
		}
		h.former[key] = append(names, old.Name)
	}
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
