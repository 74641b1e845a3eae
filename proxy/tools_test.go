package main

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
)

// describing are psql's commands that look at the catalog.
var describing = []string{
	`\l`, `\l+`, `\dn+`, `\d`, `\d+`, `\dt`, `\dt+`, `\dv+`, `\dm+`, `\di+`, `\ds`, `\dE`, `\d customers`, `\d+ customers`, `\d+ customer_contacts`,
	`\d+ orders`, `\d+ orders_2025`, `\d+ region_companies`, `\d companies_pkey`, `\df`, `\df+ order_total`, `\da`, `\dT+`, `\dT order_state`, `\dD+`, `\do`,
	`\dC`, `\dc`, `\dO`, `\dF+`, `\dFd`, `\dFp`, `\dFt`, `\dp`, `\ddp`, `\z`, `\du+`, `\dg`, `\drds`, `\dA+`, `\dAc`, `\dAf`, `\dAo`, `\dAp`, `\db+`,
	`\dconfig search*`, `\dd`, `\des+`, `\det`, `\deu`, `\dew`, `\dx+`, `\dX`, `\dy`, `\dRp+`, `\dP+`, `\dl`, `\dL+`, `\sf order_total`, `\sv customer_contacts`, `\encoding`,
}

// psql looks at the same catalog through sqlveil, whatever the role.
func TestPsqlDescribes(t *testing.T) {
	d := lab(t)
	for _, user := range []string{"dba", "analyst"} {
		for _, command := range describing {
			want := psqlOutput(t, d.direct(user), command)
			if got := psqlOutput(t, d.through(user), command); got != want {
				t.Errorf("%s, %s: directly\n%s\nthrough sqlveil\n%s", user, command, cut(want), cut(got))
			}
		}
	}
}

// psqlOutput is what psql prints, whether it fails or not.
func psqlOutput(t *testing.T, dsn string, commands ...string) string {
	t.Helper()
	out, _ := psqlCommand(t, dsn, commands...).CombinedOutput() // its errors are part of what it prints
	return string(out)
}

func psqlCommand(t *testing.T, dsn string, commands ...string) *exec.Cmd {
	t.Helper()
	cmd := tool(t, "psql", "--no-psqlrc", "--dbname="+dsn)
	for _, command := range commands {
		cmd.Args = append(cmd.Args, "--command="+command)
	}
	return cmd
}

// tool is one of PostgreSQL's programs.
func tool(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := proxytest.PostgresProgram(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "PGTZ=UTC", "PGCONNECT_TIMEOUT=10")
	return cmd
}

// psqlScripts are sessions that use psql's own ways with the protocol.
var psqlScripts = map[string]string{
	"all columns":  "SELECT * FROM customers ORDER BY id LIMIT 20;",
	"expanded":     "\\x\nSELECT * FROM customers WHERE id < 4 ORDER BY id;",
	"csv":          "\\pset format csv\nSELECT * FROM customers ORDER BY id LIMIT 50;",
	"batches":      "\\set FETCH_COUNT 100\nSELECT id, name, mobile, profile FROM customers ORDER BY id LIMIT 1000;",
	"gdesc":        "SELECT id, mobile, salary, profile FROM customers \\gdesc",
	"gset":         "SELECT mobile AS m, email AS e FROM customers WHERE id = 3 \\gset\n\\echo :m :e",
	"gexec":        "SELECT 'SELECT mobile FROM customers WHERE id = ' || i FROM generate_series(1, 3) i \\gexec",
	"several":      "SELECT 1 \\; SELECT id, mobile FROM customers WHERE id < 4 ORDER BY id \\; SELECT 2;",
	"prepared":     "PREPARE p (int) AS SELECT id, mobile, id_card FROM customers WHERE id = $1; EXECUTE p(1); EXECUTE p(2); DEALLOCATE p; EXECUTE p(3);",
	"cursor":       "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id, mobile, name FROM customers ORDER BY id; FETCH 3 FROM c; FETCH BACKWARD 1 FROM c; MOVE 100 IN c; FETCH 2 FROM c; CLOSE c; COMMIT;",
	"copy":         "COPY (SELECT * FROM customers ORDER BY id LIMIT 300) TO STDOUT; \\copy customers (id, name, mobile) TO STDOUT (FORMAT csv, HEADER)",
	"copy binary":  "COPY customers TO STDOUT (FORMAT binary);",
	"copy in":      "CREATE TEMPORARY TABLE s (a int, b text); COPY s FROM STDIN;\n1\tx\n2\t行\n\\.\nSELECT * FROM s; COPY s FROM STDIN;\nz\tx\n\\.\nSELECT 1;",
	"errors":       "SELECT 1/0; SELEC 1; SELECT nothing FROM customers;\n\\errverbose\nSELECT 'ok';",
	"transaction":  "BEGIN; SELECT 1/0; SELECT 1; COMMIT; BEGIN; SAVEPOINT a; SELECT 1/0; ROLLBACK TO a; SELECT 2; COMMIT;",
	"notices":      "DO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING 'careful'; END $$;",
	"settings":     "SET TIME ZONE 'Asia/Shanghai'; SHOW timezone; SET search_path = pg_catalog; SELECT id, mobile FROM public.customers WHERE id = 1; RESET search_path; SELECT current_user, current_database();",
	"explain":      "EXPLAIN (COSTS off) SELECT id, mobile FROM customers WHERE id = 1;",
	"materialized": "SELECT * FROM region_companies ORDER BY region; TABLE orders_2025 LIMIT 0;",
	"values":       "VALUES (1, 'a'), (2, 'b'); SELECT order_total(1) > 0;",
	"empty":        ";;",
}

