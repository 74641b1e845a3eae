package mysql_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

// judgedStatements is how many generated statements the server judges.
const judgedStatements = 1500

// TestServerJudges runs generated queries on a server and compares what it says
// of each result with the plan: the number and names of the columns, whether
// names exist, the origin of plain ones, and that no value of a protected column
// is in a column that the plan releases.
func TestServerJudges(t *testing.T) {
	scope := testScope(t)
	open := scope // a policy under which hardly anything is refused
	open.Policy = testPolicy(t, "raw")
	open.Role = open.Policy.Role("clerk")
	client := dial(t, "firm")
	catalog := scope.Catalog.(*mysql.Catalog)
	g := &generator{r: rand.New(rand.NewPCG(7, 7))}
	ran, failed, released := 0, 0, 0
	for range judgedStatements {
		query := g.query(0)
		columns, rows, err := client.ask(t, query)
		var answer *serverError
		if err != nil && !errors.As(err, &answer) {
			t.Fatalf("%s: %v", query, err)
		}
		plan := rewrite.NewPlanner(mysql.Dialect{}, 1).Plan(scope, query)
		if len(plan) != 1 {
			t.Fatalf("%s: %d plans", query, len(plan))
		}
		if answer != nil {
			failed++
			judgeError(t, query, plan[0], answer)
			continue
		}
		ran++
		judgeResult(t, catalog, query, plan[0], columns)
		if judgeRows(t, query, rewrite.NewPlanner(mysql.Dialect{}, 1).Plan(open, query)[0], rows) {
			released++
		}
	}
	if ran < judgedStatements/2 {
		t.Errorf("only %d of %d statements ran on the server", ran, judgedStatements)
	}
	t.Logf("%d ran, %d of them with rows and not refused; %d failed on the server", ran, released, failed)
}

// judgeError compares a refusal for names that do not exist.
func judgeError(t *testing.T, query string, plan *rewrite.Plan, answer *serverError) {
	t.Helper()
	if strings.HasPrefix(answer.state, "42S") && answer.state != "42S21" && plan.Refuse == nil {
		t.Errorf("%s:\nserver: %v\nplan: not refused", query, answer)
	}
}

func judgeResult(t *testing.T, catalog *mysql.Catalog, query string, plan *rewrite.Plan, columns []originColumn) {
	t.Helper()
	if plan.Refuse != nil && (plan.Refuse.Code == rewrite.CodeUnknownName || plan.Refuse.Code == rewrite.CodeSyntax) {
		t.Errorf("%s:\nserver: ran\nplan: %v", query, plan.Refuse)
		return
	}
	if len(plan.Outputs) != len(columns) {
		if plan.Refuse == nil {
			t.Errorf("%s:\nserver: %d columns\nplan: %d", query, len(columns), len(plan.Outputs))
		}
		return
	}
	for i, c := range columns {
		o := plan.Outputs[i]
		if !strings.EqualFold(o.Name, c.name) {
			t.Errorf("%s:\ncolumn %d\nserver: %q\nplan:   %q", query, i, c.name, o.Name)
		}
		rel, att, ok := catalog.Origin(c.schema, c.orgTable, c.orgName)
		if !ok {
			continue
		}
		if !hasSource(o, rel, att) {
			t.Errorf("%s:\ncolumn %d\nserver: from %s.%s.%s\nplan: from %v", query, i, c.schema, c.orgTable, c.orgName, sourceNames(o))
		}
	}
}

// canaries are what the protected columns of testdata hold, and what that looks
// like in hexadecimal and backwards.
var canaries = []string{"canary", "63616e617279", "yranac", "77177", "1977"}

// judgeRows looks for canaries where the plan releases a column; it returns
// whether there was anything to look at.
func judgeRows(t *testing.T, query string, plan *rewrite.Plan, rows [][]string) bool {
	t.Helper()
	if plan.Refuse != nil {
		return false
	}
	for _, row := range rows {
		for i, cell := range row {
			if plan.Outputs[i].Mask != nil {
				continue
			}
			for _, canary := range canaries {
				if strings.Contains(strings.ToLower(cell), canary) {
					t.Errorf("%s:\ncolumn %d releases %q", query, i, cell)
				}
			}
		}
	}
	return len(rows) > 0
}

func hasSource(o rewrite.Output, rel uint32, att int16) bool {
	for _, s := range o.Sources {
		if s.Rel == rel && s.Att == att {
			return true
		}
	}
	return false
}

func sourceNames(o rewrite.Output) []string {
	var names []string
	for _, s := range o.Sources {
		names = append(names, s.Name.String())
	}
	return names
}

// A generator makes queries over the tables of testdata.
type generator struct {
	r      *rand.Rand
	tables []genTable // in scope
	n      int
}

type genTable struct {
	alias   string
	columns []string
}

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *generator) name(prefix string) string {
	g.n++
	return fmt.Sprintf("%s%d", prefix, g.n)
}

