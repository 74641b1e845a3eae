package pgsql_test

import (
	"testing"

	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

// TestOldServersTakeNewWordsForNames asks for what a server before 16 takes for
// a column that is protected, and a newer one for a function.
func TestOldServersTakeNewWordsForNames(t *testing.T) {
	scope := testScope(t)
	catalog := scope.Catalog.(*pgsql.Catalog)
	for version, refused := range map[int]bool{150000: true, 160000: false, 180000: false} {
		catalog.ServerVersion = version
		plan := rewrite.NewPlanner(pgsql.Dialect{}, 1).Plan(scope, "SELECT lower(system_user) FROM (SELECT mail AS system_user FROM person) x")[0]
		if (plan.Refuse != nil) != refused {
			t.Errorf("version %d: refused %v, want %v", version, plan.Refuse, refused)
		}
	}
}

// TestOldServersNameConstantsByTheirType: the queries around one find its column
// by that name.
func TestOldServersNameConstantsByTheirType(t *testing.T) {
	scope := testScope(t)
	catalog := scope.Catalog.(*pgsql.Catalog)
	for version, want := range map[int]string{140000: "bool", 150000: "?column?", 180000: "?column?"} {
		catalog.ServerVersion = version
		plan := rewrite.NewPlanner(pgsql.Dialect{}, 1).Plan(scope, "SELECT true")[0]
		if got := plan.Outputs[0].Name; got != want {
			t.Errorf("version %d: the column is named %q, want %q", version, got, want)
		}
	}
}