func TestPsqlScripts(t *testing.T) {
	d := lab(t)
	for name, script := range psqlScripts {
		t.Run(name, func(t *testing.T) {
			direct := runScript(t, d.direct("dba"), script)
			if got := runScript(t, d.through("dba"), script); got != direct {
				t.Errorf("directly\n%s\nthrough sqlveil\n%s", cut(direct), cut(got))
			}
			masked := runScript(t, d.through("analyst"), script)
			if found := rawIn(masked); len(found) > 0 {
				t.Errorf("raw values %q in\n%s", found, cut(masked))
			}
			if want, got := strings.Count(direct, "ERROR"), strings.Count(masked, "ERROR"); got != want {
				t.Errorf("%d errors directly, %d masked:\n%s", want, got, cut(masked))
			}
			// Errors have their own lines: what the server's texts may quote is withheld.
			if want, got := strings.Count(direct, "\n"), strings.Count(masked, "\n"); got != want && !strings.Contains(direct, "ERROR") && name != "copy binary" {
				t.Errorf("%d lines directly, %d masked:\n%s", want, got, cut(masked))
			}
		})
	}
}

// runScript feeds psql's standard input.
func runScript(t *testing.T, dsn, script string) string {
	t.Helper()
	cmd := psqlCommand(t, dsn)
	cmd.Stdin = strings.NewReader(script)
	out, _ := cmd.CombinedOutput() // its errors are part of what it prints
	return string(out)
}

// pgbench runs its own tables and ours in each protocol; no transaction fails.
func TestPgbench(t *testing.T) {
	d := lab(t)
	runTool(t, "pgbench", "--initialize", "--quiet", "--scale=1", d.through("dba"))
	script := t.TempDir() + "/lookup.sql"
	writeFile(t, script, "\\set n random(1, 1000)\nSELECT id, name, mobile FROM customers WHERE id = :n;\nSELECT count(*) FROM orders WHERE customer_id = :n;\n")
	for _, protocol := range []string{"simple", "extended", "prepared"} {
		for user, args := range map[string][]string{"dba": {}, "analyst": {"--file=" + script}} {
			args = append(args, "--no-vacuum", "--protocol="+protocol, "--client=4", "--jobs=2", "--transactions=100", d.through(user))
			out := runTool(t, "pgbench", args...)
			if !strings.Contains(out, "number of transactions actually processed: 400/400") {
				t.Errorf("pgbench %s as %s: %s", protocol, user, out)
			}
		}
	}
	sum := psqlOutput(t, d.direct("dba"), "SELECT count(*) = 1200 AND sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts) FROM pgbench_history", "DROP TABLE pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers")
	if !strings.Contains(sum, " t\n") {
		t.Errorf("the accounts do not add up: %s", sum)
	}
}

func runTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := tool(t, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// A dump of a role that sees everything is the dump of the database; that of a
// masked role restores, with as many rows and nothing raw in them.
func TestPgDump(t *testing.T) {
	d := lab(t)
	random := regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)
	dump := func(dsn string) string {
		return random.ReplaceAllString(runTool(t, "pg_dump", "--no-owner", dsn), "")
	}
	direct := dump(d.direct("dba"))
	if through := dump(d.through("dba")); through != direct {
		t.Errorf("the dumps differ: %d and %d bytes", len(direct), len(through))
	}
	if found := rawIn(direct); len(found) == 0 {
		t.Error("nothing raw was found in the raw dump")
	}
	masked := dump(d.through("analyst"))
	if found := rawIn(masked); len(found) > 0 {
		t.Errorf("raw values in the masked dump: %q", found)
	}
	restored := d.server.Database(t, "restored")
	if out := runScript(t, d.server.DSN("dba", restored), ""); out != "" {
		t.Fatal(out)
	}
	if err := d.server.Exec(context.Background(), "postgres", "ALTER DATABASE restored OWNER TO dba"); err != nil {
		t.Fatal(err)
	}
	if out := runScript(t, d.server.DSN("dba", restored), "\\set ON_ERROR_STOP on\n"+masked); strings.Contains(out, "ERROR") {
		t.Fatalf("restoring the masked dump: %s", cut(out))
	}
	count := "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM companies), (SELECT count(*) FROM orders), (SELECT count(email) FROM customers)"
	want := psqlOutput(t, d.direct("dba"), count)
	if got := psqlOutput(t, d.server.DSN("dba", restored), count); got != want {
		t.Errorf("restored rows:\n%s, want\n%s", got, want)
	}
}
