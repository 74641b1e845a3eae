package proxytest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A MariaDBServer is a running MariaDB, MySQL or TiDB. Its superuser is root on
// the socket.
type MariaDBServer struct {
	Port      int
	Directory string // data directory, and where its unix socket is
	Authority *Authority

	kind      *myKind
	account   account
	process   *process
	arguments []string // of whoever started it
}

// MariaDB returns the test binary's server, started when the first test asks:
// the machine's MariaDB, or what SQLVEIL_MYSQL_BIN names.
func MariaDB(t TB) *MariaDBServer {
	t.Helper()
	server, err := sharedMariaDB.get("", func() (*MariaDBServer, error) { return StartMariaDB() })
	if err != nil {
		t.Fatalf("MariaDB for this test: %v", err)
	}
	return server
}

var sharedMariaDB shared[*MariaDBServer]

// StartMariaDB starts a server, to be ended by Close; its arguments come behind our
// own and prevail. The environment variable SQLVEIL_MYSQL_BIN names the directory
// of its programs, which decide whether it is a MariaDB, a MySQL or a TiDB.
func StartMariaDB(arguments ...string) (*MariaDBServer, error) {
	return StartMariaDBOf(os.Getenv("SQLVEIL_MYSQL_BIN"), arguments...)
}

// StartMariaDBOf does so with the programs of this directory, or with the machine's
// MariaDB where it is "".
func StartMariaDBOf(programs string, arguments ...string) (*MariaDBServer, error) {
	run, err := serverAccount("mysql")
	if err != nil {
		return nil, err
	}
	kind, err := kindOfMySQL(programs)
	if err != nil {
		return nil, err
	}
	dir, err := run.directory("sqlveil-my-")
	if err != nil {
		return nil, err
	}
	s := &MariaDBServer{Directory: dir, kind: kind, account: run, arguments: arguments}
	err = kind.initialise(s)
	if err == nil {
		err = s.configure()
	}
	if err == nil {
		err = s.Start()
	}
	if err == nil {
		err = s.Exec(context.Background(), "", kind.first)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// configure writes the certificates.
func (s *MariaDBServer) configure() error {
	var err error
	if s.Authority, err = NewAuthority("sqlveil test authority"); err != nil {
		return err
	}
	pair, err := s.Authority.Server("localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"server.crt": string(pair.Certificate), "server.key": string(pair.Key), "ca.crt": string(s.Authority.PEM),
	} {
		if err := s.account.write(s.Directory, name, text); err != nil {
			return err
		}
	}
	return nil
}

// Start starts the server again after Stop, on the port it had.
func (s *MariaDBServer) Start() error {
	for attempt := 0; ; attempt++ {
		var err error
		if s.Port == 0 {
			if s.Port, err = FreePort(); err != nil {
				return err
			}
		}
		s.process, err = startProcess(s.Directory, "KILL", s.account, slices.Concat([]string{s.kind.program}, s.kind.options(s), s.arguments)...)
		if err != nil {
			return err
		}
		err = s.process.ready(time.Minute, func() error { return s.Exec(context.Background(), "", "SELECT 1") })
		if err == nil || attempt == 3 || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
		s.Port = 0 // somebody else was quicker
	}
}

// Stop ends the server as a crash would and keeps its data for Start.
func (s *MariaDBServer) Stop() {
	if s.process != nil {
		s.process.stop()
		s.process = nil
	}
}

// Close ends the server and removes its directory.
func (s *MariaDBServer) Close() {
	s.Stop()
	_ = os.RemoveAll(s.Directory) // what is left lies in the temporary directory
}

// Socket is the path of the unix socket that root uses.
func (s *MariaDBServer) Socket() string { return filepath.Join(s.Directory, "s") }

// Addr is the server's TCP address.
func (s *MariaDBServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// DSN is the address of a database of this server for a user of AddUser, as
// go-sql-driver spells it.
func (s *MariaDBServer) DSN(user, database string) string {
	return MySQLDSN(s.Addr(), user, database)
}

// MySQLDSN is the same at another address, such as a proxy's.
func MySQLDSN(addr, user, database string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s", user, Password(user), addr, database)
}

// Open gives a pool of sessions as root, which have no current database when
// the name is empty.
func (s *MariaDBServer) Open(database string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.DBName = "root", "unix", s.Socket(), database
	config.MultiStatements = true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Exec runs statements as root.
func (s *MariaDBServer) Exec(ctx context.Context, database, text string) error {
	db, err := s.Open(database)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, text)
	return err
}

// AddUser makes a login from anywhere with the password that [Password] tells
// and every privilege, so that only what stands in front of the server limits it.
func (s *MariaDBServer) AddUser(ctx context.Context, user string) error {
	return s.Exec(ctx, "", fmt.Sprintf("CREATE USER '%[1]s'@'%%' IDENTIFIED BY '%[2]s'; GRANT ALL ON *.* TO '%[1]s'@'%%' WITH GRANT OPTION", user, Password(user)))
}

// MariaDBProgram finds one of MariaDB's programs in PATH and where Debian puts
// the server.
func MariaDBProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := filepath.Join("/usr/sbin", name) // not in everybody's PATH
	if _, err := os.Stat(path); err != nil {
		return "", &MissingError{Program: name, Looked: "PATH and /usr/sbin", Install: "apt-get install mariadb-server"}
	}
	return path, nil
}
