// Myregress runs the tests that come with a MariaDB or MySQL server, directly and
// through sqlveil as a role that sees everything, and compares what they print:
// files of statements in the text protocol, prepared, and with cursors, and then
// the tests of the C API.
//
// What runs differently through sqlveil is run directly again: where two direct
// runs differ, that says nothing about the proxy; it is left out and counted. So
// are tests that do not run here, because they ask for a server with other options.
//
// The files are those of Debian's package mariadb-test. With -mysql they are those
// of a MySQL server that is unpacked somewhere with its package mysql-testsuite and
// all that both need.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"sqlveil/proxy/proxytest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.mysql, "mysql", "", "the directory into which a MySQL server is unpacked")
	flag.StringVar(&o.files, "files", ".", "a regular expression: the files to run")
	flag.StringVar(&o.modes, "modes", "text,ps,cursor,c", "the protocols: text, ps, cursor, sp, view; and c, the tests of the C API")
	flag.StringVar(&o.keep, "keep", "", "a directory to leave the outputs in")
	flag.DurationVar(&o.limit, "for", 0, "how long each protocol's tests may take; without end when 0")
	flag.StringVar(&o.program, "program", "", "the sqlveil to run; built from source when empty")
	flag.Parse()
	differing, err := regress(ctx, &o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "myregress:", err)
	}
	if err != nil || differing > 0 {
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	mysql, files, modes, keep, program string
	limit                              time.Duration
}

// A lab is a server and a proxy in front of it.
type lab struct {
	server *server
	proxy  string        // its address
	keep   string        // where outputs are left, "" for nowhere
	limit  time.Duration // of each suite, 0 for none
}

// regress runs everything and returns how many tests differ.
func regress(ctx context.Context, o *options) (differing int, err error) {
	matching, err := regexp.Compile(o.files)
	if err != nil {
		return 0, err
	}
	d := mariaDB()
	if o.mysql != "" {
		if d, err = mySQL(o.mysql); err != nil {
			return 0, err
		}
	}
	work, err := os.MkdirTemp("/tmp", "sqlveil-myregress-") // a socket's path is short
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	server, err := startServer(ctx, d, filepath.Join(work, "var"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	proxy, err := startProxy(work, o.program, server)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, proxy.Stop()) }()
	l := &lab{server: server, proxy: proxy.Address, keep: o.keep, limit: o.limit}
	for mode := range strings.SplitSeq(o.modes, ",") {
		suite, err := l.suite(ctx, mode, matching)
		if err != nil {
			return differing, err
		}
		differs, err := l.compare(ctx, suite)
		differing += differs
		if err != nil {
			return differing, err
		}
	}
	return differing, nil
}

// startProxy starts sqlveil in front of the server, every caller seeing everything.
func startProxy(work, program string, s *server) (*proxytest.Sqlveil, error) {
	if program == "" {
		program = filepath.Join(work, "sqlveil")
		if err := proxytest.BuildSqlveil(program); err != nil {
			return nil, err
		}
	}
	site := proxytest.Site{Protocol: "mysql", Server: s.address(), Catalog: catalogUser, Policy: policy, Durability: "spool"}
	config, err := site.Write(work)
	if err != nil {
		return nil, err
	}
	return proxytest.StartSqlveil(program, config, nil)
}

const policy = `version: 1
levels: [public, restricted]
classes:
  secret: {level: restricted, mask: {redact: {}}}
columns:
  "no_such_database.no_such_table.secret": secret
roles:
  everything: {clearance: restricted}
callers:
  - {role: everything}
default_role: ""
unlabelled: visible
`

// A suite is tests of one kind.
type suite struct {
	name  string
	tests []string
	run   func(ctx context.Context, test, address string) (outcome, error)
	want  func(test string) string // the file that upstream expects as output, "" for none
}

// suite returns the tests that are run in a mode.
func (l *lab) suite(ctx context.Context, mode string, matching *regexp.Regexp) (*suite, error) {
	if mode == "c" {
		return l.capi(ctx, matching)
	}
	if _, ok := modes[mode]; !ok {
		return nil, fmt.Errorf("no mode %q", mode)
	}
	files, err := l.server.of.list(matching)
	if err != nil {
		return nil, err
	}
	return &suite{
		name: mode, tests: files,
		run: func(ctx context.Context, file, address string) (outcome, error) {
			return l.server.runFile(ctx, file, mode, address)
		},
		want: func(file string) string { return filepath.Join(l.server.of.want, file+".result") },
	}, nil
}

