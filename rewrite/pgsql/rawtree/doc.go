// Package rawtree parses PostgreSQL's SQL into pg_query's trees at a fraction of
// what pg_query's own Parse takes. Start with [Parse].
//
// Parse gets its trees from C in protocol buffers, for which each node is written
// by going through every type that a node may have. JSON, which the same library
// writes beside them, costs a fifth of that; what is left is to read it. The trees
// are the same, which the tests hold.
//
// https://pkg.go.dev/github.com/pganalyze/pg_query_go/v6
package rawtree
