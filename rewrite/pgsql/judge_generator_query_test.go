package pgsql_test

import (
	"fmt"
	"strings"
)

// statement is one statement of a few dozen parts.
func (g *generator) statement() string {
	g.ctes, g.scopes, g.budget = nil, nil, 5+g.IntN(40)
	with := g.with()
	switch g.IntN(12) {
	case 0:
		return with + g.insert()
	case 1:
		return with + g.update()
	case 2:
		return with + g.delete()
	case 3:
		return with + g.merge()
	}
	return with + g.query(nil)
}

// with makes WITH queries that what follows may use.
func (g *generator) with() string {
	if !g.one(4) {
		return ""
	}
	recursive := g.one(3)
	var list []string
	for range 1 + g.IntN(3) {
		name := pick(g, "w", "v", "item", "customer", "base", `"Select"`)
		columns := g.names(1 + g.IntN(3))
		kinds := g.kinds(len(columns))
		t := genTable{name: name, row: true}
		for i, c := range columns {
			t.columns = append(t.columns, genColumn{c, kinds[i]})
		}
		body, extra := "", ""
		switch {
		case recursive && g.one(2):
			first := g.query(kinds)
			g.ctes = append(g.ctes, t)
			body = fmt.Sprintf("(%s) UNION %s(%s)", first, pick(g, "", "ALL "), g.recursiveArm(t))
			if g.one(3) {
				extra = pick(g, " SEARCH DEPTH FIRST BY "+columns[0]+" SET seq", " CYCLE "+columns[0]+" SET looped USING path",
					" SEARCH BREADTH FIRST BY "+columns[0]+" SET seq CYCLE "+columns[0]+" SET looped USING path")
			}
		case g.one(4) && len(g.scopes) == 0:
			body, columns = g.modifying(&t)
		default:
			body = g.query(kinds)
		}
		list = append(list, fmt.Sprintf("%s(%s) AS %s(%s)%s", name, strings.Join(columns, ", "), pick(g, "", "MATERIALIZED "), body, extra))
		if extra != "" && strings.Contains(extra, "CYCLE") {
			t.columns = append(t.columns, genColumn{"looped", aBool})
		}
		g.ctes = append(g.ctes, t)
	}
	if recursive {
		return "WITH RECURSIVE " + strings.Join(list, ", ") + " "
	}
	return "WITH " + strings.Join(list, ", ") + " "
}

func (g *generator) recursiveArm(t genTable) string {
	return g.inScope(func() string {
		g.add(t)
		list := []string{}
		for _, c := range t.columns {
			list = append(list, pick(g, t.name+"."+c.name, g.expr(c.kind)))
		}
		return "SELECT " + strings.Join(list, ", ") + " FROM " + t.name + " WHERE " + g.condition()
	})
}

// modifying is a data-modifying WITH query with its columns' names.
func (g *generator) modifying(t *genTable) (body string, columns []string) {
	columns = []string{"id", "name"}
	t.columns = []genColumn{{"id", aNumber}, {"name", aText}}
	return pick(g,
		"UPDATE shop.item SET name = "+g.expr(aText)+" WHERE "+g.condition()+" RETURNING id, name",
		"DELETE FROM lager.item RETURNING id, shelf",
		"INSERT INTO lager.base (id, name) SELECT id, name FROM shop.item RETURNING id, name"), columns
}

func (g *generator) names(n int) []string {
	var out []string
	for _, i := range g.Perm(len(columnNames))[:n] {
		out = append(out, columnNames[i])
	}
	return out
}

func (g *generator) kinds(n int) []kind {
	out := make([]kind, n)
	for i := range out {
		out[i] = pick(g, aNumber, aText, aText, aDate, aBool)
	}
	return out
}

// query is a SELECT, a set operation or VALUES, with columns of these kinds;
// nil means any.
func (g *generator) query(kinds []kind) string {
	free := kinds == nil
	if free {
		kinds = g.kinds(1 + g.IntN(4))
	}
	if !g.spend() {
		return g.simple(kinds)
	}
	switch g.IntN(14) {
	case 0, 1:
		op := pick(g, "UNION", "UNION ALL", "INTERSECT", "EXCEPT ALL", "EXCEPT")
		order := ""
		if g.one(3) {
			order = " ORDER BY 1"
		}
		return fmt.Sprintf("(%s) %s (%s)%s", g.query(kinds), op, g.query(kinds), order)
	case 2:
		return g.values(kinds)
	case 3:
		return g.inScope(func() string { return g.nested(kinds) })
	case 4, 5:
		return g.inScope(func() string { return g.grouped(kinds) })
	}
	return g.inScope(func() string { return g.plain(kinds, free) })
}

