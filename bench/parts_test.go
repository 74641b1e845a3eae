package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sqlveil/auditlog"
	"sqlveil/config"
	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

var texts = map[string]string{
	"point":  "SELECT id, name, mobile FROM customers WHERE id = 1",
	"star":   "SELECT * FROM customers WHERE id = 1",
	"join":   "SELECT o.id, c.name, b.name, o.amount FROM orders o JOIN customers c ON c.id = o.customer_id JOIN companies b ON b.id = o.company_id WHERE o.id = 1 ORDER BY o.placed_at",
	"joins":  "SELECT o.id, c.name, b.name, c.mobile, sum(p.amount) AS total, count(v.phone) FROM orders o JOIN customers c ON c.id = o.customer_id JOIN companies b ON b.id = o.company_id LEFT JOIN orders p ON p.customer_id = c.id LEFT JOIN customer_contacts v ON v.id = c.id WHERE o.placed_at > '2026-01-01' AND b.industry IN ('a', 'b') GROUP BY o.id, c.id, c.name, b.id, b.name, c.mobile ORDER BY total DESC LIMIT 20",
	"report": "WITH recent AS (SELECT customer_id, sum(amount) AS total, count(*) AS n FROM orders WHERE placed_at > now() - interval '90 days' GROUP BY customer_id) SELECT c.id, c.name, c.mobile, r.total, rank() OVER (ORDER BY r.total DESC) FROM recent r JOIN customers c ON c.id = r.customer_id WHERE r.n > 1 LIMIT 100",
}

// scope is that of an analyst on the sample.
func scope(b *testing.B) rewrite.Scope {
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
	policy := policy(b)
	return rewrite.Scope{
		Role: policy.Role("analyst"), Policy: policy, Database: sample.Database, User: "analyst",
		SearchPath: []string{"pg_catalog", "public"}, Catalog: catalog,
	}
}

// policy is the sample's, loaded as the program loads it.
func policy(b *testing.B) *masking.Policy {
	b.Helper()
	site := proxytest.Site{Server: "127.0.0.1:5432", Catalog: "sqlveil", Policy: sample.Policy}
	path, err := site.Write(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	loaded, problems := config.Load(path)
	if loaded == nil {
		b.Fatal(problems)
	}
	return loaded.Policy
}

// BenchmarkPlan is a statement planned when nothing like it was seen before, and
// when it was.
func BenchmarkPlan(b *testing.B) {
	scope := scope(b).Seal()
	for name, text := range texts {
		planner := rewrite.NewPlanner(pgsql.Dialect{}, 1<<20)
		if plans := planner.Plan(scope, text); plans[0].Refuse != nil {
			b.Fatalf("%s: %v", name, plans[0].Refuse)
		}
		b.Run("seen/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				planner.Plan(scope, text)
			}
		})
		b.Run("new/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				planner.Plan(scope, strings.Replace(text, "SELECT ", fmt.Sprintf("SELECT 0 AS c%d, ", i), 1))
			}
		})
	}
}

// BenchmarkMask is one value masked; copy is the floor.
func BenchmarkMask(b *testing.B) {
	policy := policy(b)
	role := policy.Role("analyst")
	for column, value := range map[string]string{
		"name": "欧阳测试", "mobile": "15400000000", "email": "ann.lee@example.com", "birth_date": "1884-12-14", "budget": "3690000",
	} {
		label, ok := policy.Label(masking.Column{Database: "crm", Schema: "public", Table: "customers", Name: column})
		if !ok {
			b.Fatalf("%s has no label", column)
		}
		mask, kind := role.Mask(label), masking.Type{Kind: masking.KindText}
		switch column {
		case "birth_date":
			kind.Kind = masking.KindDate
		case "budget":
			kind = masking.Type{Kind: masking.KindInteger, Bits: 32}
		}
		text, out := []byte(value), make([]byte, 0, 64)
		b.Run(column, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, _ = masking.Apply(mask, out[:0], text, kind)
			}
		})
	}
	text, out := []byte("15400000000"), make([]byte, 0, 64)
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			out = append(out[:0], text...)
		}
	})
}

// BenchmarkAudit is the record of one statement, as its session waits for it.
func BenchmarkAudit(b *testing.B) {
	for _, durability := range []auditlog.Durability{auditlog.Spool, auditlog.Strict} {
		b.Run(string(durability), func(b *testing.B) {
			log, err := auditlog.Open(auditlog.Options{Directory: b.TempDir(), Durability: durability})
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			event := &auditlog.Event{
				Kind:      auditlog.QueryBegin,
				Session:   auditlog.Session{ID: "06H0GNM9KTST1JMTYA6TWF31VR", Listener: "crm", Protocol: "postgres", Client: "127.0.0.1:41514"},
				Who:       auditlog.Who{Login: "analyst", Role: "analyst"},
				Statement: auditlog.Statement{Command: "SELECT", Class: "READ", Fingerprint: "4685214b20b66838", Text: texts["join"]},
			}
			event.Origin = auditlog.AppendOrigin(nil, event) // as a session does when it starts
			b.ReportAllocs()
			for b.Loop() {
				if _, err := log.Append(event, durability == auditlog.Strict); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
