package main

import (
	"fmt"
	"strings"
)

// query is a query with columns of these kinds, named c1, c2, ...
func (g *generator) query(kinds []string) string {
	if g.budget < 0 {
		return g.inScope(func() string { return g.selection(kinds) })
	}
	switch g.IntN(12) {
	case 0:
		op := g.pick("UNION ALL", "UNION ALL", "EXCEPT ALL", "INTERSECT ALL", "UNION")
		if comparable := hasNone(kinds, "xml", "address"); !comparable {
			op = "UNION ALL"
		}
		return fmt.Sprintf("(%s LIMIT 9) %s (%s LIMIT 9)", g.query(kinds), op, g.query(kinds))
	case 1, 2:
		return g.inScope(func() string { return g.grouped(kinds) })
	case 3:
		return g.inScope(func() string { return "SELECT * FROM (" + g.query(kinds) + ") AS " + g.fresh() })
	}
	return g.inScope(func() string { return g.selection(kinds) })
}

func hasNone(kinds []string, unwanted ...string) bool {
	for _, k := range kinds {
		for _, u := range unwanted {
			if k == u {
				return false
			}
		}
	}
	return true
}

// kinds are n kinds for the columns of a query.
func (g *generator) kinds(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = g.pick(resultKinds...)
	}
	return out
}

// inScope runs generate in a query of its own.
func (g *generator) inScope(generate func() string) string {
	g.scopes = append(g.scopes, nil)
	defer func() { g.scopes = g.scopes[:len(g.scopes)-1] }()
	return generate()
}

func (g *generator) fresh() string {
	g.names++
	return fmt.Sprintf("t%d", g.names)
}

func (g *generator) add(it item) { g.scopes[len(g.scopes)-1] = append(g.scope(), it) }

// selection is a plain SELECT.
func (g *generator) selection(kinds []string) string {
	from := g.from()
	var list []string
	for i, k := range kinds {
		list = append(list, fmt.Sprintf("%s AS c%d", g.output(k), i+1))
	}
	distinct := ""
	if g.one(10) && hasNone(kinds, "xml", "address") {
		distinct = "DISTINCT "
	}
	order := ""
	if key := g.reference(g.pick(sortable...)); key != "" && g.one(4) && distinct == "" {
		order = " ORDER BY " + g.pick(key, "("+key+")::text", "("+key+", 1)") + g.pick("", " DESC", " NULLS FIRST")
	}
	return "SELECT " + distinct + strings.Join(list, ", ") + from + g.where() + order
}

// output is an expression of a result column, sometimes a window function.
func (g *generator) output(kind string) string {
	if list := productions[kind+"+"]; len(list) > 0 && g.one(6) {
		return g.expand(g.pick(list...))
	}
	return g.expression(kind)
}

// grouped is a SELECT with aggregates.
func (g *generator) grouped(kinds []string) string {
	from, where := g.from(), g.where()
	group := g.reference(g.pick("text", "int", "date"))
	var list []string
	for i, k := range kinds {
		expression := "NULL"
		if aggregates := productions[k+"!"]; len(aggregates) > 0 {
			expression = g.expand(g.pick(aggregates...))
			if g.one(4) && !strings.Contains(expression, "]") && !strings.Contains(expression, "::") && strings.HasSuffix(expression, ")") {
				expression += " FILTER (WHERE " + g.expression("bool") + ")"
			}
		} else if constant := constants(k); len(constant) > 0 {
			expression = g.pick(constant...)
		}
		list = append(list, fmt.Sprintf("%s AS c%d", expression, i+1))
	}
	tail := ""
	if group != "" {
		tail = " GROUP BY " + g.pick(group, group, "ROLLUP ("+group+")")
	}
	if g.one(4) {
		tail += " HAVING " + g.pick("count(*) > 0", "max("+g.atom("text")+") IS NOT NULL")
	}
	return "SELECT " + strings.Join(list, ", ") + from + where + tail
}

func (g *generator) where() string {
	if !g.one(3) {
		return ""
	}
	return " WHERE " + g.expression("bool")
}

