package pgsql_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

var alike = flag.Int("alike", 400, "how many statements TestProtectedValuesMakeNoDifference runs")

// twins are rows of hr.person that differ in protected values alone: the same
// ones are NULL.
var twins = [2]string{
	`INSERT INTO hr.person (id, name, mail, mobile, card, pay, born, doc, tags, team, active) VALUES
		(1, 'Ann', '5', '13800138000', '2001-02-03', 12.5, '1999-09-09', '{"phone": "1", "n": 1}', '{a,b}', 1, true),
		(2, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, false), (3, '', '{"a": 1}', '1', '7', 0, '2020-01-31', '[1]', '{}', 2, true)`,
	`INSERT INTO hr.person (id, name, mail, mobile, card, pay, born, doc, tags, team, active) VALUES
		(1, 'now', 'no number', '', '(', 99999999.99, '9999-12-31', '{"phone": "no", "n": 1}', '{a,b}', 1, true),
		(2, '%\', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, false), (3, '2024-05-06', '', 'x y', '-1', -3, '0001-01-01', '[1]', '{}', 2, true)`,
}

// TestProtectedValuesMakeNoDifference runs what would be sent for statements
// that nobody would refuse over both twins: as far as the client would see,
// errors, rows, NULLs and values that are not masked must be the same.
func TestProtectedValuesMakeNoDifference(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	var conns [2]*pgx.Conn
	var scope rewrite.Scope
	for i, rows := range twins {
		database := server.Database(t, fmt.Sprintf("twin%d", i))
		scope = scopeOf(t, server, database)
		conns[i] = standInSession(t, server, database)
		mustRun(t, conns[i], rows)
		mustRun(t, conns[i], "INSERT INTO team (id, title, lead) VALUES (1, 'one', 1), (2, 'two', 3)")
	}
	planner := rewrite.NewPlanner(pgsql.Dialect{}, 1)
	run, stood := 0, 0
	for seed := range uint64(*alike) {
		g := expressions{rand.New(rand.NewPCG(seed, 9))}
		sql := g.statement()
		plan := planner.Plan(scope, sql)[0]
		if plan.Refuse != nil {
			continue
		}
		sent := sql
		if plan.SQL != "" {
			sent = plan.SQL
			stood++
		}
		first, second := seen(t, conns[0], sent, plan), seen(t, conns[1], sent, plan)
		if first == "42" { // the server does not take it
			continue
		}
		run++
		if first != second {
			t.Errorf("%s\nsent %s\n%s\n%s", sql, sent, first, second)
		}
	}
	if run*20 < *alike || stood*20 < *alike {
		t.Errorf("of %d statements %d ran, %d had stand-ins", *alike, run, stood)
	}
}

// seen is what the client sees of a statement: the class of its error, or its
// rows as the plan has them masked.
func seen(t *testing.T, conn *pgx.Conn, sql string, plan *rewrite.Plan) string {
	t.Helper()
	results, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		var fault *pgconn.PgError
		if !errors.As(err, &fault) {
			t.Fatal(err)
		}
		return fault.Code[:2]
	}
	var out strings.Builder
	for _, row := range results[0].Rows {
		for i, cell := range row {
			switch mask := plan.Outputs[i].Mask; {
			case mask == masking.Null:
			case cell == nil:
				out.WriteString("NULL ")
			case mask == nil:
				out.Write(cell)
			default:
				out.WriteString("* ")
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// expressions makes expressions over the columns of hr.person at random. Many
// are of types that do not fit: the server says so.
type expressions struct{ *rand.Rand }

func (g expressions) of(list ...string) string { return list[g.IntN(len(list))] }

func (g expressions) statement() string {
	list := []string{g.expression(3)}
	if g.IntN(2) == 0 {
		list = append(list, g.expression(2))
	}
	all := strings.Join(list, ", ")
	aggregate := g.of("max", "min", "count", "sum", "avg", "string_agg", "array_agg", "jsonb_agg", "bool_and", "count")
	call := aggregate + "(" + g.expression(2) + ")"
	if aggregate == "string_agg" {
		call = "string_agg((" + g.expression(2) + ")::text, ',')"
	}
	switch g.IntN(6) {
	case 0:
		return "SELECT team, " + call + " FROM person GROUP BY team ORDER BY team"
	case 1:
		return "SELECT id, " + call + " OVER (PARTITION BY team ORDER BY id) FROM person ORDER BY id"
	case 2:
		return "SELECT * FROM (SELECT id, " + list[0] + " AS x FROM person) y ORDER BY id"
	case 3:
		return "WITH x AS (SELECT team, " + call + " AS x FROM person GROUP BY team) SELECT title, coalesce(x.x::text, 'none') FROM x JOIN team ON team.id = x.team ORDER BY 1"
	}
	return "SELECT id, " + all + " FROM person ORDER BY id"
}

func (g expressions) expression(depth int) string {
	if depth == 0 || g.IntN(6) == 0 {
		return g.of("mail", "name", "mobile", "card", "pay", "born", "doc", "tags", "mail", "pay", "born", "id", "team", "active",
			"5", "'a'", "'2020-01-01'::date", "NULL", "0", "1.5", "CURRENT_DATE", "'$.a'", "'YYYY'", "'{a}'")
	}
	a, b := g.expression(depth-1), g.expression(depth-1)
	switch g.IntN(8) {
	case 0:
		return fmt.Sprintf("(%s)::%s", a, g.of("int", "text", "date", "numeric(6,2)", "bigint", "jsonb", "bool", "inet", "varchar(3)", "timestamp", "interval", "text[]", "float8"))
	case 1, 2:
		return fmt.Sprintf("(%s %s %s)", a, g.of("+", "-", "*", "/", "%", "||", "=", "<", "LIKE", "~", "->", "->>", "#>>", "@>", "IS DISTINCT FROM", "AND"), b)
	case 3, 4:
		return fmt.Sprintf("%s(%s)", g.of("length", "upper", "lower", "abs", "sqrt", "round", "ln", "md5", "to_jsonb", "jsonb_typeof", "jsonb_array_length",
			"cardinality", "age", "ascii", "chr", "to_hex", "initcap", "reverse", "parse_ident", "array_length", "isfinite", "scale", "quote_literal", "concat"), a)
	case 5:
		return fmt.Sprintf("%s(%s, %s)", g.of("left", "right", "to_char", "date_part", "date_trunc", "position", "repeat", "power", "mod", "div", "substr",
			"regexp_match", "regexp_count", "string_to_array", "array_position", "jsonb_path_query_first", "format", "nullif", "coalesce", "greatest",
			"to_date", "to_number", "concat_ws", "array_append", "starts_with", "split_part", "lpad", "gcd", "log", "encode"), a, b)
	case 6:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.of("active", "id > 1", "mail IS NULL", "false", "team = 1"), a, b)
	}
	return fmt.Sprintf("(%s) %s", a, g.of("IS NULL", "IS NOT NULL", "BETWEEN 1 AND 5", "IN (1, 2)", "IN ('a', 'b')", "COLLATE \"C\"", "IS TRUE"))
}
