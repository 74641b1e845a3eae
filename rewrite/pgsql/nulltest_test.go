package pgsql

import (
	"context"
	"maps"
	"slices"
	"testing"
)

// TestStrictFunctions asks the server whether the functions that are taken to be
// NULL exactly where an argument is are so by their definitions.
func TestStrictFunctions(t *testing.T) {
	conn := newTestServer(t).session(t)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(keepsNulls)) {
		if !mixesNulls[name] && Judge(systemSchema, name, "").Kind == Pure {
			names = append(names, name)
		}
	}
	rows, err := conn.Query(context.Background(), `SELECT oid::regprocedure::text FROM pg_proc
		WHERE proname = ANY ($1) AND pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proisstrict`, names)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s is not strict: it belongs to mixesNulls", name)
	}
	if err := rows.Err(); err != nil || len(names) < 50 {
		t.Errorf("%d names, %v", len(names), err)
	}
}
