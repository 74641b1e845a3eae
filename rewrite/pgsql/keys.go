package pgsql

import "slices"

// A scan is one FROM item of a query that reads a table with a primary key. The
// columns of one scan stand in one row, so the key's columns decide all others.
type scan struct{ relation *Relation }

// scanOf returns the scan of a relation, nil where its key does not tell rows
// apart: the rows of inheriting tables are not under the parent's key, whereas
// those of partitions are.
func scanOf(rel *Relation) *scan {
	if len(rel.Key) == 0 || rel.Kind == 'r' && len(rel.Children) > 0 {
		return nil
	}
	return &scan{rel}
}

// inKey says whether v is a column of its scan's key.
func (v value) inKey() bool {
	columns := v.columns()
	return v.scan != nil && len(columns) == 1 && slices.Contains(v.scan.relation.Key, columns[0].Att)
}

// decided says whether the values before v hold the key of v's row: then v tells
// nothing more about it.
func (v value) decided(before []value) bool {
	if v.scan == nil || len(v.exactly()) == 0 || v.inKey() {
		return false
	}
	for _, att := range v.scan.relation.Key {
		if !slices.ContainsFunc(before, func(k value) bool { return k.scan == v.scan && k.inKey() && k.columns()[0].Att == att }) {
			return false
		}
	}
	return true
}

// useGrouping records what rows are grouped by. The server drops what a primary
// key among it decides, wherever that stands, before it groups.
//
// https://www.postgresql.org/docs/current/sql-select.html#SQL-GROUPBY
func (r *resolver) useGrouping(values []value) {
	for _, v := range values {
		if !v.decided(values) {
			r.use(v, "group by")
		}
	}
}

// useOrder records what rows are sorted by, most significant first. What a
// primary key before it decides is never compared with anything but itself.
func (r *resolver) useOrder(values []value, clause string) {
	for i, v := range values {
		if !v.decided(values[:i]) {
			r.use(v, clause)
		}
	}
}
