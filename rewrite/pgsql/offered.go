package pgsql

import (
	"sync"
	"sync/atomic"
)

// mostOffered bounds how many columns a snapshot keeps as queries see them: of
// those of a few hundred tables, about 3 MiB.
const mostOffered = 10_000

// hiddenColumns are what every table has besides its own; they hold no data.
var hiddenColumns = []string{"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}

// offered are columns of tables as queries see them, where that follows from the
// snapshot alone. It is safe for concurrent use.
type offered struct {
	columns sync.Map     // of *Relation to []column, which nobody changes
	held    atomic.Int64 // how many, or a few more
}

// of returns the columns of a relation, made by make unless they are known.
func (o *offered) of(rel *Relation, make func() []column) []column {
	if known, ok := o.columns.Load(rel); ok {
		return known.([]column)
	}
	columns := make()
	n := int64(len(columns))
	if o.held.Add(n) > mostOffered {
		o.held.Add(-n)
		return columns
	}
	o.columns.Store(rel, columns)
	return columns
}

// offeredColumns are the columns that a table of the catalog offers, when no
// expression of its own computes any; ok is false for any other relation.
func (r *resolver) offeredColumns(rel *Relation) (columns []column, ok bool) {
	if rel.Kind == 'v' || rel.computes() || r.catalog.RelationByOID(rel.OID) != rel {
		return nil, false
	}
	return r.catalog.offered.of(rel, func() []column { return r.declaredColumns(rel) }), true
}

// computes says whether an expression computes a column of the relation.
func (r *Relation) computes() bool {
	for _, c := range r.Columns {
		if c.Generated != "" {
			return true
		}
	}
	return false
}

// declaredColumns are the columns of a relation by their declaration, and the hidden ones.
func (r *resolver) declaredColumns(rel *Relation) []column {
	out := make([]column, 0, len(rel.Columns)+len(hiddenColumns))
	for _, c := range rel.Columns {
		out = append(out, column{name: c.Name.Name, value: r.columnValue(c)})
	}
	return withHidden(out)
}

// withHidden appends the hidden columns.
func withHidden(columns []column) []column {
	for _, name := range hiddenColumns {
		columns = append(columns, column{name: name, hidden: true})
	}
	return columns
}
