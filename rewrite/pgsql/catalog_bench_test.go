package pgsql

import (
	"context"
	"fmt"
	"testing"

	"sqlveil/proxy/proxytest"
)

// manyTables makes tables of ten columns, in transactions that the server's lock
// table holds.
const manyTables = `DO $$BEGIN FOR i IN %d..%d LOOP
	EXECUTE format('CREATE TABLE t%%s (id int PRIMARY KEY, a text, b int, c timestamptz DEFAULT now(), d numeric(10,2), e varchar(20), f jsonb, g bool, h date, i uuid)', i);
END LOOP; END$$`

// BenchmarkCatalog measures a check and a whole reading by the number of tables.
func BenchmarkCatalog(b *testing.B) {
	ctx := context.Background()
	s := proxytest.PostgreSQL(b)
	for _, tables := range []int{0, 500, 10000} {
		database := s.Database(b, fmt.Sprintf("bench_%d", tables))
		for first := 1; first <= tables; first += 1000 {
			if err := s.Exec(ctx, database, fmt.Sprintf(manyTables, first, min(first+999, tables))); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Exec(ctx, database, "VACUUM ANALYZE"); err != nil {
			b.Fatal(err)
		}
		conn, err := s.Connect(ctx, database)
		if err != nil {
			b.Fatal(err)
		}
		ask := askOn(conn)
		b.Run(fmt.Sprintf("nothing-written/tables=%d", tables), func(b *testing.B) {
			for b.Loop() {
				if _, err := transactions(ctx, ask); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("fingerprint/tables=%d", tables), func(b *testing.B) {
			for b.Loop() {
				if _, err := Fingerprint(ctx, ask); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("load/tables=%d", tables), func(b *testing.B) {
			for b.Loop() {
				if _, err := Load(ctx, ask, database); err != nil {
					b.Fatal(err)
				}
			}
		})
		if err := conn.Close(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
