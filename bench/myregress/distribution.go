package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"sqlveil/proxy/proxytest"
)

// A distribution is where a server's programs and its own tests are.
type distribution struct {
	root  string   // of a MySQL that was only unpacked, "" for the installed MariaDB
	run   []string // what stands before each of its programs: a loader with libraries of its own
	tests string   // mysql-test
	files string   // where the .test files are
	want  string   // and the .result files
	share string   // messages and character sets
}

// mariaDB is the installed one.
func mariaDB() *distribution {
	const share = "/usr/share/mysql"
	tests := filepath.Join(share, "mysql-test")
	return &distribution{tests: tests, files: filepath.Join(tests, "main"), want: filepath.Join(tests, "main"), share: share}
}

// mySQL is one whose packages, with all that they need, are unpacked below root.
func mySQL(root string) (*distribution, error) {
	tests := filepath.Join(root, "usr/lib/mysql-test")
	d := &distribution{
		root: root, tests: tests, files: filepath.Join(tests, "t"), want: filepath.Join(tests, "r"), share: filepath.Join(root, "usr/share/mysql"),
	}
	loader, err := filepath.Glob(filepath.Join(root, "usr/lib64/ld-linux-x86-64.so.2"))
	if err != nil {
		return nil, err
	}
	if len(loader) == 0 {
		return nil, fmt.Errorf("no usr/lib64/ld-linux-x86-64.so.2 below %s", root)
	}
	libraries := filepath.Join(root, "usr/lib/x86_64-linux-gnu") + ":" + filepath.Join(root, "usr/lib/mysql/private")
	d.run = []string{loader[0], "--library-path", libraries}
	return d, nil
}

// ofMySQL says whether it is MySQL rather than MariaDB.
func (d *distribution) ofMySQL() bool { return d.root != "" }

// names are what MySQL calls MariaDB's programs.
var names = map[string]string{
	"mariadbd": "usr/sbin/mysqld", "mariadb-test": "usr/lib/mysql-test/bin/mysqltest",
	"mariadb-client-test": "usr/lib/mysql-test/bin/mysql_client_test",
	"mariadb":             "usr/bin/mysql", "mariadb-dump": "usr/bin/mysqldump", "mariadb-admin": "usr/bin/mysqladmin", "mariadb-import": "usr/bin/mysqlimport",
	"mariadb-show": "usr/bin/mysqlshow", "mariadb-check": "usr/bin/mysqlcheck", "mariadb-slap": "usr/bin/mysqlslap",
}

// command is how the program of MariaDB with this name is called, or that of MySQL
// which does the same.
func (d *distribution) command(name string) ([]string, error) {
	if d.ofMySQL() {
		return append(slices.Clone(d.run), filepath.Join(d.root, names[name])), nil
	}
	program, err := proxytest.MariaDBProgram(name)
	if err != nil {
		return nil, err
	}
	return []string{program}, nil
}

// start runs a program until its end or that of this process; its output goes to
// the file.
func (d *distribution) start(dir, output, name string, arguments ...string) (*exec.Cmd, error) {
	command, err := d.command(name)
	if err != nil {
		return nil, err
	}
	command = append(command, arguments...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.SysProcAttr = proxytest.Orphanless()
	log, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, cmd.Start()
}