// capi returns the tests of the C API.
func (l *lab) capi(ctx context.Context, matching *regexp.Regexp) (*suite, error) {
	const program = "mariadb-client-test"
	listed, err := l.server.runTest(ctx, l.server.address(), program, "--no-defaults", "--show-tests")
	if err != nil {
		return nil, err
	}
	s := &suite{name: "c", run: func(ctx context.Context, test, address string) (outcome, error) {
		host, port, _ := strings.Cut(address, ":")
		o, err := l.server.runTest(ctx, address, program, "--no-defaults", "--host="+host, "--port="+port, "--user=root", "--vardir="+l.server.vars, "--testcase", test)
		o.output = unstable.ReplaceAll(o.output, nil)
		return o, err
	}}
	for line := range bytes.Lines(listed.output) {
		if test := strings.TrimSpace(string(line)); strings.HasPrefix(test, "test_") && matching.MatchString(test) {
			s.tests = append(s.tests, test)
		}
	}
	return s, nil
}

// unstable is what the tests of the C API print of addresses, numbers of threads
// and times.
var unstable = regexp.MustCompile(`(?i)(thread|connection)[ _]id.*|total execution time.*|0x[0-9a-f]+|[0-9]+[.][0-9]+ s.*|[0-9]{4}-[0-9]{2}-[0-9]{2}.*`)

// compare runs the tests of a suite directly and through the proxy, prints what
// differs and a summary, and returns how many differ.
func (l *lab) compare(ctx context.Context, s *suite) (differing int, err error) {
	var run, same, leftOut, skipped, whole, expected int
	start := time.Now()
	for _, test := range s.tests {
		if l.limit > 0 && time.Since(start) > l.limit {
			break
		}
		run++
		direct, err := l.run(ctx, s, test, l.server.address(), "direct")
		if err != nil {
			return differing, err
		}
		if direct.exit == exitSkipped || direct.exit < 0 {
			skipped++
			continue
		}
		through, err := l.run(ctx, s, test, l.proxy, "through")
		if err != nil {
			return differing, err
		}
		verdict, what := alike, ""
		if !through.same(direct) {
			if verdict, what, err = l.judge(ctx, s, test, direct, through); err != nil {
				return differing, err
			}
		}
		switch verdict {
		case alike:
			same++
			if direct.exit == 0 {
				whole++
			}
		case restless:
			leftOut++
			fmt.Printf("left out %s %s: %s\n", s.name, test, what)
		case different:
			differing++
			fmt.Printf("DIFFERS %s %s: %s\n", s.name, test, what)
		}
		if s.isExpected(test, direct) {
			expected++
		}
	}
	fmt.Printf("%s: %d of %d tests: %d the same (%d of them to their end), %d differ, %d left out, %d not for this server; %d are directly as upstream expects them\n",
		s.name, run, len(s.tests), same, whole, differing, leftOut, skipped, expected)
	return differing, nil
}

// A verdict says what a test tells of the proxy.
type verdict int

const (
	alike     verdict = iota
	restless          // it differs by itself
	different         // through the proxy it differs
)

// judge runs a test again that printed something else through the proxy.
func (l *lab) judge(ctx context.Context, s *suite, test string, direct, through outcome) (verdict, string, error) {
	again, err := l.run(ctx, s, test, l.server.address(), "direct-again")
	switch {
	case err != nil:
		return 0, "", err
	case through.same(again):
		return alike, "", nil
	case !direct.same(again):
		return restless, "two direct runs differ: " + difference(direct, again), nil
	}
	throughAgain, err := l.run(ctx, s, test, l.proxy, "through-again")
	switch {
	case err != nil:
		return 0, "", err
	case throughAgain.same(direct):
		return restless, "two runs through sqlveil differ: " + difference(direct, through), nil
	}
	return different, difference(direct, through), nil
}

// run runs a test and keeps its output where that is wanted.
func (l *lab) run(ctx context.Context, s *suite, test, address, name string) (outcome, error) {
	o, err := s.run(ctx, test, address)
	if err != nil || l.keep == "" {
		return o, err
	}
	dir := filepath.Join(l.keep, s.name, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return o, err
	}
	return o, os.WriteFile(filepath.Join(dir, test+".out"), o.output, 0o644)
}

// isExpected says whether a test's output is what upstream expects.
func (s *suite) isExpected(test string, o outcome) bool {
	if s.want == nil {
		return o.exit == 0
	}
	want, err := os.ReadFile(s.want(test))
	return err == nil && bytes.Equal(want, o.output)
}

// difference is the first difference of two outcomes.
func difference(a, b outcome) string {
	x, y := bytes.Split(a.output, []byte("\n")), bytes.Split(b.output, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return fmt.Sprintf("line %d: %.140q and %.140q", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines and %d, exit codes %d and %d", len(x), len(y), a.exit, b.exit)
}
