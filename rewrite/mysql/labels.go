package mysql

import (
	"strings"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

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

func (c *Catalog) labelColumn(p *masking.Policy, r *Relation, column *Column) (masking.Label, bool) {
	var found rewrite.LabelSum
	if r.System && sensitive(r.Schema, r.Name, column.Name.Name) {
		found.Add(masking.LabelOf(p.System()), true)
	}
	found.Add(p.Label(column.Name))
	found.Add(p.Label(lowerCase(column.Name)))
	for _, name := range c.formerly(columnKey{column.Rel, column.Att}) {
		found.Add(p.Label(name))
	}
	return found.Label()
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
