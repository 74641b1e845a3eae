package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

// A growth is the cost of a query while something grows, of one contestant or of
// several beside each other.
type growth struct {
	name   string
	names  []string // of the contestants
	points []point
}

// A point is one size of what grows.
type point struct {
	label string
	size  int // 0 for what has no size
	costs []cost
}

// A cost is what a query took one contestant.
type cost struct {
	cpu float64 // of the proxy, microseconds
	p50 float64 // milliseconds
}

// A growing is what an engine's works ask while something grows.
type growing struct {
	known  work   // one row by key, prepared
	plain  string // a query of one row whose key comes behind it
	masked string // the same with masked columns
	column string // line of a policy that labels a column: its table's number and its own
	table  string // statement that makes an empty table: its number
}

// growthSessions is how many sessions ask at the same time.
const growthSessions = 8

// growths are what is made to grow, in order; tables stay, so they come last.
var growths = []func(ctx context.Context, l *lab, o options) (growth, error){growLabels, growTexts, growMisses, growTables}

// measureGrowth measures what may grow besides the number of sessions.
func (r *report) measureGrowth(ctx context.Context, l *lab, o options) error {
	if !o.growth {
		return nil
	}
	for _, step := range growths {
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

// beside are that one and the floor that it is compared with.
func (l *lab) beside() (both []contestant) {
	for _, c := range l.contestants {
		if c.name == floorName {
			both = append(both, c)
		}
	}
	return append(both, l.masked())
}

// grow measures a work with one size.
func (g *growth) grow(ctx context.Context, contestants []contestant, label string, size int, w work, o options) error {
	t := []table{newTable(w, growthSessions)}
	for range o.rounds {
		for _, c := range contestants {
			if err := measureAll(ctx, c, t, o.duration); err != nil {
				return fmt.Errorf("%s, %s: %w", g.name, label, err)
			}
		}
	}
	g.add(label, size, &t[0])
	return nil
}

// add takes the medians of a table for a point.
func (g *growth) add(label string, size int, t *table) {
	g.names = t.names
	p := point{label: label, size: size}
	for _, name := range t.names {
		p.costs = append(p.costs, cost{t.median(name, measurement.cost), t.median(name, measurement.p50)})
	}
	g.points = append(g.points, p)
}

// asking makes a work of a text for a key.
func asking(text func(key int) string) work {
	return work{unit: "query", run: func(ctx context.Context, conn client) (int, error) {
		return 1, conn.run(ctx, text(1+rand.IntN(mostKey)))
	}}
}

// by is the text of a query whose key comes last.
func by(query string) func(key int) string {
	return func(key int) string { return fmt.Sprint(query, key) }
}

// reshaped is that text with another name for its first column each time, of which
// no plan is remembered.
func reshaped(query string) func(key int) string {
	first, rest, _ := strings.Cut(query, " FROM ")
	return func(key int) string { return fmt.Sprintf("%s AS c%d FROM %s%d", first, rand.Uint64(), rest, key) }
}

// fresh starts sqlveil with a policy to grow in front of.
func (l *lab) fresh(policy string) (contestant, error) {
	p, err := l.startProxy(l.program, "spool", policy)
	if err != nil {
		return contestant{}, err
	}
	return contestant{engine: l.engine, name: l.masked().name, address: p.Address, user: maskedUser, process: p.Process.Pid}, nil
}

// growLabels measures policies that name more and more columns.
func growLabels(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "labelled columns"}
	for _, labels := range []int{10, 100, 1000, 10_000} {
		var more strings.Builder
		for i := range labels - 3 {
			fmt.Fprintf(&more, l.engine.growing.column, i/20, i%20)
		}
		c, err := l.fresh(strings.Replace(l.engine.policy, "roles:\n", more.String()+"roles:\n", 1))
		if err != nil {
			return g, err
		}
		if err := g.grow(ctx, []contestant{c}, thousands(labels), labels, asking(by(l.engine.growing.masked)), o); err != nil {
			return g, err
		}
	}
	return g, nil
}

// growTables measures a catalog of more and more tables.
func growTables(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "tables in the catalog"}
	made := 0
	for _, tables := range []int{10, 1000, 10_000, 50_000} {
		if err := l.makeTables(ctx, made, tables); err != nil {
			return g, err
		}
		made = tables
		c, err := l.fresh(l.engine.policy)
		if err != nil {
			return g, err
		}
		if err := g.grow(ctx, []contestant{c}, thousands(tables), tables, asking(by(l.engine.growing.masked)), o); err != nil {
			return g, err
		}
	}
	return g, nil
}

// makeTables makes the tables of these numbers, some at a time: PostgreSQL holds a
// lock on every table that a request makes.
func (l *lab) makeTables(ctx context.Context, from, to int) error {
	const atATime = 500
	for ; from < to; from += atATime {
		var text strings.Builder
		for i := from; i < min(to, from+atATime); i++ {
			fmt.Fprintf(&text, l.engine.growing.table, i)
		}
		if err := l.server.Exec(ctx, database, text.String()); err != nil {
			return err
		}
	}
	return nil
}

// growTexts measures statements that are longer and longer.
func growTexts(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "bytes of the statement"}
	for _, size := range []int{100, 1000, 10_000} {
		w := asking(func(key int) string {
			text := by(l.engine.growing.masked)(key) + " AND id IN (0"
			return text + strings.Repeat(",1000", max(0, size-len(text)-1)/len(",1000")) + ")"
		})
		if err := g.grow(ctx, l.beside(), thousands(size), size, w, o); err != nil {
			return g, err
		}
	}
	return g, nil
}

// growMisses measures what the plan cache knows and what it does not.
func growMisses(ctx context.Context, l *lab, o options) (growth, error) {
	g := growth{name: "what the plan cache knows"}
	for _, miss := range []struct {
		label string
		work  work
	}{
		{"all: prepared", l.engine.growing.known},
		{"all but the literals: one table", asking(by(l.engine.growing.plain))},
		{"all but the literals: five tables", asking(by(fiveTables))},
		{"nothing: one table", asking(reshaped(l.engine.growing.plain))},
		{"nothing: five tables", asking(reshaped(fiveTables))},
	} {
		if err := g.grow(ctx, l.beside(), miss.label, 0, miss.work, o); err != nil {
			return g, err
		}
	}
	return g, nil
}

// write writes the costs of the contestants beside each other.
func (g *growth) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n| %s |", g.name)
	for _, name := range g.names {
		fmt.Fprintf(b, " %s: CPU us a query | p50 ms |", name)
	}
	b.WriteString("\n|---:|" + strings.Repeat("---:|---:|", len(g.names)) + "\n")
	for _, p := range g.points {
		fmt.Fprintf(b, "| %s |", p.label)
		for _, c := range p.costs {
			fmt.Fprintf(b, " %.1f | %.2f |", c.cpu, c.p50)
		}
		b.WriteString("\n")
	}
}

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
