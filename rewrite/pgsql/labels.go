package pgsql

import (
	"sqlveil/masking"
	"sqlveil/rewrite"
)

// Label returns what a column carries under a policy: the label of its own
// name, of the columns that hold the same data in its ancestors and
// descendants, of the names that any of them had before, and, in the system's
// catalogs, the class of data that no policy needs to name. The strictest wins.
func (c *Catalog) Label(p *masking.Policy, column *rewrite.TableColumn) (masking.Label, bool) {
	return c.labelOf(p, column.Rel, column.Att)
}

func (c *Catalog) labelOf(p *masking.Policy, rel uint32, att int16) (masking.Label, bool) {
	if c.base != nil && c.relations[rel] == nil {
		return c.base.labelOf(p, rel, att)
	}
	r := c.relations[rel]
	if r == nil {
		return masking.LabelOf(p.System()), true
	}
	return c.labels.Label(p, rel, att, func() []rewrite.ColumnLabel { return c.labelRelation(p, r) })
}

func (c *Catalog) labelRelation(p *masking.Policy, r *Relation) []rewrite.ColumnLabel {
	var list []rewrite.ColumnLabel
	for _, column := range r.Columns {
		if l, ok := c.labelColumn(p, r, column); ok {
			list = append(list, rewrite.ColumnLabel{Att: column.Att, Label: l})
		}
	}
	return list
}

func (c *Catalog) labelColumn(p *masking.Policy, r *Relation, column *ColumnInfo) (masking.Label, bool) {
	var found rewrite.LabelSum
	if r.sensitive(column.Name.Name) {
		found.Add(masking.LabelOf(p.System()), true)
	}
	found.Add(c.labelNames(p, &column.TableColumn))
	for _, kin := range column.Kin {
		found.Add(c.labelNames(p, kin))
	}
	return found.Label()
}

// labelNames is the label of a column's name and of those that it had before.
func (c *Catalog) labelNames(p *masking.Policy, column *rewrite.TableColumn) (masking.Label, bool) {
	var found rewrite.LabelSum
	found.Add(p.Label(column.Name))
	for _, name := range c.formerly(columnKey{column.Rel, column.Att}) {
		found.Add(p.Label(name))
	}
	return found.Label()
}

func (c *Catalog) formerly(key columnKey) []masking.Column {
	if c.relations[key.rel] == nil && c.base != nil {
		return c.base.formerly(key)
	}
	return c.former[key]
}

// Witness answers by table OID and attribute number, as the server names a
// result column's origin. A table that the snapshot does not know carries the
// strictest label.
func (c *Catalog) Witness(p *masking.Policy) Witness { return Witness{c, p} }

// A Witness is a snapshot's labels under one policy.
type Witness struct {
	catalog *Catalog
	policy  *masking.Policy
}

// LabelOf is the label of a table's column.
func (w Witness) LabelOf(rel uint32, att int16) (masking.Label, bool) {
	return w.catalog.labelOf(w.policy, rel, att)
}
