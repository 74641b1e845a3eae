package mysql

import (
	"slices"
	"strings"
	"sync"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// A history numbers tables and columns for as long as this process knows them,
// and remembers by which names it knew them before, so that a label does not
// come off when a column, its table or its database is renamed. MySQL has no
// identity for either: a table is the one that the storage engine says it is,
// else the one of that name, else one with the same columns that is gone; a
// column is the one of that name, else the one of that type in that place.
type history struct {
	mu     sync.Mutex
	seen   map[name]*Relation // guarded by mu
	rels   uint32
	former map[columnKey][]formerName
}

// A formerName is one that a column had.
type formerName = masking.Column

// note numbers the tables and columns of a new snapshot and gives it the former
// names of its columns.
func (h *history) note(c *Catalog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.former == nil {
		h.former = map[columnKey][]formerName{}
	}
	before := succession{old: h.seen, now: c.relations, oldIDs: engineIDs(h.seen), nowIDs: engineIDs(c.relations), taken: map[*Relation]bool{}}
	h.seen = map[name]*Relation{}
	for key, rel := range c.relations {
		old := before.of(key, rel)
		if old == nil {
			h.rels++
			rel.ID = h.rels
		} else {
			rel.ID = old.ID
		}
		h.columns(old, rel)
		c.byID[rel.ID] = rel
		h.seen[key] = rel
	}
	for key, names := range h.former {
		if c.byID[key.rel] != nil {
			c.former[key] = slices.Clone(names)
		} else {
			delete(h.former, key)
		}
	}
}

// A succession finds which relation of one snapshot is which of the one before.
type succession struct {
	old, now       map[name]*Relation
	oldIDs, nowIDs map[string]name // by what the storage engine calls them
	taken          map[*Relation]bool
}

func engineIDs(relations map[name]*Relation) map[string]name {
	ids := map[string]name{}
	for key, rel := range relations {
		if rel.engineID != "" {
			ids[rel.engineID] = key
		}
	}
	return ids
}

// of is what a relation was before, nil when it is new.
func (s *succession) of(key name, rel *Relation) *Relation {
	old := s.find(key, rel)
	if old == nil || s.taken[old] {
		return nil
	}
	s.taken[old] = true
	return old
}

func (s *succession) find(key name, rel *Relation) *Relation {
	if was, ok := s.oldIDs[rel.engineID]; ok {
		return s.old[was]
	}
	if old := s.old[key]; old != nil && !s.moved(key, old) {
		return old
	}
	if rel.System || rel.Kind != BaseTable {
		return nil
	}
	for was, old := range s.old {
		if s.now[was] == nil && !s.taken[old] && !s.moved(was, old) && sameShape(old, rel) {
			return old
		}
	}
	return nil
}

// moved says whether the storage engine has the old relation under another name now.
func (s *succession) moved(key name, old *Relation) bool {
	now, ok := s.nowIDs[old.engineID]
	return ok && now != key
}

func sameShape(a, b *Relation) bool {
	return slices.EqualFunc(a.Columns, b.Columns, func(x, y *Column) bool {
		return strings.EqualFold(x.Name.Name, y.Name.Name) && x.Type == y.Type
	})
}

// columns numbers the columns of a relation as they were in old, and remembers
// the names that they no longer have.
func (h *history) columns(old, rel *Relation) {
	next := int16(0)
	if old != nil {
		for _, c := range old.Columns {
			next = max(next, c.Att)
		}
	}
	for i, c := range rel.Columns {
		c.Rel = rel.ID
		was := columnBefore(old, rel, i)
		if was == nil {
			next++
			c.Att = next
			continue
		}
		c.Att = was.Att
		if was.Name != c.Name {
			h.remember(columnKey{c.Rel, c.Att}, was.Name)
		}
	}
}

// columnBefore is what the column in a place was before, nil when it is new.
func columnBefore(old, rel *Relation, place int) *Column {
	if old == nil {
		return nil
	}
	c := rel.Columns[place]
	if was := old.Column(c.Name.Name); was != nil {
		return was
	}
	if place < len(old.Columns) {
		if was := old.Columns[place]; rel.Column(was.Name.Name) == nil && was.kind == c.kind {
			return was
		}
	}
	return nil
}

func (h *history) remember(key columnKey, was formerName) {
	h.former[key] = rewrite.AddFormerName(h.former[key], was)
}