// from is FROM with one to three items.
func (g *generator) from() string {
	out := " FROM " + g.item(false)
	for range 2 {
		if !g.one(4) || g.budget < 0 {
			break
		}
		left := g.scope()
		a := left[g.IntN(len(left))]
		switch g.IntN(4) {
		case 0:
			out += " CROSS JOIN " + g.item(true)
		default:
			kind := g.pick(" JOIN ", " LEFT JOIN ")
			right := g.item(kind == " JOIN ")
			out += kind + right + " ON " + g.joined(a, g.scope()[len(g.scope())-1])
		}
	}
	return out
}

// joined is the condition of a join.
func (g *generator) joined(a, b item) string {
	if len(a.columns) > 0 && len(b.columns) > 0 && a.columns[0].name == "id" && b.columns[0].name == "id" && !g.one(4) {
		return a.alias + ".id = " + b.alias + ".id"
	}
	return g.expression("bool")
}

// item is something to select from; lateral says that it may speak of its siblings.
func (g *generator) item(lateral bool) string {
	alias := g.fresh()
	switch n := g.IntN(16); {
	case n == 0 && g.budget > 0:
		return g.derived(alias, false)
	case n == 1 && g.budget > 0 && lateral:
		return g.derived(alias, true)
	case n == 2 && lateral:
		return g.function(alias)
	case n == 3 && len(g.ctes) > 0:
		return g.table(g.ctes[g.IntN(len(g.ctes))], alias)
	case n < 6:
		return g.table(views[g.IntN(len(views))], alias)
	}
	return g.table(tables[min(g.IntN(len(tables)), g.IntN(len(tables)))], alias)
}

func (g *generator) table(t relation, alias string) string {
	g.add(item{alias, t.columns, true})
	return t.name + " AS " + alias
}

// derived is a query in FROM.
func (g *generator) derived(alias string, lateral bool) string {
	kinds := g.kinds(1 + g.IntN(3))
	siblings := g.scopes[len(g.scopes)-1]
	if !lateral {
		g.scopes[len(g.scopes)-1] = nil
	}
	text := "(" + g.query(kinds) + " LIMIT 12) AS " + alias
	g.scopes[len(g.scopes)-1] = siblings
	g.add(item{alias, numbered(kinds), true})
	if lateral {
		return "LATERAL " + text
	}
	return text
}

// numbered are columns named c1, c2, ...
func numbered(kinds []string) []column {
	var out []column
	for i, k := range kinds {
		out = append(out, column{name: fmt.Sprintf("c%d", i+1), sql: sqlOf(k)})
	}
	return out
}

// sqlOf is a type of a kind.
func sqlOf(kind string) string {
	switch kind {
	case "json":
		return "jsonb"
	case "texts":
		return "text[]"
	case "ints":
		return "bigint[]"
	}
	return kind
}

// sources are functions in FROM, with the columns that they give.
var sources = []struct{ call, columns string }{
	{"unnest({texts}) AS ?(x)", "x:text"},
	{"unnest({ints}) WITH ORDINALITY AS ?(x, y)", "x:int y:int"},
	{"jsonb_each_text(jsonb_build_object('k', {any})) AS ?(key, value)", "key:text value:text"},
	{"jsonb_path_query({json}, '$.mails[*]') AS ?(x)", "x:json"},
	{"jsonb_to_record(jsonb_build_object('phone', {text})) AS ?(phone text, pay numeric)", "phone:text pay:num"},
	{"regexp_split_to_table({text}, '') AS ?(x)", "x:text"},
	{"regexp_matches({text}, '(.)', 'g') AS ?(x)", "x:texts"},
	{"string_to_table({text}, '8') AS ?(x)", "x:text"},
	{"generate_series(1, 3) AS ?(x)", "x:int"},
	{"(VALUES ({text}, {int}), ({text}, 2)) AS ?(x, y)", "x:text y:int"},
	{"ROWS FROM (unnest({texts}), generate_series(1, 2)) AS ?(x, y)", "x:text y:int"},
	{"xmltable('/who' PASSING {xml} COLUMNS x text PATH '.') AS ?(x)", "x:text"},
	{"unnest({vector}) AS ?(x, y, z)", "x:text"},
}

func (g *generator) function(alias string) string {
	s := sources[g.IntN(len(sources))]
	call := "LATERAL " + g.expand(s.call)
	g.add(item{alias, relationsOf(0, alias+" "+s.columns)[0].columns, false})
	return strings.Replace(call, " AS ?(", " AS "+alias+"(", 1)
}
