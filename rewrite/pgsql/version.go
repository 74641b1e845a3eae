package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// Versions of servers, as server_version_num has them.
const (
	version15 = 150000
	version16 = 160000
	version17 = 170000
	version18 = 180000
)

// newerThan is the version from which on the server reads an expression as the
// parser does. To one before it system_user is the name of a column, and
// json_scalar that of a function of anybody's.
//
// https://www.postgresql.org/docs/current/sql-keywords-appendix.html
func newerThan(n *pg.Node) int {
	switch e := n.Node.(type) {
	case *pg.Node_FuncCall:
		if _, name := splitName(e.FuncCall.Funcname); name == "system_user" && e.FuncCall.Funcformat == pg.CoercionForm_COERCE_SQL_SYNTAX {
			return version16
		}
	case *pg.Node_JsonObjectConstructor, *pg.Node_JsonArrayConstructor, *pg.Node_JsonArrayQueryConstructor,
		*pg.Node_JsonObjectAgg, *pg.Node_JsonArrayAgg, *pg.Node_JsonIsPredicate:
		return version16
	case *pg.Node_JsonParseExpr, *pg.Node_JsonScalarExpr, *pg.Node_JsonSerializeExpr, *pg.Node_JsonFuncExpr,
		*pg.Node_MergeSupportFunc:
		return version17
	}
	return 0
}

// withOldAndNew adds the rows before and after the change, which RETURNING may
// name from PostgreSQL 18 on unless a table has that name.
func (r *resolver) withOldAndNew(t *target, from *namespace) *namespace {
	if r.catalog.ServerVersion < version18 {
		return from
	}
	out := &namespace{tables: from.tables[:len(from.tables):len(from.tables)], parts: from.parts}
	for _, name := range []string{"old", "new"} {
		if from.table("", name) == nil {
			out.tables = append(out.tables, &table{name: name, columns: t.table.columns})
		}
	}
	return out
}