var genTables = []genTable{
	{"person", []string{"id", "name", "mail", "mobile", "card", "pay", "grade", "born", "doc", "team", "note", "mail_key"}},
	{"team", []string{"id", "title", "mobile", "budget"}},
	{"visit", []string{"id", "person", "at", "phone", "remark", "tags"}},
	{"archive.person", []string{"id", "name", "note"}},
	{"v_person", []string{"id", "full_name", "mail", "mobile", "team"}},
	{"v_nested", []string{"who", "team"}},
	{"v_team", []string{"id", "title", "heads", "names"}},
}

// query makes one SELECT; depth is that of subqueries.
func (g *generator) query(depth int) string {
	outer := g.tables
	defer func() { g.tables = outer }()
	with := ""
	if depth == 0 && g.chance(20) {
		with = g.with()
	}
	q := g.selectStatement(depth)
	if g.chance(12) && depth < 2 {
		g.tables = outer
		q = "(" + q + ") " + g.pick("UNION ALL", "UNION", "UNION ALL", "EXCEPT", "INTERSECT") + " (" + g.selectStatement(depth) + ")"
	}
	return with + q
}

func (g *generator) with() string {
	name := g.name("w")
	inner, columns := g.derived(1)
	g.tables = append([]genTable{}, genTable{"=" + name, columns})
	return "WITH " + name + " AS (" + inner + ") "
}

// derived makes a query whose columns have names.
func (g *generator) derived(depth int) (query string, columns []string) {
	outer := g.tables
	g.tables = nil
	defer func() { g.tables = outer }()
	from := g.from(depth + 1)
	var items []string
	for range 1 + g.r.IntN(3) {
		c := g.name("c")
		items = append(items, g.expr(depth+1)+" AS "+c)
		columns = append(columns, c)
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM " + from, columns
}

func (g *generator) selectStatement(depth int) string {
	var b strings.Builder
	var named []genTable
	for _, t := range g.tables { // WITH queries
		if strings.HasPrefix(t.alias, "=") {
			named = append(named, t)
		}
	}
	from := g.from(depth)
	if len(named) > 0 && g.chance(70) {
		t := named[g.r.IntN(len(named))]
		alias := g.name("x")
		from += ", " + t.alias[1:] + " AS " + alias
		g.tables = append(g.tables, genTable{alias, t.columns})
	}
	b.WriteString("SELECT ")
	if g.chance(8) {
		b.WriteString("DISTINCT ")
	}
	b.WriteString(g.list(depth))
	b.WriteString(" FROM " + from)
	if g.chance(40) {
		b.WriteString(" WHERE " + g.condition(depth))
	}
	if g.chance(10) {
		b.WriteString(" GROUP BY " + g.pick("1", g.column()))
	}
	if g.chance(20) {
		b.WriteString(" ORDER BY " + g.pick("1", g.column(), g.expr(depth+1)))
	}
	if g.chance(40) {
		b.WriteString(" LIMIT 3")
	}
	return b.String()
}

func (g *generator) list(depth int) string {
	if g.chance(12) {
		return "*"
	}
	var items []string
	for range 1 + g.r.IntN(4) {
		switch {
		case g.chance(8):
			items = append(items, g.tables[g.r.IntN(len(g.tables))].qualifier()+".*")
		case g.chance(30):
			items = append(items, g.expr(depth)+g.pick(" AS ", " ")+g.name("a"))
		default:
			items = append(items, g.expr(depth))
		}
	}
	return strings.Join(items, g.pick(", ", " , ", ",\n", " /* c */ , "))
}

func (t genTable) qualifier() string { return strings.TrimPrefix(t.alias, "=") }

func (g *generator) from(depth int) string {
	g.tables = nil
	from := g.item(depth)
	for g.chance(35) && len(g.tables) < 4 {
		join := g.pick(", ", " JOIN ", " LEFT JOIN ", " NATURAL JOIN ", " CROSS JOIN ", " STRAIGHT_JOIN ", " RIGHT JOIN ")
		from += join + g.item(depth)
		if strings.Contains(join, "LEFT") || strings.Contains(join, "RIGHT") || strings.Contains(join, " JOIN ") && !strings.Contains(join, "NATURAL") && g.chance(60) {
			left, right := g.tables[len(g.tables)-2], g.tables[len(g.tables)-1]
			if shared := common(left.columns, right.columns); len(shared) > 0 && g.chance(40) && len(g.tables) == 2 {
				from += " USING (" + g.pick(shared...) + ")"
			} else {
				from += " ON " + left.alias + "." + g.pick(left.columns...) + " = " + right.alias + "." + g.pick(right.columns...)
			}
		}
	}
	return from
}

func common(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			if x == y {
				out = append(out, x)
			}
		}
	}
	return out
}

