package main

import (
	"fmt"
	"strings"
)

// A task is statements that a client sends one after the other, in a transaction
// that is rolled back.
type task struct {
	form       string // for the tally
	statements []string
	way        way
	parameter  string // of the only statement, "" for none
	text       bool   // the parameter is text: its binary form is the same
}

// forms are the kinds of task, each as often as its weight says.
var forms = []struct {
	name   string
	weight int
	make   func(*generator) []string
}{
	{"select", 40, (*generator).selects},
	{"copy", 8, (*generator).copies},
	{"cursor", 6, (*generator).cursor},
	{"prepare", 6, (*generator).prepares},
	{"insert", 5, (*generator).inserts},
	{"update", 6, (*generator).updates},
	{"delete", 4, (*generator).deletes},
	{"merge", 3, (*generator).merges},
	{"with", 8, (*generator).withs},
	{"explain", 2, (*generator).explains},
	{"table", 4, (*generator).wholeTables},
	{"failing", 6, (*generator).failing},
	{"collision", 2, (*generator).collisions},
	{"keep", 2, (*generator).keeps},
	{"system", 3, (*generator).system},
}

// task makes the next task.
func (g *generator) task() task {
	total := 0
	for _, f := range forms {
		total += f.weight
	}
	n := g.IntN(total)
	for _, f := range forms {
		if n -= f.weight; n < 0 {
			g.scopes, g.ctes, g.names, g.budget = nil, nil, 0, 3+g.IntN(25)
			return task{form: f.name, statements: f.make(g), way: ways[g.IntN(len(ways))]}
		}
	}
	panic("weights that do not add up")
}

// limited is a query with one to five columns and not too many rows.
func (g *generator) limited() string {
	return "SELECT * FROM (" + g.query(g.kinds(1+g.IntN(5))) + ") AS q LIMIT " + g.pick("5", "20", "30")
}

// top is a query as a client would write it.
func (g *generator) top() string {
	if g.one(3) {
		return g.limited()
	}
	return g.query(g.kinds(1+g.IntN(5))) + " LIMIT " + g.pick("5", "20", "30")
}

func (g *generator) selects() []string { return []string{g.top()} }

func (g *generator) copies() []string {
	if g.one(5) {
		t := tables[g.IntN(len(tables))]
		columns := ""
		if g.one(2) {
			columns = fmt.Sprintf(" (id, %s)", t.columns[3+g.IntN(len(t.columns)-3)].name)
		}
		return []string{"COPY " + t.name + columns + " TO STDOUT" + g.copyOptions()}
	}
	return []string{"COPY (" + g.top() + ") TO STDOUT" + g.copyOptions()}
}

func (g *generator) copyOptions() string {
	return g.pick("", "", " (FORMAT csv)", " (FORMAT csv, HEADER, FORCE_QUOTE *)", " (FORMAT binary)", " (FORMAT binary)", " (DELIMITER '~', NULL 'nil')")
}

func (g *generator) cursor() []string {
	return []string{
		"DECLARE c " + g.pick("", "BINARY ") + "SCROLL CURSOR FOR " + g.top(),
		g.pick("FETCH 3 FROM c", "FETCH ALL FROM c", "FETCH LAST FROM c"),
		g.pick("FETCH BACKWARD ALL FROM c", "FETCH PRIOR FROM c", "MOVE 2 IN c"),
	}
}

func (g *generator) prepares() []string {
	return []string{"PREPARE p (int) AS " + g.top(), "EXECUTE p (1)", "DEALLOCATE p"}
}

// withs are queries with WITH, some recursive, some that write.
func (g *generator) withs() []string {
	var list []string
	for i := range 1 + g.IntN(2) {
		name := fmt.Sprintf("w%d", i)
		kinds := g.kinds(1 + g.IntN(3))
		body := ""
		switch g.IntN(6) {
		case 0:
			kinds = []string{"int", "text"}
			body = fmt.Sprintf("SELECT 1 AS c1, %s AS c2 FROM person UNION ALL SELECT c1 + 1, c2 || 'x' FROM %s WHERE c1 < 3", g.pick("name", "mail", "note", "kind"), name)
		case 1:
			kinds = []string{"text", "int"}
			body = g.pick("UPDATE person SET n = n + 1 WHERE id < 5 RETURNING name AS c1, n AS c2", "DELETE FROM event RETURNING what AS c1, size AS c2",
				"INSERT INTO event SELECT id + 100, kind, n, day, note, n FROM person RETURNING what AS c1, size AS c2")
		default:
			body = g.query(kinds) + " LIMIT 12"
		}
		list = append(list, name+" AS "+g.pick("", "MATERIALIZED ")+"("+body+")")
		g.ctes = append(g.ctes, relation{name: name, columns: numbered(kinds)})
	}
	main := g.inScope(func() string {
		from := " FROM " + g.table(g.ctes[len(g.ctes)-1], "m")
		if g.one(2) {
			return "SELECT m.*" + from
		}
		return "SELECT " + g.row() + ", " + g.expression("text") + from
	})
	return []string{"WITH RECURSIVE " + strings.Join(list, ", ") + " " + main + " LIMIT 30"}
}

