package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
	"sqlveil/rewrite/pgsql"
)

// texts are planned by both dialects.
var texts = map[string]string{
	"point":  "SELECT id, name, mobile FROM customers WHERE id = 1",
	"star":   "SELECT * FROM customers WHERE id = 1",
	"join":   "SELECT o.id, c.name, b.name, o.amount FROM orders o JOIN customers c ON c.id = o.customer_id JOIN companies b ON b.id = o.company_id WHERE o.id = 1 ORDER BY o.placed_at",
	"joins":  "SELECT o.id, c.name, b.name, c.mobile, sum(p.amount) AS total, count(v.phone) FROM orders o JOIN customers c ON c.id = o.customer_id JOIN companies b ON b.id = o.company_id LEFT JOIN orders p ON p.customer_id = c.id LEFT JOIN customer_contacts v ON v.id = c.id WHERE o.placed_at > '2026-01-01' AND b.industry IN ('a', 'b') GROUP BY o.id, c.id, c.name, b.id, b.name, c.mobile ORDER BY total DESC LIMIT 20",
	"report": "WITH recent AS (SELECT customer_id, sum(amount) AS total, count(*) AS n FROM orders WHERE placed_at > '2026-01-01' GROUP BY customer_id) SELECT c.id, c.name, c.mobile, r.total, rank() OVER (ORDER BY r.total DESC) FROM recent r JOIN customers c ON c.id = r.customer_id WHERE r.n > 1 LIMIT 100",
}

// postgresScope is that of an analyst on the sample.
func postgresScope(b *testing.B) rewrite.Scope {
	b.Helper()
	server := proxytest.PostgreSQL(b)
	ctx := context.Background()
	conn, err := server.Connect(ctx, server.Database(b, sample.Database))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(ctx) })
	if err := sample.Load(ctx, conn, 1, 10); err != nil {
		b.Fatal(err)
	}
	ask := func(ctx context.Context, sql string) ([][]*string, error) {
		results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil {
			return nil, err
		}
		rows := make([][]*string, len(results[0].Rows))
		for i, row := range results[0].Rows {
			for _, cell := range row {
				var text *string
				if cell != nil {
					text = new(string(cell))
				}
				rows[i] = append(rows[i], text)
			}
		}
		return rows, nil
	}
	if _, err := ask(ctx, "SELECT set_config('search_path', '', false)"); err != nil {
		b.Fatal(err)
	}
	catalog, err := pgsql.Load(ctx, ask, sample.Database)
	if err != nil {
		b.Fatal(err)
	}
	policy := policy(b, "postgres", sample.Policy)
	return rewrite.Scope{
		Role: policy.Role("analyst"), Policy: policy, Database: sample.Database, User: "analyst",
		SearchPath: []string{"pg_catalog", "public"}, Catalog: catalog,
	}
}

// mysqlScope is the same on MariaDB.
func mysqlScope(b *testing.B) rewrite.Scope {
	b.Helper()
	server := proxytest.MariaDB(b)
	ctx := context.Background()
	if err := server.Exec(ctx, "", "CREATE DATABASE "+sample.Database); err != nil {
		b.Fatal(err)
	}
	db, err := server.Open(sample.Database)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_, err := db.ExecContext(ctx, "DROP DATABASE "+sample.Database)
		if err := errors.Join(err, db.Close()); err != nil {
			b.Error(err)
		}
	})
	if err := sample.LoadMySQL(ctx, db, 1, 10); err != nil {
		b.Fatal(err)
	}
	ask := func(ctx context.Context, sql string) ([][]*string, error) { return askMySQL(ctx, db, sql) }
	catalog, err := mysql.Load(ctx, ask)
	if err != nil {
		b.Fatal(err)
	}
	mode, err := ask(ctx, mysql.ModeSQL)
	if err != nil {
		b.Fatal(err)
	}
	policy := policy(b, "mysql", sample.MySQLPolicy)
	return rewrite.Scope{
		Role: policy.Role("analyst"), Policy: policy, Database: sample.Database, User: "analyst",
		SearchPath: []string{sample.Database}, Catalog: catalog, Mode: *mode[0][1],
	}
}

// askMySQL returns rows as text.
func askMySQL(ctx context.Context, db *sql.DB, query string) (all [][]*string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, into := make([]*string, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// BenchmarkPlan is a statement planned when nothing like it was seen before, and
// when it was.
func BenchmarkPlan(b *testing.B) {
	for wire, its := range map[string]struct {
		scope   func(b *testing.B) rewrite.Scope
		dialect rewrite.Dialect
	}{"postgres": {postgresScope, pgsql.Dialect{}}, "mysql": {mysqlScope, mysql.Dialect{}}} {
		scope := its.scope(b).Seal()
		for name, text := range texts {
			b.Run(wire+"/seen/"+name, func(b *testing.B) { planSeen(b, rewrite.NewPlanner(its.dialect, 1<<20), scope, text) })
			b.Run(wire+"/new/"+name, func(b *testing.B) { planNew(b, rewrite.NewPlanner(its.dialect, 1<<20), scope, text) })
		}
	}
}

func planSeen(b *testing.B, planner *rewrite.Planner, scope rewrite.Scope, text string) {
	if plans := planner.Plan(scope, text); plans[0].Refuse != nil {
		b.Fatalf("%s: %v", text, plans[0].Refuse)
	}
	b.ReportAllocs()
	for b.Loop() {
		planner.Plan(scope, text)
	}
}

func planNew(b *testing.B, planner *rewrite.Planner, scope rewrite.Scope, text string) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if plans := planner.Plan(scope, strings.Replace(text, "SELECT ", fmt.Sprintf("SELECT 0 AS c%d, ", i), 1)); plans[0].Refuse != nil {
			b.Fatalf("%s: %v", text, plans[0].Refuse)
		}
	}
}
