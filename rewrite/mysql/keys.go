package mysql

import "slices"

// A scan is one FROM item of a query that reads a table with a primary key. The
// columns of one scan stand in one row, so the key's columns decide all others.
type scan struct{ key []*Column }

// longestKey is how many characters of a text servers surely compare in sorting.
//
// https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_sort_length
const longestKey = 64

// scanned gives the columns of a relation one scan, where its key tells rows apart:
// not those of earlier versions of a row, and of tables that are made of others.
func scanned(rel *Relation, columns []column) []column {
	if rel.Kind != BaseTable || rel.Versioned || rel.System || !harmlessEngine(rel.engine) {
		return columns
	}
	s := &scan{}
	for _, c := range rel.Columns {
		if c.key {
			s.key = append(s.key, c)
		}
		if c.key && (c.kind == typeText || c.kind == typeBytes) && (c.length == 0 || c.length > longestKey) {
			return columns
		}
	}
	if s.key == nil {
		return columns
	}
	for i := range columns {
		columns[i].value.scan = s
	}
	return columns
}

// keyColumn is the column of its scan's key that v is, nil when it is none.
func (v value) keyColumn() *Column {
	columns := v.columns()
	if v.scan == nil || len(columns) != 1 {
		return nil
	}
	for _, k := range v.scan.key {
		if &k.TableColumn == columns[0] {
			return k
		}
	}
	return nil
}

// decided says whether the values before v hold the key of v's row: then v is
// compared with nothing but itself.
func (v value) decided(before []value) bool {
	if v.scan == nil || len(v.columns()) == 0 || v.keyColumn() != nil {
		return false
	}
	for _, k := range v.scan.key {
		if !slices.ContainsFunc(before, func(b value) bool { return b.scan == v.scan && b.keyColumn() == k }) {
			return false
		}
	}
	return true
}

// useOrder records what rows are sorted or grouped by, most significant first:
// servers may return groups in that order.
func (r *resolver) useOrder(values []value, clause string) {
	for i, v := range values {
		if !v.decided(values[:i]) {
			r.use(v, clause)
		}
	}
}
