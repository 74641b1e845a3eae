package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"sqlveil/proxy/proxytest"
)

// A server is one that runs the tests' statements, laid out as the tests expect it:
// std_data is found from the data directory as ../../std_data.
type server struct {
	of      *distribution
	account string // whose process it is
	vars    string // what the tests call MYSQLTEST_VARDIR
	port    int
	root    *sql.DB // as its superuser, past the proxy

	new state // before the first test

	cmd   *exec.Cmd
	ended chan struct{}
}

// catalogUser reads table definitions for the proxy.
const catalogUser = "sqlveil"

func (s *server) data() string   { return filepath.Join(s.vars, "mysqld.1", "data") }
func (s *server) socket() string { return filepath.Join(s.vars, "s") }
func (s *server) log() string    { return filepath.Join(s.vars, "log", "mysqld.1.err") }

// address is where it listens.
func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// startServer makes a server in vars and starts it.
func startServer(ctx context.Context, d *distribution, vars string) (*server, error) {
	s := &server{of: d, vars: vars}
	for _, dir := range []string{filepath.Join(vars, "log"), filepath.Join(vars, "tmp")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(filepath.Join(vars, "std_data"), os.DirFS(filepath.Join(d.tests, "std_data"))); err != nil {
		return nil, err
	}
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	s.account = who.Username
	if err := s.renew(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// renew makes the server anew, with nothing in it, and starts it.
func (s *server) renew(ctx context.Context) error {
	if err := s.stop(); err != nil {
		return err
	}
	if err := os.RemoveAll(s.data()); err != nil {
		return err
	}
	if err := os.MkdirAll(s.data(), 0o755); err != nil {
		return err
	}
	if err := s.install(); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	return nil
}

// install makes the data directory.
func (s *server) install() error {
	var command []string
	if s.of.ofMySQL() {
		program, err := s.of.command("mariadbd")
		if err != nil {
			return err
		}
		command = append(program, "--no-defaults", "--initialize-insecure", "--datadir="+s.data(), "--user="+s.account, "--lc-messages-dir="+s.of.share)
	} else {
		program, err := proxytest.MariaDBProgram("mariadb-install-db")
		if err != nil {
			return err
		}
		command = []string{
			program, "--no-defaults", "--datadir=" + s.data(), "--user=" + s.account,
			"--auth-root-authentication-method=normal", "--skip-test-db",
		}
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out[max(0, len(out)-600):])
	}
	return nil
}

// options are those of the tests' own configuration that change what a statement
// answers (mysql-test/include/default_mysqld.cnf).
func (s *server) options() []string {
	if s.of.ofMySQL() {
		return []string{
			"--mysqlx=OFF", "--lc-messages-dir=" + s.of.share, "--character-sets-dir=" + filepath.Join(s.of.share, "charsets"),
			"--plugin-dir=" + filepath.Join(s.of.root, "usr/lib/mysql/plugin"), "--innodb-buffer-pool-size=24M", "--innodb-flush-method=nosync", "--innodb-doublewrite=0", "--explain-format=TRADITIONAL", "--log-error=" + s.log(),
		}
	}
	return []string{
		"--plugin-maturity=unknown", "--character-set-server=latin1", "--default-storage-engine=myisam", "--key-buffer-size=1M", "--sort-buffer-size=256K",
		"--max-heap-table-size=1M", "--use-stat-tables=preferably", "--histogram-type=json_hb", "--log-basename=mysqld", "--log-bin=master-bin",
		"--binlog-format=mixed", "--innodb-buffer-pool-size=8M", "--performance-schema=on", "--debug-no-sync", "--log-error=" + s.log(),
	}
}

// start starts it on a free port, or on that which it had.
func (s *server) start(ctx context.Context) (err error) {
	if s.port == 0 {
		if s.port, err = proxytest.FreePort(); err != nil {
			return err
		}
	}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.MultiStatements = "root", "unix", s.socket(), true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	arguments := append([]string{
		"--no-defaults", "--user=" + s.account, "--datadir=" + s.data(), "--tmpdir=" + filepath.Join(s.vars, "tmp"), "--socket=" + s.socket(),
		"--pid-file=" + filepath.Join(s.vars, "pid"), "--port=" + strconv.Itoa(s.port), "--bind-address=127.0.0.1", "--server-id=1",
		"--local-infile=1", "--secure-file-priv=" + s.vars, "--log-bin-trust-function-creators=1", "--innodb-flush-log-at-trx-commit=0",
		"--sync-binlog=0", "--connect-timeout=60",
	}, s.options()...)
	if s.cmd, err = s.of.start(s.data(), s.log(), "mariadbd", arguments...); err != nil {
		return err
	}
	s.root, s.ended = sql.OpenDB(connector), make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // why it ended is in its log
	}()
	return s.ready(ctx)
}

// ready waits until the server answers.
func (s *server) ready(ctx context.Context) error {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := s.root.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended at once: see %s", s.log())
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends it.
func (s *server) stop() error {
	if s.ended == nil {
		return nil
	}
	_ = s.root.Close() // a test may have ended the server
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-s.ended
	return err
}

// prepare makes what the tests expect to be there: the database test, time zones,
// and the procedure by which they say which warnings of the server are no fault.
// Their superuser has no password; he who reads table definitions has.
func (s *server) prepare(ctx context.Context) error {
	_, err := s.root.ExecContext(ctx, `CREATE DATABASE mtr;
CREATE PROCEDURE mtr.add_suppression(pattern TEXT) BEGIN END;
CREATE USER '`+catalogUser+`'@'localhost' IDENTIFIED BY '`+proxytest.Password(catalogUser)+`';
GRANT ALL ON *.* TO '`+catalogUser+`'@'localhost'`)
	if err != nil {
		return err
	}
	zones := filepath.Join(s.of.share, "mysql_test_data_timezone.sql")
	if s.of.ofMySQL() {
		zones = filepath.Join(s.of.tests, "include", "mtr_test_data_timezone.sql")
	}
	text, err := os.ReadFile(zones)
	if err != nil {
		return err
	}
	if _, err := s.root.ExecContext(ctx, "USE mysql; "+string(text)); err != nil {
		return fmt.Errorf("%s: %w", zones, err)
	}
	s.new, err = s.state(ctx)
	return err
}