// simple is a query of the least cost.
func (g *generator) simple(kinds []kind) string {
	var list []string
	for _, k := range kinds {
		list = append(list, g.atom(k))
	}
	return "SELECT " + strings.Join(list, ", ")
}

func (g *generator) values(kinds []kind) string {
	var rows []string
	for range 1 + g.IntN(2) {
		var cells []string
		for _, k := range kinds {
			cells = append(cells, g.expr(k))
		}
		rows = append(rows, "("+strings.Join(cells, ", ")+")")
	}
	return "VALUES " + strings.Join(rows, ", ")
}

// nested is a query with WITH queries of its own.
func (g *generator) nested(kinds []kind) string {
	with := ""
	for with == "" {
		with = g.with()
	}
	return with + g.query(kinds)
}

// plain is a SELECT without grouping.
func (g *generator) plain(kinds []kind, free bool) string {
	items := g.from()
	named := g.one(5)
	var list, names []string
	for _, k := range kinds {
		e := g.expr(k)
		if g.one(6) {
			e = g.window(k, named)
		}
		name := ""
		if g.one(2) {
			name = pick(g, columnNames...)
			e += " AS " + name
		}
		list, names = append(list, e), append(names, name)
	}
	if free && g.one(4) {
		list = append(list, g.star())
	}
	distinct := pick(g, "", "", "", "", "DISTINCT ")
	if g.one(12) {
		distinct = "DISTINCT ON (" + pick(g, "1", g.expr(aText)) + ") "
	}
	out := "SELECT " + distinct + strings.Join(list, ", ") + items + g.where()
	if named {
		out += " WINDOW w AS (PARTITION BY " + g.expr(aText) + ")"
	}
	return out + g.orderBy(names)
}

