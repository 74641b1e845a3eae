package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

var mysqlClients = []client{
	{name: "PyMySQL", command: []string{python, "mysql_dbapi.py", "pymysql"}},
	{name: "mysqlclient", command: []string{python, "mysql_dbapi.py", "MySQLdb"}},
	{name: "MariaDB ODBC", command: []string{python, "mysql_odbc.py"}},
	{name: "node mysql2 text", command: []string{"node", "mysql2.js", "text"}},
	{name: "node mysql2 binary", command: []string{"node", "mysql2.js", "binary"}},
	{name: "MariaDB JDBC text", command: []string{"java", "MySQLSteps"}, options: "&useServerPrepStmts=false"},
	{name: "MariaDB JDBC binary", command: []string{"java", "MySQLSteps"}, options: "&useServerPrepStmts=true"},
	{name: "PHP mysqli", command: []string{"php", "-d", "mysqli.allow_local_infile=1", "mysql.php", "mysqli"}},
	{name: "PHP PDO prepared", command: []string{"php", "mysql.php", "PDO"}},
	{name: "PHP PDO emulated", command: []string{"php", "mysql.php", "emulated"}},
	{name: "Ruby mysql2", command: []string{"ruby", "mysql2_client.rb"}},
	{name: "DBD::mysql text", command: []string{"perl", "mysql_dbi.pl", "mysql", "0"}},
	{name: "DBD::mysql prepared", command: []string{"perl", "mysql_dbi.pl", "mysql", "1"}},
	{name: "DBD::MariaDB", command: []string{"perl", "mysql_dbi.pl", "MariaDB", "1"}},
}

// loadedRows is how many rows the file of LOAD DATA has.
const loadedRows = 5000

// loadText is what is in it.
func loadText() string {
	var rows strings.Builder
	for n := range loadedRows {
		fmt.Fprintf(&rows, "%d\t行 %d\n", n, n)
	}
	return rows.String()
}

func loadReader() io.Reader { return strings.NewReader(loadText()) }

// TestMySQLClients is [TestClients] for the clients of MariaDB and MySQL.
func TestMySQLClients(t *testing.T) {
	d := myLab(t)
	classes := compileJava(t, mariadbJDBC, "Steps.java", "MySQLSteps.java")
	file := filepath.Join(t.TempDir(), "rows.txt")
	writeFile(t, file, loadText())
	for _, c := range mysqlClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := func(address, user string, environment ...string) string {
				environment = append(d.environment(t, address, user, c.options+jdbcCommon, file), environment...)
				return c.run(t, append(environment, "CLASSPATH="+classes)...)
			}
			direct := run("", "dba")
			compare(t, direct, run(d.address, "dba"))
			checkMasked(t, direct, run(d.address, "analyst", "FULL=1"))
		})
	}
}

const (
	mariadbJDBC = "/usr/share/java/mariadb-java-client.jar"
	jdbcCommon  = "&allowMultiQueries=true&allowLocalInfile=true"
)
