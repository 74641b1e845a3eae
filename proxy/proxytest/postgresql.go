package proxytest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// A PostgreSQLServer is a running PostgreSQL. Its superuser is "postgres".
type PostgreSQLServer struct {
	Port      int
	Directory string // data directory, and where its unix socket is
	Authority *Authority

	options postgresOptions
	account account
	process *process
}

type postgresOptions struct {
	settings map[string]string
	access   []string
}

// A PostgresOption departs from the usual server.
type PostgresOption func(*postgresOptions)

// WithSetting sets a parameter of postgresql.conf.
func WithSetting(name, value string) PostgresOption {
	return func(o *postgresOptions) { o.settings[name] = value }
}

// WithAccess puts a line before the others of pg_hba.conf.
func WithAccess(line string) PostgresOption {
	return func(o *postgresOptions) { o.access = append(o.access, line) }
}

// The ways a user may have to log in; AddUser takes one.
const (
	ByScram       = "by_scram"
	ByMD5         = "by_md5"
	ByPassword    = "by_password"
	ByTrust       = "by_trust"
	ByCertificate = "by_certificate" // whose common name is the user
)

// access is pg_hba.conf: the groups that AddUser puts users in decide.
const access = `local all all trust
host all +by_md5 all md5
host all +by_password all password
host all +by_trust all trust
hostssl all +by_certificate all cert
host all +by_certificate all reject
host all all all scram-sha-256
host replication all all scram-sha-256
`

var postgresSettings = map[string]string{
	"listen_addresses":          "127.0.0.1",
	"fsync":                     "off",
	"full_page_writes":          "off",
	"jit":                       "off",
	"max_connections":           "200",
	"max_prepared_transactions": "10",
	"max_wal_size":              "2GB",
	"shared_buffers":            "128MB",
	"timezone":                  "UTC",
	"log_min_messages":          "fatal",
	"password_encryption":       "scram-sha-256",
	"ssl":                       "on",
	"ssl_cert_file":             "server.crt",
	"ssl_key_file":              "server.key",
	"ssl_ca_file":               "ca.crt",
}

// PostgreSQL returns the test binary's server with these options, started when
// the first test asks. Tests share it: each makes a database of its own with
// [PostgreSQLServer.Database].
func PostgreSQL(t TB, options ...PostgresOption) *PostgreSQLServer {
	t.Helper()
	chosen := chooseOptions(options)
	server, err := sharedPostgres.get(fmt.Sprint(chosen), func() (*PostgreSQLServer, error) {
		return StartPostgreSQL(options...)
	})
	if err != nil {
		t.Fatalf("PostgreSQL for this test: %v", err)
	}
	return server
}

var sharedPostgres shared[*PostgreSQLServer]

// shared remembers one server per set of options for the life of the process.
type shared[S any] struct {
	mu    sync.Mutex
	start map[string]func() (S, error) // guarded by mu
}

func (s *shared[S]) get(key string, start func() (S, error)) (S, error) {
	s.mu.Lock()
	if s.start == nil {
		s.start = make(map[string]func() (S, error))
	}
	once, ok := s.start[key]
	if !ok {
		once = sync.OnceValues(start)
		s.start[key] = once
	}
	s.mu.Unlock()
	return once()
}

func chooseOptions(options []PostgresOption) postgresOptions {
	chosen := postgresOptions{settings: maps.Clone(postgresSettings)}
	for _, option := range options {
		option(&chosen)
	}
	return chosen
}

