package pgsql_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

// standInStatements are the statements of standins.txt that are sent in other
// words, with those.
func standInStatements(t *testing.T, scope rewrite.Scope) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "standins.txt"))
	if err != nil {
		t.Fatal(err)
	}
	planner := rewrite.NewPlanner(pgsql.Dialect{}, 1)
	out := map[string]string{}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		sql, _, _ := strings.Cut(withoutComments(block), "\n----\n")
		if plan := planner.Plan(scope, sql)[0]; plan.SQL != "" {
			out[sql] = plan.SQL
		}
	}
	if len(out) < 10 {
		t.Fatalf("%d statements with stand-ins", len(out))
	}
	return out
}

// TestStandInsKeepNamesAndTypes asks the server what either text returns.
func TestStandInsKeepNamesAndTypes(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	database := server.Database(t, "standin_types")
	scope := scopeOf(t, server, database)
	conn := standInSession(t, server, database)
	for sql, sent := range standInStatements(t, scope) {
		if strings.HasPrefix(sql, "COPY") || strings.HasPrefix(sql, "DECLARE") || strings.HasPrefix(sql, "EXPLAIN") {
			continue // describe nothing, or always the same
		}
		before, err := conn.Prepare(t.Context(), "", sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		after, err := conn.Prepare(t.Context(), "", sent)
		if err != nil {
			t.Errorf("%s: sent %s: %v", sql, sent, err)
			continue
		}
		if !slices.Equal(before.ParamOIDs, after.ParamOIDs) {
			t.Errorf("%s: parameters %v, sent %s: %v", sql, before.ParamOIDs, sent, after.ParamOIDs)
		}
		for i, f := range before.Fields {
			g := after.Fields[i]
			if f.Name != g.Name || f.DataTypeOID != g.DataTypeOID || f.TypeModifier != g.TypeModifier {
				t.Errorf("%s: column %d is %s of type %d, %d, sent %s: %s of type %d, %d", sql, i+1,
					f.Name, f.DataTypeOID, f.TypeModifier, sent, g.Name, g.DataTypeOID, g.TypeModifier)
			}
		}
	}
}

// TestStandInsNeverFail runs what is sent over values on which the client's own
// text fails.
func TestStandInsNeverFail(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	database := server.Database(t, "standin_failures")
	scope := scopeOf(t, server, database)
	conn := standInSession(t, server, database)
	mustRun(t, conn, `INSERT INTO person (id, name, mail, card, pay, born, team, active) VALUES
		(1, 'Ann', 'no number', '', 99999999.99, 'infinity', 1, true), (2, 'Ben', NULL, NULL, NULL, NULL, 1, true)`)
	for sql, sent := range standInStatements(t, scope) {
		if strings.Contains(sent, "$1") {
			continue
		}
		mustRun(t, conn, "BEGIN")
		if _, err := conn.PgConn().Exec(t.Context(), sent).ReadAll(); err != nil {
			t.Errorf("%s: sent %s: %v", sql, sent, err)
		}
		mustRun(t, conn, "ROLLBACK")
	}
}

// TestStandInsKeepNULLs compares the NULLs of both texts over values on which
// neither fails. A stand-in may be NULL throughout, but not here and there.
func TestStandInsKeepNULLs(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	database := server.Database(t, "standin_nulls")
	scope := scopeOf(t, server, database)
	conn := standInSession(t, server, database)
	mustRun(t, conn, `INSERT INTO person (id, name, mail, card, pay, born, team, active) VALUES
		(1, '2000-01-02', '5', '7', 12, '1999-09-09', 1, true), (2, 'now', NULL, NULL, NULL, NULL, 1, true),
		(3, 'now', '6', NULL, 1, NULL, NULL, false), (4, 'now', NULL, '1', NULL, '2001-01-01', 2, false)`)
	mustRun(t, conn, `INSERT INTO team (id, title, lead) VALUES (1, 'one', 1), (2, 'two', 4), (3, 'three', NULL)`)
	compared := 0
	for sql, sent := range standInStatements(t, scope) {
		if !strings.HasPrefix(sql, "SELECT") && !strings.HasPrefix(sql, "WITH") {
			continue
		}
		want, err := nullsOf(conn, sql)
		if err != nil {
			continue // it fails here too
		}
		got, err := nullsOf(conn, sent)
		if err != nil {
			t.Errorf("%s: sent %s: %v", sql, sent, err)
			continue
		}
		for i := range want {
			if strings.Contains(got[i], "v") && got[i] != want[i] {
				t.Errorf("%s: column %d has NULLs %s, sent %s: %s", sql, i+1, want[i], sent, got[i])
			}
			if strings.Contains(got[i], "v") {
				compared++
			}
		}
	}
	if compared < 10 {
		t.Errorf("%d columns were compared", compared)
	}
}

// nullsOf returns, for each column of a result, an n for each NULL and a v for
// each other value, row by row.
func nullsOf(conn *pgx.Conn, sql string) ([]string, error) {
	results, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(results[0].FieldDescriptions))
	for _, row := range results[0].Rows {
		for i, cell := range row {
			mark := "v"
			if cell == nil {
				mark = "n"
			}
			out[i] += mark
		}
	}
	return out, nil
}

// TestStandInsFollowTheRole asks as a role that sees the column.
func TestStandInsFollowTheRole(t *testing.T) {
	scope := testScope(t)
	scope.Role = scope.Policy.Role("boss")
	planner := rewrite.NewPlanner(pgsql.Dialect{}, 1)
	plan := planner.Plan(scope, "SELECT mail::int FROM person")[0]
	if plan.SQL != "" || plan.Refuse != nil || plan.Outputs[0].Mask != nil {
		t.Errorf("sent %q, refused %v, mask %v; want the client's text for a role that sees mail", plan.SQL, plan.Refuse, plan.Outputs[0].Mask)
	}
}

func standInSession(t *testing.T, server *proxytest.PostgreSQLServer, database string) *pgx.Conn {
	t.Helper()
	conn, err := server.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	mustRun(t, conn, "SET search_path = public, hr")
	return conn
}

func mustRun(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
