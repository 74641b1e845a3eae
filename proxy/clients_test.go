package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sqlveil/proxy/sample"
)

// A client is somebody else's program that carries out testdata/clients/steps.txt
// and prints a line for each step.
type client struct {
	name    string
	command []string
	options string // of JDBC's URL
}

const (
	python  = "/usr/bin/python3" // Debian's, which has Debian's modules
	modules = "../.tools/node/node_modules"

	postgresJDBC = "/usr/share/java/postgresql.jar"
)

var clients = []client{
	{name: "psycopg text", command: []string{python, "psycopg3.py", "text"}},
	{name: "psycopg binary", command: []string{python, "psycopg3.py", "binary"}},
	{name: "asyncpg", command: []string{python, "asyncpg_client.py"}},
	{name: "node-postgres", command: []string{"node", "pg.js"}},
	{name: "postgres.js", command: []string{"node", "postgresjs.js"}},
	{name: "JDBC simple", command: []string{"java", "Steps"}, options: "&preferQueryMode=simple"},
	{name: "JDBC extended", command: []string{"java", "Steps"}, options: "&prepareThreshold=3"},
	{name: "JDBC binary", command: []string{"java", "Steps"}, options: "&prepareThreshold=-1"},
}

// For a role that sees everything a client sees the same through sqlveil as
// directly; for any other, every step works too and nothing raw is in it.
func TestClients(t *testing.T) {
	d := lab(t)
	classes := compileJava(t, postgresJDBC, "Steps.java")
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := func(dsn string, environment ...string) string {
				environment = append(clientEnvironment(t, dsn, c.options), environment...)
				return c.run(t, append(environment, "CLASSPATH="+classes)...)
			}
			direct := run(d.direct("dba"))
			compare(t, direct, run(d.through("dba")))
			checkMasked(t, direct, run(d.through("analyst"), "FULL=1"))
		})
	}
}

// compare reports the first step whose outputs differ.
func compare(t *testing.T, direct, through string) {
	t.Helper()
	want, got := strings.Split(direct, "\n"), strings.Split(through, "\n")
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want) || i >= len(got):
			t.Fatalf("%d lines directly, %d through sqlveil", len(want), len(got))
		case want[i] != got[i]:
			t.Errorf("differs:\ndirectly        %s\nthrough sqlveil %s", cut(want[i]), cut(got[i]))
		}
	}
}

func cut(line string) string {
	const most = 400
	if len(line) > most {
		return line[:most] + "..."
	}
	return line
}

// checkMasked wants the steps of a masked role to work where they work directly,
// and to show nothing raw.
func checkMasked(t *testing.T, direct, masked string) {
	t.Helper()
	want, got := steps(direct), steps(masked)
	for name, line := range want {
		answer, ok := got[name]
		if !ok {
			t.Errorf("step %s: no answer", name)
			continue
		}
		if failed(answer) != failed(line) {
			t.Errorf("step %s: directly %s, masked %s", name, cut(line), cut(answer))
		}
		if found := rawIn(answer); len(found) > 0 {
			t.Errorf("step %s: raw values %q in %s", name, found, cut(answer))
		}
	}
	if !strings.Contains(masked, "****") {
		t.Error("nothing is masked")
	}
}

// steps are the lines of an output by the step's name.
func steps(output string) map[string]string {
	lines := make(map[string]string)
	name := ""
	for line := range strings.SplitSeq(output, "\n") {
		if before, after, ok := strings.Cut(line, "\t"); ok && !strings.ContainsAny(before, "[]{},") {
			name, line = before, after
		}
		lines[name] += line + "\n"
	}
	return lines
}

// failed says whether a step ended in an error.
func failed(answer string) bool {
	return strings.HasPrefix(answer, `["error"`) || strings.HasPrefix(answer, "[error,")
}

// run runs the client with an environment and returns what it printed.
func (c *client) run(t *testing.T, environment ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Dir = filepath.Join("testdata", "clients")
	cmd.Env = environment
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is not installed: .ci/install test", c.command[0])
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s\n%s", c.command, err, cut(problems.String()), cut(out.String()))
	}
	return out.String()
}

// clientEnvironment is what the scripts read.
func clientEnvironment(t *testing.T, dsn, jdbcOptions string) []string {
	t.Helper()
	login, place, _ := strings.Cut(strings.TrimPrefix(dsn, "postgres://"), "@")
	user, password, _ := strings.Cut(login, ":")
	return append(scriptEnvironment(t),
		"DSN="+dsn,
		"JDBC=jdbc:postgresql://"+place+"&user="+user+"&password="+password+jdbcOptions,
		"STEPS=steps.txt",
	)
}

// scriptEnvironment is what the scripts of all clients read.
func scriptEnvironment(t *testing.T) []string {
	t.Helper()
	node, err := filepath.Abs(modules)
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(),
		"MOBILE="+ninthMobile(),
		"NODE_PATH="+node,
		"PYTHONIOENCODING=utf-8",
		"LC_ALL=C.UTF-8",
		"TZ=UTC",
	)
}

// ninthMobile is what the steps look a customer up by.
var ninthMobile = sync.OnceValue(func() string {
	customers := sample.Tables(1, 9)[1]
	var last []*string
	for row := range customers.Rows {
		last = row
	}
	return *last[2]
})

// compileJava compiles sources and returns the class path to run them with, which
// has a driver on it.
func compileJava(t *testing.T, driver string, sources ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-encoding", "UTF-8", "-cp", postgresJDBC, "-d", dir}
	for _, source := range sources {
		args = append(args, filepath.Join("testdata", "clients", source))
	}
	if out, err := exec.Command("javac", args...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v %s: .ci/install test", err, out)
	}
	return strings.Join([]string{driver, postgresJDBC, dir}, string(filepath.ListSeparator))
}