// StartPostgreSQL starts a server, to be ended by Close. The environment
// variable SQLVEIL_POSTGRESQL_BIN names the directory of its programs; without
// it the newest version installed is taken.
func StartPostgreSQL(options ...PostgresOption) (*PostgreSQLServer, error) {
	run, err := serverAccount("postgres")
	if err != nil {
		return nil, err
	}
	initdb, err := PostgresProgram("initdb")
	if err != nil {
		return nil, err
	}
	dir, err := run.directory("sqlveil-pg-")
	if err != nil {
		return nil, err
	}
	s := &PostgreSQLServer{Directory: dir, options: chooseOptions(options), account: run}
	err = run.run(dir, initdb, "--pgdata="+dir, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if err == nil {
		err = s.configure()
	}
	if err == nil {
		err = s.Start()
	}
	if err == nil {
		err = s.Exec(context.Background(), "postgres", "CREATE ROLE by_scram; CREATE ROLE by_md5; CREATE ROLE by_password; CREATE ROLE by_trust; CREATE ROLE by_certificate")
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// configure writes the certificates and pg_hba.conf.
func (s *PostgreSQLServer) configure() error {
	var err error
	if s.Authority, err = NewAuthority("sqlveil test authority"); err != nil {
		return err
	}
	pair, err := s.Authority.Server("localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"server.crt":  string(pair.Certificate),
		"server.key":  string(pair.Key),
		"ca.crt":      string(s.Authority.PEM),
		"pg_hba.conf": strings.Join(append(slices.Clone(s.options.access), access), "\n"),
	} {
		if err := s.account.write(s.Directory, name, text); err != nil {
			return err
		}
	}
	return nil
}

// Start starts the server again after Stop, on the port it had.
func (s *PostgreSQLServer) Start() error {
	program, err := PostgresProgram("postgres")
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		if s.Port == 0 {
			if s.Port, err = FreePort(); err != nil {
				return err
			}
		}
		command := []string{program, "-D", s.Directory, "-p", strconv.Itoa(s.Port), "-k", s.Directory}
		for name, value := range s.options.settings {
			command = append(command, "-c", name+"="+value)
		}
		if s.process, err = startProcess(s.Directory, "QUIT", s.account, command...); err != nil {
			return err
		}
		err = s.process.ready(time.Minute, func() error { return s.Exec(context.Background(), "postgres", "SELECT 1") })
		if err == nil || attempt == 3 || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
		s.Port = 0 // somebody else was quicker
	}
}

// Stop ends the server as a crash would and keeps its data for Start.
func (s *PostgreSQLServer) Stop() {
	if s.process != nil {
		s.process.stop()
		s.process = nil
	}
}

// Close ends the server and removes its directory.
func (s *PostgreSQLServer) Close() {
	s.Stop()
	_ = os.RemoveAll(s.Directory) // what is left lies in the temporary directory
}

// Log returns the end of what the server wrote to its log.
func (s *PostgreSQLServer) Log() string { return s.process.log.last(tailSize) }

// Addr is the server's TCP address.
func (s *PostgreSQLServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// DSN is the address of a database of this server for a user of AddUser.
func (s *PostgreSQLServer) DSN(user, database string) string {
	return PostgresDSN(s.Addr(), user, database)
}

// PostgresDSN is the same at another address, such as a proxy's.
func PostgresDSN(addr, user, database string) string {
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, Password(user)),
		Host: addr, Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return dsn.String()
}

// Connect opens a session as the superuser, past every password.
func (s *PostgreSQLServer) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=postgres dbname=%s", s.Directory, s.Port, database))
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// Exec runs statements as the superuser.
func (s *PostgreSQLServer) Exec(ctx context.Context, database, sql string) error {
	conn, err := s.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// AddUser makes a login with the password that [Password] tells, which logs in
// as by says. attributes are CREATE ROLE's, such as SUPERUSER.
func (s *PostgreSQLServer) AddUser(ctx context.Context, user, by, attributes string) error {
	encryption := "scram-sha-256"
	if by == ByMD5 {
		encryption = "md5"
	}
	name := pgx.Identifier{user}.Sanitize()
	return s.Exec(ctx, "postgres", fmt.Sprintf("SET password_encryption = '%s'; CREATE ROLE %s LOGIN %s PASSWORD '%s' IN ROLE %s",
		encryption, name, attributes, Password(user), by))
}

// Database makes an empty database for one test and drops it afterwards.
func (s *PostgreSQLServer) Database(t TB, name string) string {
	t.Helper()
	quoted := pgx.Identifier{name}.Sanitize()
	if err := s.Exec(context.Background(), "postgres", "CREATE DATABASE "+quoted); err != nil {
		t.Fatalf("database %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := s.Exec(context.Background(), "postgres", "DROP DATABASE "+quoted+" WITH (FORCE)"); err != nil {
			t.Fatalf("drop database %s: %v", name, err)
		}
	})
	return name
}

// Psql runs psql against a DSN and returns what it printed on both outputs.
func Psql(t TB, dsn, input string, args ...string) string {
	t.Helper()
	program, err := PostgresProgram("psql")
	if err != nil {
		t.Fatalf("%v", err)
	}
	cmd := exec.Command(program, append([]string{"--no-psqlrc", dsn}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = account{}.environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql %q: %v: %s", args, err, out)
	}
	return string(out)
}

// serverPrograms must be of the version that is asked for; clients talk to any.
var serverPrograms = []string{"postgres", "initdb", "pg_ctl"}

// PostgresProgram finds one of PostgreSQL's programs: in SQLVEIL_POSTGRESQL_BIN
// if that is set, which may hold the server alone, else the newest under
// /usr/lib/postgresql, else in PATH.
func PostgresProgram(name string) (string, error) {
	if dir := os.Getenv("SQLVEIL_POSTGRESQL_BIN"); dir != "" {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if slices.Contains(serverPrograms, name) {
			return "", &MissingError{Program: name, Looked: "SQLVEIL_POSTGRESQL_BIN=" + dir, Install: "apt-get install postgresql"}
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(versionOf(a), versionOf(b)) }), nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", &MissingError{Program: name, Looked: "/usr/lib/postgresql/*/bin and PATH", Install: "apt-get install postgresql"}
}

// versionOf is the 15 of /usr/lib/postgresql/15/bin/psql.
func versionOf(path string) int {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0 // not Debian's naming: the oldest
	}
	return version
}
