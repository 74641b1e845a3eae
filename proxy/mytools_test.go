package main

import (
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// mysqlTool is one of MariaDB's programs, told where to connect; an empty address is
// the server's own.
func (d *mysqlLab) tool(t *testing.T, name, address, user string, args ...string) *exec.Cmd {
	t.Helper()
	if address == "" {
		address = d.server.Addr()
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	login := []string{"--no-defaults", "--protocol=tcp", "--host=" + host, "--port=" + port, "--user=" + user, "--password=" + proxytest.Password(user)}
	cmd := exec.CommandContext(t.Context(), name, append(login, args...)...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8")
	return cmd
}

// mysqlScripts are sessions that use the command line client's own ways with the protocol.
var mysqlScripts = map[string]string{
	"all columns": "SELECT * FROM customers ORDER BY id LIMIT 20;",
	"vertical":    "SELECT * FROM customers WHERE id < 4 ORDER BY id\\G",
	"metadata":    "SELECT id, mobile, salary, profile FROM customers LIMIT 0;",
	"several":     "DELIMITER //\nSELECT 1; SELECT id, mobile FROM customers WHERE id < 4 ORDER BY id; SELECT 2//",
	"prepared":    "PREPARE p FROM 'SELECT id, mobile, id_card FROM customers WHERE id = ?'; SET @n = 3; EXECUTE p USING @n; DEALLOCATE PREPARE p; EXECUTE p;",
	"procedure":   "CALL two_results(3);",
	"errors":      "SELEC 1; SELECT nothing FROM customers; SELECT 'ok';",
	"transaction": "START TRANSACTION; SAVEPOINT a; SELECT 1; ROLLBACK TO a; COMMIT;",
	"settings":    "SET NAMES utf8mb4; SET SESSION time_zone = '+08:00'; SELECT @@time_zone, DATABASE(); USE information_schema; SELECT DATABASE();",
	"explain":     "EXPLAIN SELECT id, mobile FROM customers WHERE id = 1;",
	"describe":    "DESCRIBE customers; SHOW TABLES; SHOW CREATE TABLE orders; SHOW INDEX FROM customers;",
	"status":      "\\u crm\n\\R >\nSELECT 1;",
	"empty":       ";",
}

// TestMySQLScripts is [TestPsqlScripts] for MariaDB's command line client.
func TestMySQLScripts(t *testing.T) {
	d := myLab(t)
	run := func(t *testing.T, address, user, script string) string {
		cmd := d.tool(t, "mariadb", address, user, "--force", "--table", "--comments", "--column-type-info", sample.Database)
		cmd.Stdin = strings.NewReader(script)
		out, _ := cmd.CombinedOutput() // its errors are part of what it prints
		return string(out)
	}
	for name, script := range mysqlScripts {
		t.Run(name, func(t *testing.T) {
			direct := run(t, "", "dba", script)
			if got := run(t, d.address, "dba", script); got != direct {
				t.Errorf("directly\n%s\nthrough sqlveil\n%s", cut(direct), cut(got))
			}
			masked := run(t, d.address, "analyst", script)
			if found := rawIn(masked); len(found) > 0 {
				t.Errorf("raw values %q in\n%s", found, cut(masked))
			}
			if want, got := strings.Count(direct, "ERROR"), strings.Count(masked, "ERROR"); got != want {
				t.Errorf("%d errors directly, %d masked:\n%s", want, got, cut(masked))
			}
		})
	}
}

// A dump of a role that sees everything is the dump of the database; that of a masked
// role restores into an empty database, with as many rows and nothing raw in them.
func TestMySQLDump(t *testing.T) {
	d := myLab(t)
	dump := func(address, user string) string {
		cmd := d.tool(t, "mariadb-dump", address, user, "--skip-dump-date", "--routines", "--hex-blob", sample.Database)
		out, err := cmd.Output()
		if err != nil {
			var ended *exec.ExitError
			if errors.As(err, &ended) {
				t.Fatalf("mariadb-dump as %s: %v: %s", user, err, ended.Stderr)
			}
			t.Fatalf("mariadb-dump as %s: %v", user, err)
		}
		return hostLine.ReplaceAllString(string(out), "")
	}
	direct := dump("", "dba")
	if through := dump(d.address, "dba"); through != direct {
		t.Errorf("the dumps differ: %d and %d bytes", len(direct), len(through))
	}
	if len(rawIn(direct)) == 0 {
		t.Error("nothing raw was found in the raw dump")
	}
	masked := dump(d.address, "analyst")
	if found := rawIn(masked); len(found) > 0 {
		t.Errorf("raw values in the masked dump: %q", found)
	}
	if err := d.server.Exec(t.Context(), "", "CREATE DATABASE restored"); err != nil {
		t.Fatal(err)
	}
	restore := d.tool(t, "mariadb", "", "dba", "restored")
	restore.Stdin = strings.NewReader(masked)
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("restoring the masked dump: %v: %s", err, out[max(0, len(out)-400):])
	}
	count := func(database string) string {
		const text = `SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM companies), (SELECT count(*) FROM orders),
			(SELECT count(email) FROM customers), (SELECT count(*) FROM customer_contacts), (SELECT count(*) FROM every_type)`
		out, err := d.tool(t, "mariadb", "", "dba", "--batch", "--execute="+text, database).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if want, got := count(sample.Database), count("restored"); got != want {
		t.Errorf("restored rows:\n%s, want\n%s", got, want)
	}
}

// hostLine is where a dump names the address that it came from.
var hostLine = regexp.MustCompile(`(?m)^-- Host: .*$`)

// sysbench runs its own transactions as a role that sees everything, and looks
// customers up as a masked one, with and without statements prepared by the server.
func TestSysbench(t *testing.T) {
	d := myLab(t)
	if err := d.server.Exec(t.Context(), "", "CREATE DATABASE bench"); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "lookup.lua")
	writeFile(t, script, `
function thread_init() con = sysbench.sql.driver():connect() end
function event()
  local row = con:query_row(string.format("SELECT mobile FROM customers WHERE id = %d", sysbench.rand.uniform(1, 1000)))
  if not string.find(row, "***", 1, true) then error("released " .. row) end
end`)
	run := func(user, database, test string, args ...string) {
		t.Helper()
		host, port, err := net.SplitHostPort(d.address)
		if err != nil {
			t.Fatal(err)
		}
		args = append([]string{
			"--db-driver=mysql", "--mysql-host=" + host, "--mysql-port=" + port, "--mysql-user=" + user,
			"--mysql-password=" + proxytest.Password(user), "--mysql-db=" + database, test,
		}, args...)
		out, err := exec.CommandContext(t.Context(), "sysbench", args...).CombinedOutput()
		if err != nil {
			t.Errorf("sysbench %v: %v: %s", args, err, cut(string(out)))
		}
		if m := ignoredErrors.FindString(string(out)); args[len(args)-1] == "run" && m == "" {
			t.Errorf("sysbench %v: %s", args, out)
		}
	}
	tables := []string{"--tables=1", "--table-size=1000"}
	run("dba", "bench", "oltp_read_write", append(tables, "prepare")...)
	for _, mode := range []string{"auto", "disable"} {
		run("dba", "bench", "oltp_read_write", append(tables, "--events=40", "--time=0", "--db-ps-mode="+mode, "--skip-trx=off", "run")...)
	}
	run("analyst", sample.Database, script, "--threads=4", "--events=400", "--time=0", "run")
}

// ignoredErrors is sysbench's line of a run in which nothing failed.
var ignoredErrors = regexp.MustCompile(`ignored errors: +0 `)
