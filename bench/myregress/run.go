package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	// directLimit is how long a test may take that is worth while.
	directLimit = time.Minute
	// throughLimit is when it is taken to hang through the proxy.
	throughLimit = 5 * time.Minute
)

// exitSkipped is the exit code of a test that says itself that it cannot run here.
const exitSkipped = 62

// An outcome is what a test printed, and whether it came to its end.
type outcome struct {
	output []byte
	exit   int // -1: not done in time
}

// same says whether two outcomes are.
func (o outcome) same(other outcome) bool {
	return o.exit == other.exit && bytes.Equal(o.output, other.output)
}

// modes are the protocols in which a file can be run, and what asks for them.
var modes = map[string][]string{
	"text":   nil,
	"ps":     {"--ps-protocol"}, // every statement prepared: binary rows
	"cursor": {"--ps-protocol", "--cursor-protocol"},
	"sp":     {"--sp-protocol"}, // every statement in a procedure
	"view":   {"--view-protocol"},
}

// runFile runs a file of tests against what listens at an address.
func (s *server) runFile(ctx context.Context, file, mode, address string) (outcome, error) {
	connection, err := s.connection(address)
	if err != nil {
		return outcome{}, err
	}
	arguments := append(connection, "--silent", "--database=test", "--tmpdir="+s.temporary(), "--logdir="+filepath.Join(s.vars, "log"),
		"--character-sets-dir="+filepath.Join(s.of.share, "charsets"), "--test-file="+filepath.Join(s.of.files, file+".test"))
	return s.runTest(ctx, address, "mariadb-test", append(arguments, modes[mode]...)...)
}

// runTest runs one of the server's test programs.
func (s *server) runTest(ctx context.Context, address, program string, arguments ...string) (outcome, error) {
	if err := s.reset(ctx); err != nil { // a test may have dropped the superuser
		if err := errors.Join(ctx.Err(), s.renew(ctx)); err != nil {
			return outcome{}, err
		}
		if err := s.reset(ctx); err != nil {
			return outcome{}, fmt.Errorf("reset: %w", err)
		}
	}
	if err := os.RemoveAll(s.temporary()); err != nil {
		return outcome{}, err
	}
	if err := os.MkdirAll(s.temporary(), 0o755); err != nil {
		return outcome{}, err
	}
	command, err := s.of.command(program)
	if err != nil {
		return outcome{}, err
	}
	limit := directLimit
	if address != s.address() {
		limit = throughLimit
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, command[0], append(command[1:], arguments...)...)
	cmd.Dir = s.of.tests
	cmd.WaitDelay = time.Second // for the programs that it has started
	if cmd.Env, err = s.environment(address); err != nil {
		return outcome{}, err
	}
	output, err := cmd.CombinedOutput()
	done := outcome{output: neutral(output, address), exit: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return done, ctx.Err()
	case err != nil && !errors.As(err, &exit) && limited.Err() == nil && !errors.Is(err, exec.ErrWaitDelay):
		return done, err
	}
	return done, nil
}

// temporary is a directory for what a test writes.
func (s *server) temporary() string { return filepath.Join(s.vars, "tmp", "test") }

var errno = regexp.MustCompile(`, errno: [0-9]+`)

// neutral is output without what differs from run to run: the port, and the error
// number that was left from before when a program of the test failed.
func neutral(output []byte, address string) []byte {
	_, port, _ := strings.Cut(address, ":")
	output = errno.ReplaceAll(output, nil)
	return regexp.MustCompile(`\b`+port+`\b`).ReplaceAll(output, []byte("PORT"))
}

// connection are the options by which the server's programs reach an address.
func (s *server) connection(address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return []string{"--no-defaults", "--protocol=tcp", "--host=" + host, "--port=" + port, "--user=root"}, nil
}

// environment is what the tests are told of the server.
func (s *server) environment(address string) ([]string, error) {
	connection, err := s.connection(address)
	if err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(address, ":")
	set := []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=GMT-3", "USE_RUNNING_SERVER=1", "MTR_VERSION=2", "BIG_TEST=", "UMASK=0660", "UMASK_DIR=0770",
		"MYSQL_TEST_DIR=" + s.of.tests, "MTR_SUITE_DIR=" + s.of.files, "MYSQLTEST_VARDIR=" + s.vars, "MYSQL_TMP_DIR=" + s.temporary(),
		"MASTER_MYPORT=" + port, "MASTER_MYSOCK=" + s.socket(), "DEFAULT_MASTER_PORT=3306", "MYSQLD_DATADIR=" + s.data() + "/",
		"MYSQL_CHARSETSDIR=" + filepath.Join(s.of.share, "charsets"), "MYSQL_SHAREDIR=" + s.of.share, "SECURE_LOAD_PATH=" + filepath.Join(s.vars, "std_data"),
	}
	for variable, program := range map[string]string{
		"MYSQL": "mariadb", "MYSQL_DUMP": "mariadb-dump", "MYSQLADMIN": "mariadb-admin", "MYSQL_TEST": "mariadb-test", "MYSQL_IMPORT": "mariadb-import",
		"MYSQL_SHOW": "mariadb-show", "MYSQL_CHECK": "mariadb-check", "MYSQL_SLAP": "mariadb-slap",
	} {
		command, err := s.of.command(program)
		if err != nil {
			return nil, err
		}
		set = append(set, variable+"="+strings.Join(append(command, connection...), " "))
	}
	return set, nil
}
