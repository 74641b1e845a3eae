package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
)

var update = flag.Bool("update", false, "print what the README's commands print now")

// A block is a fenced block of the README.
type block struct {
	line     int
	language string // "console", "yaml", ...
	file     string // the name of the file that the block is, or ""
	text     string
}

var fence = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

func readmeBlocks(t *testing.T) (text string, blocks []block) {
	t.Helper()
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text = string(data)
	for _, match := range fence.FindAllStringSubmatchIndex(text, -1) {
		b := block{line: 1 + strings.Count(text[:match[0]], "\n"), language: text[match[2]:match[3]], text: text[match[6]:match[7]]}
		if match[4] >= 0 {
			b.file = text[match[4]:match[5]]
		}
		blocks = append(blocks, b)
	}
	return text, blocks
}

// A shell is a bash that the README's commands are typed into.
type shell struct {
	directory   string
	environment []string
	ports       *strings.Replacer // the README's ports to those of this test
	back        *strings.Replacer
}

// TestReadme types every command of the README and compares what is printed.
// In an expected output a line "..." stands for any lines, and … for any text.
func TestReadme(t *testing.T) {
	server, err := proxytest.StartPostgreSQL() // of its own: it makes roles
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE crm"); err != nil {
		t.Fatal(err)
	}
	maria, err := proxytest.StartMariaDB() // likewise
	if err != nil {
		t.Fatal(err)
	}
	defer maria.Close()
	s := newShell(t, server, maria)
	_, blocks := readmeBlocks(t)
	var commands []command
	for _, b := range blocks {
		if b.file != "" {
			writeFile(t, filepath.Join(s.directory, b.file), s.ports.Replace(b.text))
		}
		if b.language == "console" {
			commands = append(commands, b.commands()...)
		}
	}
	for i, got := range s.run(t, commands) {
		want := commands[i].output
		if *update {
			fmt.Printf("$ %s\n%s", commands[i].text, got)
		} else if !matches(want, got) {
			t.Errorf("README.md:%d: $ %s\nprints\n%s\nwant\n%s", commands[i].line, commands[i].text, got, want)
		}
	}
}

// A command is a line of a console block with what it prints.
type command struct {
	line         int
	text, output string
}

func (b *block) commands() []command {
	var found []command
	for i, line := range strings.SplitAfter(b.text, "\n") {
		if text, ok := strings.CutPrefix(line, "$ "); ok {
			found = append(found, command{line: b.line + 1 + i, text: strings.TrimSuffix(text, "\n")})
		} else if len(found) > 0 {
			found[len(found)-1].output += line
		}
	}
	return found
}

func newShell(t *testing.T, server *proxytest.PostgreSQLServer, maria *proxytest.MariaDBServer) *shell {
	t.Helper()
	psql, err := proxytest.PostgresProgram("psql")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	writeFile(t, filepath.Join(bin, "sqlveil"), fmt.Sprintf("#!/bin/sh\nexport %s=1\nexec %q \"$@\"\n", runVariable, os.Args[0]))
	writeFile(t, filepath.Join(bin, "make"), "#!/bin/sh\nexec /usr/bin/make --no-print-directory -n -C "+mustAbs(t, "..")+" \"$@\" > /dev/null\n")
	for _, program := range []string{"sqlveil", "make"} {
		if err := os.Chmod(filepath.Join(bin, program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	client, err := proxytest.MariaDBProgram("mariadb")
	if err != nil {
		t.Fatal(err)
	}
	var ports, back []string
	for inReadme, here := range map[string]int{
		"5432": server.Port, "6432": freePort(t), "9642": freePort(t), "3306": maria.Port, "3307": freePort(t),
	} {
		ports, back = append(ports, inReadme, strconv.Itoa(here)), append(back, strconv.Itoa(here), inReadme)
	}
	return &shell{
		directory: t.TempDir(),
		environment: append(os.Environ(),
			"PATH="+bin+":"+filepath.Dir(psql)+":"+filepath.Dir(client)+":"+os.Getenv("PATH"),
			fmt.Sprintf("CRM=host=%s port=%d user=postgres dbname=crm", server.Directory, server.Port),
			"ROOT=--user=root --default-character-set=utf8mb4 --socket="+maria.Socket(),
			"LC_ALL=C.UTF-8", "PGCONNECT_TIMEOUT=10", "HOME=/nonexistent",
		),
		ports: strings.NewReplacer(ports...),
		back:  strings.NewReplacer(back...),
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

func freePort(t *testing.T) int {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	return socket.Addr().(*net.TCPAddr).Port
}

// What starts a server of the README, and where its configuration says it listens.
var (
	startsServer = regexp.MustCompile(`^sqlveil serve -c (\S+) .*&$`)
	listensOn    = regexp.MustCompile(`listen: 127\.0\.0\.1:(\d+)`)
)

// mark separates the outputs of commands.
const mark = "-- end of the command --\n"

// run types the commands one after the other and returns what each printed.
func (s *shell) run(t *testing.T, commands []command) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	script := "set -m\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\nexec 2>&1\n"
	for _, c := range commands {
		script += s.ports.Replace(c.text) + "\n"
		if config := startsServer.FindStringSubmatch(c.text); config != nil { // wait until it serves
			address := listensOn.FindStringSubmatch(readFile(t, filepath.Join(s.directory, config[1])))
			script += "for i in $(seq 200); do : 2>/dev/null </dev/tcp/127.0.0.1/" + address[1] + " && break; sleep 0.05; done 2>/dev/null\n"
		}
		script += "printf %s '" + mark + "'\n"
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = s.directory, s.environment
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	outputs := strings.SplitAfter(s.back.Replace(string(out)), mark)
	if len(outputs) != len(commands)+1 {
		t.Fatalf("%v: %d outputs of %d commands: %s", err, len(outputs)-1, len(commands), out)
	}
	for i := range outputs {
		outputs[i] = strings.TrimSuffix(outputs[i], mark)
	}
	return outputs[:len(commands)]
}

// matches compares an output, in which a line "..." stands for any lines. Spaces
// at the ends of lines do not count.
func matches(want, got string) bool {
	pattern := "^"
	for line := range strings.SplitSeq(strings.TrimRight(want, "\n"), "\n") {
		if line == "..." {
			pattern += `(?:.*\n)*?`
		} else {
			pattern += strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(line, " ")), "…", ".*") + ` *\n`
		}
	}
	return regexp.MustCompile(pattern + "\n*$").MatchString(strings.TrimRight(got, "\n") + "\n")
}

// Every refusal code stands in the README's table, in words of its own package.
func TestReadmeListsTheCodes(t *testing.T) {
	text, _ := readmeBlocks(t)
	for _, code := range rewrite.Codes() {
		if row := fmt.Sprintf("| %s | %s |\n", code.Code, code.Meaning); !strings.Contains(text, row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
	}
}
