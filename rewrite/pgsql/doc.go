// Package pgsql resolves PostgreSQL's SQL: [Dialect] turns a text into statements
// whose result columns, conditions and writes are traced to the columns of base
// tables, with a [Catalog] of what the names in it mean. Start with [Dialect.Analyse]
// and [Catalogs].
//
// The grammar is PostgreSQL's own (pg_query); what it means is worked out here,
// the way the server's parse analysis does it: names.go, from.go and query.go say
// what a name stands for, expr.go, call.go and cond.go what an expression is made
// of, write.go, kinds.go and ddl.go what statements other than queries do. What
// the server's own functions, operators and casts do with an argument is judged
// one by one in functions.txt, operators.txt and casts.go.
//
// The package applies no policy and talks to no client. A Catalog is immutable
// and shared; Catalogs keeps one for each database and checks that it is current.
//
// https://www.postgresql.org/docs/current/sql.html
package pgsql