func (g *generator) explains() []string {
	return []string{"EXPLAIN " + g.pick("", "(VERBOSE, FORMAT json) ", "(COSTS off) ") + g.top()}
}

func (g *generator) wholeTables() []string {
	t := tables[g.IntN(len(tables))].name
	if g.one(3) {
		t = g.pick("people", "accounts", "everything", "latest", "kept", "event_1", "ONLY base", "persons_of('b')", "pairs_of(1)")
	}
	return []string{g.pick("SELECT * FROM "+t, "SELECT x FROM "+t+" AS x", "SELECT x.*, x::text FROM "+t+" AS x", "SELECT to_json(x) FROM "+t+" AS x", "SELECT DISTINCT x.kind, x.id FROM "+t+" AS x")}
}

// failing evaluate what fails with most values.
func (g *generator) failing() []string {
	text := g.inScope(func() string {
		from := g.from()
		expression := g.expand(g.pick(productions["fails"]...))
		if g.one(3) {
			return "SELECT 1" + from + " WHERE (" + expression + ") IS NOT NULL LIMIT 9"
		}
		return "SELECT " + expression + from + " LIMIT 9"
	})
	return []string{text}
}

// collisions run into constraints and triggers, which speak of the row.
func (g *generator) collisions() []string {
	return []string{g.pick(
		"UPDATE person SET id = 1 WHERE id = 2",
		"UPDATE person SET name = (SELECT name FROM person WHERE id = 3) WHERE id = 4",
		"UPDATE person SET mail = 'x' WHERE id < 4",
		"INSERT INTO person (id, kind, name, mail) SELECT id + 100, kind, name, mail FROM person",
		"INSERT INTO person SELECT * FROM person",
		"INSERT INTO event SELECT id + 5000, kind, n, day, what, size FROM event",
		"UPDATE person SET handle = 'x' WHERE id = 1",
		"UPDATE ledger SET score = score * 10",
		"UPDATE person SET n = 1 RETURNING name, n",
	)}
}

// keeps try to carry values to where they are read in clear.
func (g *generator) keeps() []string {
	query := g.top()
	return []string{g.pick("CREATE TEMP TABLE k AS ", "CREATE TEMP VIEW k AS ", "CREATE TABLE k AS ", "CREATE MATERIALIZED VIEW k AS ") + query, "SELECT * FROM k"}
}

// system look where the server itself keeps values.
func (g *generator) system() []string {
	return []string{g.pick(
		"SELECT * FROM pg_stats WHERE schemaname = 'public'",
		"SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats",
		"SELECT * FROM pg_stats_ext",
		"SELECT stavalues1::text, stavalues2::text FROM pg_statistic",
		"SELECT query FROM pg_stat_activity",
		"SELECT * FROM pg_prepared_statements",
		"SELECT query_to_xml('SELECT * FROM person', true, false, '')",
		"SELECT table_to_xml('person', true, false, '')",
		"SELECT * FROM ts_stat('SELECT words FROM person')",
		"SELECT pg_get_viewdef('people'::regclass)",
		"SELECT relname, attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE relname IN ('person', 'vault')",
		"SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'",
		"SELECT lo_from_bytea(0, photo) FROM parcel",
		"SELECT set_config('x.y', name, false) FROM person; SELECT current_setting('x.y', true)",
		"DO $$ DECLARE n text; BEGIN SELECT name INTO n FROM person LIMIT 1; RAISE NOTICE '%', n; END $$",
		"SELECT pg_notify('c', name) FROM person",
		"SHOW ALL",
		"VALUES ((SELECT name FROM person LIMIT 1))",
		"TABLE person",
	)}
}
