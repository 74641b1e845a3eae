package pgsql

import (
	"sync"
	"sync/atomic"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// mostOffered bounds how many columns a snapshot keeps as queries see them: of
// those of a few hundred tables, about 3 MiB.
const mostOffered = 10_000

// mostParsed bounds the definitions of views that a snapshot keeps parsed, in bytes
// of their texts: the trees take some fifty times as many.
const mostParsed = 64 << 10

// hiddenColumns are what every table has besides its own; they hold no data.
var hiddenColumns = []string{"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}

// kept is what was worked out of relations, where that follows from the snapshot
// alone. It is safe for concurrent use; what is in it must not be changed.
type kept[T any] struct {
	known sync.Map     // of *Relation to T
	held  atomic.Int64 // of what most bounds, or a little more
}

// of returns what is known of a relation, or else what derive returns, and keeps it
// while there are at most so many of what derive counts.
func (k *kept[T]) of(rel *Relation, most int64, derive func() (made T, count int)) T {
	if known, ok := k.known.Load(rel); ok {
		return known.(T)
	}
	made, count := derive()
	if k.held.Add(int64(count)) > most {
		k.held.Add(-int64(count))
		return made
	}
	k.known.Store(rel, made)
	return made
}

// offeredColumns are the columns that a table of the catalog offers, when no
// expression of its own computes any; ok is false for any other relation.
func (r *resolver) offeredColumns(rel *Relation) (columns []column, ok bool) {
	if rel.Kind == 'v' || rel.computes() || r.catalog.RelationByOID(rel.OID) != rel {
		return nil, false
	}
	return r.catalog.offered.of(rel, mostOffered, func() ([]column, int) {
		columns := r.declaredColumns(rel)
		return columns, len(columns)
	}), true
}

// query is the query that defines a view, nil when it cannot be parsed.
func (c *Catalog) query(view *Relation) *pg.Node {
	return c.parsed.of(view, mostParsed, func() (*pg.Node, int) {
		stmts, err := parse(view.Definition)
		if err != nil || len(stmts) != 1 {
			return nil, len(view.Definition)
		}
		return stmts[0].Stmt, len(view.Definition)
	})
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
