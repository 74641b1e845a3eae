package main

import (
	_ "embed"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

//go:embed grammar.txt
var grammarText string

// productions are the expressions of each type; those under "text!" are
// aggregates, under "text+" window functions.
var productions = parseGrammar(grammarText)

func parseGrammar(text string) map[string][]string {
	out := make(map[string][]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		kind, expression, _ := strings.Cut(line, " ")
		out[kind] = append(out[kind], expression)
	}
	return out
}

// kindOf is what the grammar calls a column's type.
func kindOf(sql string) string {
	switch sql {
	case "varchar(60)", "char(18)", "varchar(20)", "varchar", "handle":
		return "text"
	case "bigint":
		return "int"
	case "numeric", "numeric(18,2)", "float8":
		return "num"
	case "timestamp", "timestamptz":
		return "ts"
	case "cidr":
		return "inet"
	case "macaddr":
		return "mac"
	case "jsonb", "json":
		return "json"
	case "text[]":
		return "texts"
	case "int[]":
		return "ints"
	case "int8range":
		return "range"
	case "tsvector":
		return "vector"
	}
	return sql
}

// casts make of a column what its kind means elsewhere.
var casts = map[string]string{"json": "::jsonb", "int[]": "::bigint[]", "cidr": "::inet"}

// The kinds that stand for any, that compare with each other, and that queries
// have as columns.
var (
	anyKinds    = []string{"text", "text", "int", "num", "date", "ts", "time", "interval", "uuid", "inet", "mac", "bytea", "json", "texts", "ints", "range", "address", "vector", "bool"}
	sortable    = []string{"text", "int", "num", "date", "ts", "uuid", "texts"}
	resultKinds = []string{"text", "text", "text", "int", "num", "date", "ts", "time", "interval", "uuid", "inet", "mac", "bytea", "json", "json", "texts", "ints", "range", "address", "xml", "vector", "bool"}
)

// An item is something in FROM.
type item struct {
	alias   string
	columns []column
	row     bool // its alias stands for a row
}

// A generator makes statements from a seed.
type generator struct {
	*rand.Rand
	scopes [][]item // FROM of each query around this place, innermost last
	ctes   []relation
	budget int // how many more parts the statement may have
	names  int
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 1))} }

// one is true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

// expression is an expression of a kind.
func (g *generator) expression(kind string) string {
	g.budget--
	if g.budget < 0 || g.one(3) {
		return g.atom(kind)
	}
	list := productions[kind]
	if len(list) == 0 {
		return g.atom(kind)
	}
	return g.expand(g.pick(list...))
}

// constants are productions without parts.
func constants(kind string) []string {
	return slices.DeleteFunc(slices.Clone(productions[kind]), part.MatchString)
}

// atom is a column, or a constant.
func (g *generator) atom(kind string) string {
	if !g.one(8) {
		if c := g.reference(kind); c != "" {
			return c
		}
		if list := productions[kind]; len(list) > 0 && g.budget > 0 {
			return g.expand(g.pick(list...))
		}
	}
	if list := constants(kind); len(list) > 0 {
		return g.pick(list...)
	}
	return "NULL"
}

// reference is a column of that kind, "" when there is none in sight.
func (g *generator) reference(kind string) string {
	for at := len(g.scopes) - 1; at >= 0; at-- {
		if at > 0 && g.one(6) { // an outer query's
			continue
		}
		if found := columnsOf(g.scopes[at], kind); len(found) > 0 {
			return g.pick(found...)
		}
	}
	return ""
}

// columnsOf are the columns of a kind; protected ones are there twice.
func columnsOf(items []item, kind string) []string {
	var found []string
	for _, it := range items {
		for _, c := range it.columns {
			if kindOf(c.sql) != kind {
				continue
			}
			found = append(found, it.alias+"."+c.name+casts[c.sql])
			if c.class != "" {
				found = append(found, found[len(found)-1])
			}
		}
	}
	return found
}

// plainColumn is any column, of whatever type.
func (g *generator) plainColumn() string {
	var found []string
	for _, it := range g.scope() {
		for _, c := range it.columns {
			found = append(found, it.alias+"."+c.name)
		}
	}
	if len(found) == 0 {
		return "NULL"
	}
	return g.pick(found...)
}

// row is the name of an item's row, or a row.
func (g *generator) row() string {
	var found []string
	for _, it := range g.scope() {
		if it.row {
			found = append(found, it.alias)
		}
	}
	if len(found) == 0 {
		return "ROW(" + g.atom("text") + ", 1)"
	}
	return g.pick(found...)
}

func (g *generator) scope() []item {
	if len(g.scopes) == 0 {
		return nil
	}
	return g.scopes[len(g.scopes)-1]
}

var part = regexp.MustCompile(`\{([a-z0-9:]+)\}`)

// expand puts expressions in the places of a production.
func (g *generator) expand(production string) string {
	return part.ReplaceAllStringFunc(production, func(place string) string {
		place = strings.Trim(place, "{}")
		if kind, ok := strings.CutPrefix(place, "one:"); ok {
			return "(" + g.query([]string{kind}) + " LIMIT 1)"
		}
		if kind, ok := strings.CutPrefix(place, "many:"); ok {
			return "(" + g.query([]string{kind}) + ")"
		}
		switch {
		case place == "row":
			return g.row()
		case place == "window":
			return g.window()
		case place != "any":
			return g.expression(place)
		case g.one(4):
			return g.plainColumn()
		}
		return g.expression(g.pick(anyKinds...))
	})
}

// window is what stands behind OVER.
func (g *generator) window() string {
	out := ""
	if g.one(2) {
		out = "PARTITION BY " + g.expression(g.pick(sortable...))
	}
	if !g.one(4) {
		out += " ORDER BY " + g.expression(g.pick(sortable...)) + g.pick("", " DESC", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", " ROWS UNBOUNDED PRECEDING")
	}
	return out
}