func (g *generator) item(depth int) string {
	alias := g.name("t")
	if depth < 2 && g.chance(20) {
		query, columns := g.derived(depth)
		g.tables = append(g.tables, genTable{alias, columns})
		return "(" + query + ") " + g.pick("", "AS ") + alias
	}
	t := genTables[g.r.IntN(len(genTables))]
	g.tables = append(g.tables, genTable{alias, t.columns})
	return t.alias + " " + g.pick("", "AS ") + alias
}

// column names a column that is in scope, now and then one that is not.
func (g *generator) column() string {
	t := g.tables[g.r.IntN(len(g.tables))]
	c := g.pick(t.columns...)
	switch {
	case g.chance(2):
		return t.qualifier() + ".nothing"
	case g.chance(1):
		return "nothing"
	case g.chance(15):
		return c
	case g.chance(10):
		return "`" + t.qualifier() + "`." + strings.ToUpper(c)
	}
	return t.qualifier() + "." + c
}

func (g *generator) expr(depth int) string {
	if depth > 3 || g.chance(45) {
		return g.column()
	}
	e := func() string { return g.expr(depth + 1) }
	switch g.r.IntN(22) {
	case 0:
		return g.pick("1", "'text'", "NULL", "3.5", "x'41'", "-7", "'it''s'", "TRUE", "\"q\"", "'a' 'b'", "1e3")
	case 1:
		return g.pick("concat", "coalesce", "greatest", "ifnull") + "(" + e() + g.pick(", ", ",") + e() + ")"
	case 2:
		return g.pick("upper", "lower", "length", "md5", "hex", "trim", "reverse", "isnull", "quote") + "(" + e() + ")"
	case 3:
		return "CASE WHEN " + g.condition(depth+1) + " THEN " + e() + " ELSE " + e() + " END"
	case 4:
		return "if(" + g.condition(depth+1) + ", " + e() + ", " + e() + ")"
	case 5:
		return "(" + e() + g.pick(" + ", " - ", "*", " / ", " % ") + e() + ")"
	case 6:
		return "CAST(" + e() + " AS " + g.pick("CHAR", "CHAR(10)", "SIGNED", "DECIMAL(10,2)", "DATE", "BINARY") + ")"
	case 7:
		return g.scalar(depth)
	case 8:
		return g.pick("min", "max", "count", "sum", "group_concat") + "(" + e() + ")"
	case 9:
		return "count(" + g.pick("*", "DISTINCT "+g.column()) + ")"
	case 10:
		return "nullif(" + e() + ", " + e() + ")"
	case 11:
		return g.pick("max", "sum", "first_value", "lag") + "(" + g.column() + ") OVER (" + g.pick("", "PARTITION BY "+g.column()+" ") + "ORDER BY " + g.column() + ")"
	case 12:
		return "json_extract(" + g.column() + ", '$.phone')"
	case 13:
		return g.condition(depth + 1)
	case 14:
		return "substring(" + e() + " FROM 2 FOR 3)"
	case 15:
		return "(" + e() + ")"
	case 16:
		return g.pick("f_mail(1)", "f_twice(2)", "now()", "database()", "@@version", "row_number() OVER ()", "NOT 1", "@v")
	case 17:
		return "date_format(" + e() + ", '%Y')"
	case 18:
		return "extract(YEAR FROM " + e() + ")"
	case 19:
		return e() + " COLLATE utf8mb4_bin"
	case 20:
		return "date_add(" + e() + ", INTERVAL 1 DAY)"
	}
	return "json_object('k', " + e() + ")"
}

// scalar makes a subquery that stands for a value.
func (g *generator) scalar(depth int) string {
	outer := g.tables
	defer func() { g.tables = outer }()
	from := g.item(3)
	inner := g.tables[len(g.tables)-1]
	return "(SELECT " + inner.alias + "." + g.pick(inner.columns...) + " FROM " + from + g.pick("", " WHERE "+g.condition(depth+2)) + " LIMIT 1)"
}

func (g *generator) condition(depth int) string {
	if depth > 3 {
		return g.column() + " = 1"
	}
	e := func() string { return g.expr(depth + 2) }
	switch g.r.IntN(9) {
	case 0:
		return e() + g.pick(" = ", " <> ", " > ", " <=> ", " LIKE ") + e()
	case 1:
		return g.column() + g.pick(" IS NULL", " IS NOT NULL")
	case 2:
		return g.column() + " IN ('a', 'b', 3)"
	case 3:
		return g.condition(depth+1) + g.pick(" AND ", " OR ") + g.condition(depth+1)
	case 4:
		return "NOT (" + g.condition(depth+1) + ")"
	case 5:
		return g.column() + " BETWEEN 1 AND 'z'"
	case 6:
		return "EXISTS " + g.scalar(depth+1)
	case 7:
		return g.column() + " IN (SELECT id FROM team)"
	}
	return g.column() + " = " + g.pick("1", "'a'", "NULL")
}
