package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A growth is the cost of a query while something else grows.
type growth struct {
	name   string
	points []point
}

type point struct {
	size int
	cpu  float64 // of the proxy, microseconds a query
	p50  float64 // milliseconds
}

func (g *growth) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n| %s | CPU us a query | p50 ms |\n|---:|---:|---:|\n", g.name)
	for _, p := range g.points {
		fmt.Fprintf(b, "| %d | %.1f | %.2f |\n", p.size, p.cpu, p.p50)
	}
}

// growthSessions is how many sessions ask at the same time.
const growthSessions = 8

// measureGrowth measures what may grow besides the number of sessions.
func (r *report) measureGrowth(ctx context.Context, l *lab, o options) error {
	if !o.growth {
		return nil
	}
	for _, step := range l.engine.growths {
		g, err := step(ctx, l, o)
		if err != nil {
			return fmt.Errorf("growth: %w", err)
		}
		r.growth = append(r.growth, g)
	}
	return nil
}

// masked is the contestant with masks that waits for no disk.
func (l *lab) masked() contestant { return l.contestants[len(l.contestants)-1] }

// grow measures a work with one size: the median of some rounds.
func grow(ctx context.Context, c contestant, size, sessions int, w work, o options) (point, error) {
	t := []table{newTable(w, sessions)}
	for range o.rounds {
		if err := measureAll(ctx, c, t, o.duration); err != nil {
			return point{}, fmt.Errorf("%s %d: %w", w.name, size, err)
		}
	}
	return point{size, t[0].median(c.name, measurement.cost), t[0].median(c.name, measurement.p50)}, nil
}

func growSessions(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "sessions, prepared"}
	for _, sessions := range []int{1, 16, 128, 1000} {
		p, err := grow(ctx, l.masked(), sessions, sessions, work{name: "sessions", unit: "query", run: onPostgres(preparedQuery)}, o)
		if err != nil {
			return g, err
		}
		g.points = append(g.points, p)
	}
	return g, nil
}

// growLabels measures policies that name more and more columns.
func growLabels(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "labelled columns, simple"}
	for _, labels := range []int{10, 100, 1000, 10_000} {
		var more strings.Builder
		for i := range labels - 3 {
			fmt.Fprintf(&more, "  bench.public.table_%d.column_%d: phone\n", i/20, i%20)
		}
		text := strings.Replace(policy, "roles:\n", more.String()+"roles:\n", 1)
		p, err := l.startProxy(l.program, "spool", text)
		if err != nil {
			return g, err
		}
		c := contestant{engine: l.engine, name: "labels", address: p.Address, user: maskedUser, process: p.Process.Pid}
		measured, err := grow(ctx, c, labels, growthSessions, work{name: "labels", unit: "query", run: onPostgres(maskedSimple)}, o)
		if err != nil {
			return g, err
		}
		g.points = append(g.points, measured)
	}
	return g, nil
}

// maskedSimple is a query for masked columns whose text is new each time.
func maskedSimple(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	_, err := conn.Exec(ctx, "SELECT name, phone FROM customers WHERE id = "+string(key()[0])).ReadAll()
	return 1, err
}

// growTables measures a catalog of more and more tables.
func growTables(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "tables in the catalog, simple"}
	made := 0
	for _, tables := range []int{10, 1000, 10_000, 50_000} {
		// In pieces: each statement holds a lock on every table that it makes.
		for ; made < tables; made += min(500, tables-made) {
			if err := l.server.Exec(ctx, database, fmt.Sprintf(
				`DO $$BEGIN FOR i IN %d..%d LOOP EXECUTE format('CREATE TABLE t%%s (a int, b int, c date)', i); END LOOP; END$$`,
				made, made+min(500, tables-made)-1)); err != nil {
				return g, err
			}
		}
		p, err := l.startProxy(l.program, "spool", policy)
		if err != nil {
			return g, err
		}
		c := contestant{engine: l.engine, name: "tables", address: p.Address, user: maskedUser, process: p.Process.Pid}
		measured, err := grow(ctx, c, tables, growthSessions, work{name: "tables", unit: "query", run: onPostgres(maskedSimple)}, o)
		if err != nil {
			return g, err
		}
		g.points = append(g.points, measured)
	}
	return g, nil
}

// growTexts measures statements that are longer and longer.
func growTexts(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "bytes of the statement, simple"}
	for _, size := range []int{100, 1000, 10_000} {
		long := func(ctx context.Context, conn *pgconn.PgConn) (int, error) {
			text := "SELECT name, phone FROM customers WHERE id = " + string(key()[0]) + " AND id IN (0"
			text += strings.Repeat(",1000", max(0, size-len(text)-1)/len(",1000")) + ")"
			_, err := conn.Exec(ctx, text).ReadAll()
			return 1, err
		}
		p, err := grow(ctx, l.masked(), size, growthSessions, work{name: "length", unit: "query", run: onPostgres(long)}, o)
		if err != nil {
			return g, err
		}
		g.points = append(g.points, p)
	}
	return g, nil
}

// growMisses measures what the plan cache does not know: nothing, other literals,
// another shape.
func growMisses(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "plan cache: 0 prepared, 1 other literals, 2 another shape"}
	for i, run := range []func(context.Context, *pgconn.PgConn) (int, error){preparedQuery, simpleQuery, newShape} {
		p, err := grow(ctx, l.masked(), i, growthSessions, work{name: "misses", unit: "query", run: onPostgres(run)}, o)
		if err != nil {
			return g, err
		}
		g.points = append(g.points, p)
	}
	return g, nil
}
