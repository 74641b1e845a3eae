package mysql_test

import (
	"context"
	"database/sql"
	"testing"

	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

// BenchmarkAnalyse is what planning a text costs that was not seen before.
func BenchmarkAnalyse(b *testing.B) {
	scope := benchScope(b)
	for _, c := range []struct{ name, sql string }{
		{"point", "SELECT id, name, mail FROM person WHERE id = 4711"},
		{"join", "SELECT p.id, p.name, t.title, count(v.id) AS n FROM person p JOIN team t ON t.id = p.team LEFT JOIN visit v ON v.person = p.id WHERE t.title = 'North' GROUP BY p.id, p.name, t.title ORDER BY n DESC LIMIT 10"},
		{"view", "SELECT who FROM v_nested WHERE team = 3"},
		{"insert", "INSERT INTO visit (person, at, phone, remark) VALUES (1, now(), '1', 'x')"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mysql.Dialect{}.Analyse(scope, c.sql)
			}
		})
		b.Run(c.name+"/planned", func(b *testing.B) {
			planner := rewrite.NewPlanner(mysql.Dialect{}, 1<<20)
			planner.Plan(scope, c.sql)
			b.ReportAllocs()
			for b.Loop() {
				planner.Plan(scope, c.sql)
			}
		})
		b.Run(c.name+"/shape", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mysql.Dialect{}.AppendShape(nil, scope, c.sql)
			}
		})
	}
}

func benchScope(b *testing.B) rewrite.Scope {
	b.Helper()
	db, err := proxytest.MariaDB(b).Open("")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	runSchema(b, db)
	catalog, err := mysql.Load(context.Background(), askOf(db))
	if err != nil {
		b.Fatal(err)
	}
	policy := testPolicy(b, "")
	return rewrite.Scope{Mode: "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION|utf8mb4|10.11.6-MariaDB", Role: policy.Role("clerk"), Policy: policy, Database: "firm", User: "clerk", SearchPath: []string{"firm"}, Catalog: catalog}
}

func runSchema(b *testing.B, db *sql.DB) {
	b.Helper()
	loadSchema.Do(func() { runFile(b, db, testdata+"/schema.sql") })
}