// grouped is a SELECT with GROUP BY and aggregates.
func (g *generator) grouped(kinds []kind) string {
	items := g.from()
	var list, names, group []string
	for i, k := range kinds {
		name := pick(g, "", pick(g, columnNames...))
		var e string
		if g.one(3) || k == aRow || k == other {
			e = g.atom(k)
			group = append(group, pick(g, e, fmt.Sprint(i+1), orElse(name, e)))
		} else {
			e = g.aggregate(k)
		}
		if name != "" {
			e += " AS " + name
		}
		list, names = append(list, e), append(names, name)
	}
	out := "SELECT " + strings.Join(list, ", ") + items + g.where()
	if len(group) > 0 {
		all := strings.Join(group, ", ")
		out += " GROUP BY " + pick(g, all, all, "ROLLUP ("+all+")", "GROUPING SETS (("+all+"), ())", "CUBE ("+all+")", "DISTINCT "+all)
	}
	if g.one(3) {
		out += " HAVING " + pick(g, g.aggregate(aBool), "count(*) > 1", "max("+g.atom(aText)+") = 'x'")
	}
	return out + g.orderBy(names)
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (g *generator) where() string {
	if g.one(3) {
		return ""
	}
	return " WHERE " + g.condition()
}

func (g *generator) orderBy(names []string) string {
	out := ""
	if g.one(4) {
		i := g.IntN(len(names))
		out = " ORDER BY " + pick(g, fmt.Sprint(i+1), orElse(names[i], "1"), orElse(names[i], "1"), g.atom(aText)) + pick(g, "", " DESC NULLS LAST", " USING <")
	}
	if g.one(10) {
		out += pick(g, " LIMIT 3", " ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES", " OFFSET 1", " LIMIT (SELECT count(*) FROM item)", " FETCH FIRST 2 ROWS ONLY")
	}
	return out
}

// star is everything, or everything of one item.
func (g *generator) star() string {
	if len(g.scope()) == 0 {
		return "1"
	}
	t := pick(g, g.scope()...)
	if t.name == "" || g.one(2) {
		return "*"
	}
	if t.row && g.one(3) {
		return "(" + g.bare(t) + ").*"
	}
	return g.qualifier(t) + ".*"
}

// from is FROM with what it makes visible.
func (g *generator) from() string {
	if g.one(12) {
		return ""
	}
	var list []string
	for range pick(g, 1, 1, 1, 2, 2, 3) {
		list = append(list, g.fromItem())
	}
	return " FROM " + strings.Join(list, ", ")
}

func (g *generator) fromItem() string {
	if g.spend() && g.one(3) {
		return g.join()
	}
	switch g.IntN(14) {
	case 12:
		return g.spreadValues()
	case 13:
		return g.rowsOfType()
	case 0, 1:
		return g.subquery()
	case 2, 3:
		return g.function()
	}
	return g.table()
}

// table is a relation or a WITH query under some name.
func (g *generator) table() string {
	t := pick(g, g.relations...)
	if len(g.ctes) > 0 && g.one(2) {
		t = pick(g, g.ctes...)
	}
	sql := t.name
	switch {
	case strings.HasPrefix(t.name, "lager.") && g.one(4):
		sql = "ONLY " + sql
	case strings.HasPrefix(t.name, "shop.") && g.one(8):
		sql += " *"
	}
	if g.one(4) {
		for _, have := range g.scope() {
			if g.bare(have) == g.bare(t) {
				return g.aliased(sql, t)
			}
		}
		g.add(t)
		return sql
	}
	return g.aliased(sql, t)
}

// aliased gives an item a new name, and sometimes its columns too.
func (g *generator) aliased(sql string, t genTable) string {
	t.name = g.fresh(g.scope())
	out := sql + pick(g, " AS ", " ") + t.name
	if g.one(5) && len(t.columns) > 0 {
		names := g.names(1 + g.IntN(min(len(t.columns), 4)))
		t.columns = append([]genColumn(nil), t.columns...)
		for i, name := range names {
			t.columns[i].name = name
		}
		out += " (" + strings.Join(names, ", ") + ")"
	}
	g.add(t)
	if g.one(30) {
		out += " TABLESAMPLE system (50)"
	}
	return out
}

// spreadValues is VALUES made of all columns of an item that stands before it.
func (g *generator) spreadValues() string {
	items := g.scope()
	if len(items) == 0 || !items[0].row {
		return g.table()
	}
	t := genTable{name: g.fresh(items), row: true}
	var names []string
	for i, c := range items[0].columns {
		if i < 3 {
			names = append(names, columnNames[i])
			t.columns = append(t.columns, genColumn{columnNames[i], c.kind})
		}
	}
	out := fmt.Sprintf("LATERAL (VALUES (%s.*)) AS %s(%s)", g.bare(items[0]), t.name, strings.Join(names, ", "))
	g.add(t)
	return out
}

// rowsOfType is a function in FROM whose columns are those of a row type.
func (g *generator) rowsOfType() string {
	t := genTable{name: g.fresh(g.scope()), row: true}
	var out string
	switch g.IntN(5) {
	case 0:
		t.columns = []genColumn{{"a", aNumber}, {"b", aText}, {"c", aText}}
		out = "unnest(ARRAY(SELECT c FROM shop.customer c)) AS " + t.name + "(a, b, c)"
	case 1:
		t.columns = []genColumn{{"x", aText}, {"city", aText}, {"zip", aNumber}}
		out = "jsonb_populate_record(NULL::shop.address, " + g.expr(aJSON) + ") AS " + t.name + "(x)"
	case 2:
		t.columns = []genColumn{{"a", aNumber}, {"b", aText}, {"e", aText}}
		out = fmt.Sprintf("ROWS FROM (jsonb_to_record(%s) AS (a int, b text), unnest(%s)) AS %s(a, b, e)", g.expr(aJSON), g.expr(anArray), t.name)
	case 3:
		t.columns = []genColumn{{"id", aNumber}, {"name", aText}}
		out = "(TABLE lager.base) AS " + t.name
	default:
		t.columns = []genColumn{{"p", aText}, {"q", aNumber}}
		out = fmt.Sprintf("unnest(%s, ARRAY[%s, 2]) AS %s(p, q)", g.expr(anArray), g.expr(aNumber), t.name)
	}
	g.add(t)
	return out
}

// subquery is a query in FROM, LATERAL or not.
func (g *generator) subquery() string {
	kinds := g.kinds(1 + g.IntN(3))
	names := g.names(len(kinds))
	hidden := g.scopes[len(g.scopes)-1]
	lateral := pick(g, "", "LATERAL ")
	if lateral == "" {
		g.scopes[len(g.scopes)-1] = nil
	}
	q := g.query(kinds)
	g.scopes[len(g.scopes)-1] = hidden
	t := genTable{name: g.fresh(g.scope()), row: true}
	for i, name := range names {
		t.columns = append(t.columns, genColumn{name, kinds[i]})
	}
	g.add(t)
	return fmt.Sprintf("%s(%s) AS %s(%s)", lateral, q, t.name, strings.Join(names, ", "))
}

// function is a function in FROM.
func (g *generator) function() string {
	t := genTable{name: g.fresh(g.scope())}
	ordinality, more := "", ""
	if g.one(4) {
		ordinality, more = " WITH ORDINALITY", ", n"
	}
	var out string
	switch g.IntN(12) {
	case 0:
		t.columns = []genColumn{{"e", aText}}
		out = fmt.Sprintf("unnest(%s)%s AS %s(e%s)", g.expr(anArray), ordinality, t.name, more)
	case 1:
		t.columns, t.row = []genColumn{{"id", aNumber}, {"name", aText}}, true
		out = fmt.Sprintf("shop.pairs(%s::int)%s AS %s", g.expr(aNumber), ordinality, t.name)
	case 2:
		t.columns = []genColumn{{"low", aNumber}, {"who", aText}}
		out = fmt.Sprintf("lager.both(%s::int) %s", g.atom(aNumber), t.name)
	case 3:
		t.columns, t.row = []genColumn{{"id", aNumber}, {"name", aText}, {"mail", aText}, {"home", aRow}}, true
		out = fmt.Sprintf("of_mood('ok') AS %s", t.name)
	case 4:
		t.columns = []genColumn{{"x", aNumber}, {"y", aText}}
		out = fmt.Sprintf("jsonb_to_recordset(%s) AS %s(x int, y text)", g.expr(aJSON), t.name)
	case 5:
		t.columns = []genColumn{{"key", aText}, {"value", aText}}
		out = fmt.Sprintf("jsonb_each_text(%s) AS %s", g.expr(aJSON), t.name)
	case 6:
		t.columns = []genColumn{{t.name, aNumber}}
		out = fmt.Sprintf("generate_series(1, %s::int) %s", g.atom(aNumber), t.name)
	case 7:
		t.columns = []genColumn{{"a", aText}, {"b", aNumber}}
		out = fmt.Sprintf("ROWS FROM (unnest(%s), generate_series(1, 2))%s AS %s(a, b%s)", g.expr(anArray), ordinality, t.name, more)
	case 8:
		t.columns = []genColumn{{"v", aText}}
		out = fmt.Sprintf("xmltable('/a' PASSING xmlparse(content %s) COLUMNS v text PATH 'b' DEFAULT %s) AS %s", g.expr(aText), g.atom(aText), t.name)
	case 9:
		t.columns = []genColumn{{"pick", aText}}
		out = fmt.Sprintf("shop.pick(%s) AS %s(pick)", g.expr(aText), t.name)
	case 10:
		t.columns = []genColumn{{"z", aText}}
		out = fmt.Sprintf("%s(%s, 'x') AS %s(z)", pick(g, "coalesce", "nullif", "concat"), g.expr(aText), t.name)
	default:
		t.columns = []genColumn{{"value", aJSON}}
		out = fmt.Sprintf("jsonb_array_elements(%s) AS %s", g.expr(aJSON), t.name)
	}
	g.add(t)
	return out
}

// join is two items joined in some way.
func (g *generator) join() string {
	before := len(g.scope())
	left := g.fromItem()
	middle := len(g.scope())
	right := g.fromItem()
	kind := pick(g, "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "INNER JOIN", "LEFT OUTER JOIN")
	common := commonColumns(g.scope()[min(before, len(g.scope())):middle], g.scope()[middle:])
	out := ""
	switch {
	case len(common) > 0 && g.one(2):
		use := pick(g, common...)
		alias := pick(g, "", "", " AS "+g.fresh(g.scope()))
		out = fmt.Sprintf("(%s %s %s USING (%s)%s)", left, kind, right, use.name, alias)
		g.add(genTable{columns: []genColumn{use}}) // the merged column, by its bare name
	case g.one(8):
		return fmt.Sprintf("(%s CROSS JOIN %s)", left, right)
	case g.one(5):
		out = fmt.Sprintf("(%s NATURAL %s %s)", left, kind, right)
	default:
		out = fmt.Sprintf("(%s %s %s ON %s)", left, kind, right, g.condition())
	}
	if g.one(6) { // an alias hides what is in the join
		var all []genColumn
		for _, t := range g.scope()[before:] {
			all = append(all, t.columns...)
		}
		g.scopes[len(g.scopes)-1] = g.scope()[:before]
		t := genTable{name: g.fresh(g.scope()), columns: all}
		g.add(t)
		out += " AS " + t.name
	}
	return out
}

// commonColumns are the columns of one name and kind on both sides.
func commonColumns(left, right []genTable) []genColumn {
	var out []genColumn
	for _, a := range left {
		for _, c := range a.columns {
			for _, b := range right {
				for _, d := range b.columns {
					if c == d && c.kind != aRow && c.kind != aJSON {
						out = append(out, c)
					}
				}
			}
		}
	}
	return out
}

// writable are the tables that statements write, with columns that they set.
var writable = []genTable{
	{"shop.item", []genColumn{{"id", aNumber}, {"name", aText}, {"note", aText}, {"day", aDate}}, true},
	{"item", []genColumn{{"id", aNumber}, {"name", aText}, {"note", aText}}, true},
	{"lager.item", []genColumn{{"id", aNumber}, {"name", aText}, {"shelf", aText}, {"mail", aText}}, true},
	{"lager.child", []genColumn{{"id", aNumber}, {"name", aText}, {"phone", aText}}, true},
	{"shop.active", []genColumn{{"id", aNumber}, {"full_name", aText}, {"phone", aText}}, true},
	{"shop.customer", []genColumn{{"id", aNumber}, {"home.city", aText}, {"tags[1]", aText}, {"name", aText}}, true},
}

// target opens the scope of a statement that writes.
func (g *generator) target() (genTable, string) {
	t := pick(g, writable...)
	if g.one(3) {
		return t, t.name
	}
	alias := g.fresh(nil)
	return genTable{alias, t.columns, true}, t.name + " AS " + alias
}

func (g *generator) returning() string {
	if g.one(2) {
		return ""
	}
	return " RETURNING " + pick(g, "*", g.expr(aText), g.expr(aText)+" AS name, "+g.expr(aNumber), g.star())
}

func (g *generator) sets(t genTable) string {
	c, d := t.columns[g.IntN(len(t.columns))], t.columns[0]
	if c != d && g.one(3) {
		return fmt.Sprintf("(%s, %s) = %s", c.name, d.name, pick(g,
			fmt.Sprintf("(%s)", g.query([]kind{c.kind, d.kind})), fmt.Sprintf("ROW(%s, %s)", g.expr(c.kind), g.expr(d.kind)), fmt.Sprintf("(%s, DEFAULT)", g.expr(c.kind))))
	}
	return c.name + " = " + g.expr(c.kind)
}

func (g *generator) insert() string {
	return g.inScope(func() string {
		t, name := g.target()
		var names []string
		var kinds []kind
		for _, c := range t.columns {
			names, kinds = append(names, c.name), append(kinds, c.kind)
		}
		source := g.query(kinds)
		g.add(t)
		conflict := ""
		if g.one(3) {
			g.add(genTable{name: "excluded", columns: t.columns})
			conflict = " ON CONFLICT (id) DO UPDATE SET " + g.sets(t) + g.where()
			g.scopes[len(g.scopes)-1] = g.scope()[:1]
		}
		return "INSERT INTO " + name + " (" + strings.Join(names, ", ") + ") " + source + conflict + g.returning()
	})
}

func (g *generator) update() string {
	return g.inScope(func() string {
		t, name := g.target()
		from := ""
		if g.one(2) {
			from = g.from()
		}
		g.add(t)
		return "UPDATE " + name + " SET " + g.sets(t) + from + g.where() + g.returning()
	})
}

func (g *generator) delete() string {
	return g.inScope(func() string {
		t, name := g.target()
		using := ""
		if g.one(2) {
			using = strings.Replace(g.from(), " FROM ", " USING ", 1)
		}
		g.add(t)
		return "DELETE FROM " + name + using + g.where() + g.returning()
	})
}

func (g *generator) merge() string {
	return g.inScope(func() string {
		t, name := g.target()
		source := g.fromItem()
		g.add(t)
		on := g.condition()
		set := "UPDATE SET " + g.sets(t)
		g.scopes[len(g.scopes)-1] = g.scope()[:len(g.scope())-1]
		insert := fmt.Sprintf("INSERT (%s) VALUES (%s)", t.columns[0].name, g.expr(t.columns[0].kind))
		return fmt.Sprintf("MERGE INTO %s USING %s ON %s WHEN MATCHED AND %s THEN %s WHEN NOT MATCHED THEN %s", name, source, on, "true", set, insert)
	})
}
