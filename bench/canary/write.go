package main

import (
	"fmt"
	"strings"
)

// target is a table to write, and a column of it besides its key.
func (g *generator) target() (relation, column) {
	t := tables[g.IntN(len(tables)-1)]
	return t, t.columns[2+g.IntN(len(t.columns)-2)]
}

// assigned is an expression that fits a column.
func (g *generator) assigned(c column) string {
	kind := kindOf(c.sql)
	if kind == "json" || c.sql == "json" {
		return "(" + g.expression("json") + ")::" + c.sql
	}
	value := g.expression(kind)
	switch c.sql {
	case "int":
		return "(" + value + ")::bigint % 1000"
	case "numeric(18,2)", "float8":
		return "mod((" + value + ")::numeric, 1000)"
	case "varchar(60)":
		return "left(" + value + ", 50)"
	case "char(18)", "varchar(20)":
		return "left(" + value + ", 18)"
	case "text", "date":
		return value
	}
	return "(" + value + ")::" + c.sql
}

func (g *generator) returning(alias string) string {
	if g.one(4) {
		return ""
	}
	kinds := g.kinds(1 + g.IntN(2))
	list := []string{g.pick(alias+".*", alias+"::text", g.expression(kinds[0]))}
	for _, k := range kinds[1:] {
		list = append(list, g.expression(k))
	}
	return " RETURNING " + strings.Join(list, ", ")
}

// ofTable makes a statement in whose scope a table's row is alone.
func (g *generator) ofTable(t relation, generate func(alias string) string) []string {
	return []string{g.inScope(func() string {
		alias := g.fresh()
		g.add(item{alias, t.columns, true})
		return generate(alias)
	})}
}

func (g *generator) inserts() []string {
	t, c := g.target()
	return g.ofTable(t, func(alias string) string {
		conflict := g.pick("", "", " ON CONFLICT (id) DO NOTHING", " ON CONFLICT (id) DO UPDATE SET n = excluded.n + 1")
		if t.name == "event" || t.name == "base" || t.name == "child" {
			conflict = ""
		}
		own := g.scopes
		g.scopes = nil
		value := g.inScope(func() string { // sees the source, not the target
			s := g.from()
			return fmt.Sprintf("SELECT %d + row_number() OVER (), 'a', 1, %s%s LIMIT 4", 100+g.IntN(100), g.assigned(c), s)
		})
		g.scopes = own
		if c.name == "n" || c.name == "day" {
			return fmt.Sprintf("INSERT INTO %s AS %s (id, kind, n, day) VALUES (%d, 'a', 1, '2020-01-01')%s%s", t.name, alias, g.IntN(200), conflict, g.returning(alias))
		}
		return fmt.Sprintf("INSERT INTO %s AS %s (id, kind, n, %s) %s%s%s", t.name, alias, c.name, value, conflict, g.returning(alias))
	})
}

func (g *generator) updates() []string {
	t, c := g.target()
	return g.ofTable(t, func(alias string) string {
		from := ""
		if g.one(3) {
			from = g.from()
		}
		return fmt.Sprintf("UPDATE %s AS %s SET %s = %s%s%s%s", t.name, alias, c.name, g.assigned(c), from, g.where(), g.returning(alias))
	})
}

func (g *generator) deletes() []string {
	t, _ := g.target()
	return g.ofTable(t, func(alias string) string {
		using := ""
		if g.one(3) {
			using = strings.Replace(g.from(), " FROM ", " USING ", 1)
		}
		return fmt.Sprintf("DELETE FROM %s AS %s%s%s%s", t.name, alias, using, g.where(), g.returning(alias))
	})
}

func (g *generator) merges() []string {
	t, c := g.target()
	return g.ofTable(t, func(alias string) string {
		source := g.item(false)
		return fmt.Sprintf("MERGE INTO %s AS %s USING %s ON %s WHEN MATCHED AND %s THEN UPDATE SET %s = %s WHEN NOT MATCHED THEN DO NOTHING",
			t.name, alias, source, g.joined(g.scope()[0], g.scope()[1]), g.expression("bool"), c.name, g.assigned(c))
	})
}
