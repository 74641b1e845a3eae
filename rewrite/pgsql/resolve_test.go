package pgsql_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

var update = flag.Bool("update", false, "write the plans that were found into testdata")

const testdata = "../testdata/pgsql"

// TestPlans reads testdata/pgsql/*.txt: statements, each followed by a line
// "----" and the plan expected for role clerk.
func TestPlans(t *testing.T) {
	scope := testScope(t)
	files, err := filepath.Glob(filepath.Join(testdata, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("glob: %v, %d files", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel() // the snapshot is shared between sessions, too
			checkPlans(t, scope, file)
		})
	}
}

func checkPlans(t *testing.T, scope rewrite.Scope, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	planner := rewrite.NewPlanner(pgsql.Dialect{}, 1)
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		statement, want, _ := strings.Cut(block, "\n----\n")
		statement = strings.TrimSuffix(statement, "\n----")
		sql := withoutComments(statement)
		got := describe(planner.Plan(scope, sql))
		if got != want && !*update {
			t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", filepath.Base(file), statement, got, want)
		}
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n", statement, got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// withoutComments drops the lines that speak to the reader of a case.
func withoutComments(statement string) string {
	var keep []string
	for _, line := range strings.Split(statement, "\n") {
		if !strings.HasPrefix(line, "# ") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}

// describe writes plans as the cases have them: the refusal, or a line for
// each output that is masked, each use of a labelled column and each effect.
func describe(plans []*rewrite.Plan) string {
	var lines []string
	for _, p := range plans {
		if p.Refuse != nil {
			state := p.Refuse.SQLState
			if state == "" {
				state = p.Refuse.Code
			}
			lines = append(lines, fmt.Sprintf("%s refused %s: %s", p.Kind, state, p.Refuse.Message))
			continue
		}
		var cells []string
		for _, o := range p.Outputs {
			cells = append(cells, describeOutput(o))
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s", p.Kind, strings.Join(cells, ", "))))
		if p.SQL != "" {
			lines = append(lines, "  sent "+p.SQL)
		}
		for _, o := range p.Objects {
			if o.In != "output" {
				lines = append(lines, fmt.Sprintf("  %s in %s", o.Column, o.In))
			}
		}
	}
	return strings.Join(lines, "\n")
}

func describeOutput(o rewrite.Output) string {
	switch {
	case o.Mask == nil:
		return o.Name
	case o.Derived:
		return fmt.Sprintf("%s=%s(derived)", o.Name, o.Mask.Name())
	}
	return fmt.Sprintf("%s=%s", o.Name, o.Mask.Name())
}

// testScope loads testdata/pgsql/schema.sql into a database of its own.
func testScope(t *testing.T) rewrite.Scope {
	t.Helper()
	server := proxytest.PostgreSQL(t)
	return scopeOf(t, server, server.Database(t, "plans"))
}

// scopeOf loads schema.sql into a database and reads its definitions.
func scopeOf(t *testing.T, server *proxytest.PostgreSQLServer, database string) rewrite.Scope {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join(testdata, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Exec(t.Context(), database, string(schema)); err != nil {
		t.Fatal(err)
	}
	catalog, err := pgsql.Load(t.Context(), askServer(t, server, database), "firm")
	if err != nil {
		t.Fatal(err)
	}
	policy := testPolicy(t)
	return rewrite.Scope{
		Role: policy.Role("clerk"), Policy: policy, Database: "firm", User: "clerk",
		SearchPath: []string{"pg_catalog", "public", "hr"}, Catalog: catalog,
	}
}

// askServer runs the catalog's questions on a connection of their own.
func askServer(t *testing.T, server *proxytest.PostgreSQLServer, database string) pgsql.Ask {
	t.Helper()
	conn, err := server.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return func(ctx context.Context, sql string) ([][]*string, error) {
		results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil {
			return nil, err
		}
		var out [][]*string
		for _, cells := range results[0].Rows {
			row := make([]*string, len(cells))
			for i, cell := range cells {
				if cell != nil {
					s := string(cell)
					row[i] = &s
				}
			}
			out = append(out, row)
		}
		return out, nil
	}
}

func testPolicy(t *testing.T) *masking.Policy {
	t.Helper()
	class := func(mask, use string) masking.ClassSpec {
		options := map[string]map[string]any{
			"partial": {"first": 3, "last": 4}, "date": {"to": "year"},
		}[mask]
		return masking.ClassSpec{Level: "secret", Mask: masking.MaskSpec{mask: options}, Use: use}
	}
	policy, problems := masking.Compile(masking.Spec{
		Version: 1, Levels: []string{"open", "secret"}, Unlabelled: "visible",
		Classes: map[string]masking.ClassSpec{
			"name": class("name", "deny"), "mail": class("email", "deny"), "mobile": class("partial", "equality"),
			"card": class("redact", "deny"), "pay": class("null", "deny"), "born": class("date", "deny"), "home": class("null", "deny"),
		},
		Columns: map[string]masking.ColumnSpec{
			"firm.hr.person.name": {Class: "name"}, "firm.hr.person.mail": {Class: "mail"}, "firm.hr.person.mobile": {Class: "mobile"},
			"firm.hr.person.card": {Class: "card"}, "firm.hr.person.pay": {Class: "pay"}, "firm.hr.person.born": {Class: "born"},
			"firm.hr.person.home": {Class: "home"}, "firm.hr.person.doc": {JSON: map[string]string{"$.phone": "mobile", "$.mails[*]": "mail"}},
			"firm.hr.team.mobile": {Class: "mobile"}, "firm.hr.visit.phone": {Class: "mobile"}, "firm.archive.person.name": {Class: "name"},
			"firm.hr.seat*.holder": {Class: "name"}, "firm.archive.person.doc": {Class: "card"},
		},
		Roles: map[string]masking.RoleSpec{"clerk": {Clearance: "open"}, "boss": {Clearance: "secret"}},
	}, make([]byte, 32))
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p.Path, p.Message)
		}
	}
	return policy
}
