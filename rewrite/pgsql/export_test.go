package pgsql

import "sqlveil/rewrite"

// ResultTypes are the types that the resolver takes a query's result columns
// to be of, "" where it does not know; nil when text is no single statement.
func ResultTypes(scope rewrite.Scope, text string) []string {
	stmts, err := parse(text)
	if err != nil || len(stmts) != 1 {
		return nil
	}
	r := &resolver{catalog: scope.Catalog.(*Catalog), scope: &scope, path: scope.SearchPath, session: scope.SearchPath, st: &rewrite.Statement{}}
	var types []string
	for _, c := range r.query(stmts[0].Stmt, nil) {
		types = append(types, c.value.typ)
	}
	return types
}
