package proxytest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestPostgreSQLLogins(t *testing.T) {
	server := PostgreSQL(t)
	ctx := context.Background()
	for _, by := range []string{ByScram, ByMD5, ByPassword, ByTrust} {
		user := "login " + by
		if err := server.AddUser(ctx, user, by, ""); err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(ctx, server.DSN(user, "postgres"))
		if err != nil {
			t.Fatalf("log in %s: %v", by, err)
		}
		conn.Close(ctx)
	}
}

func TestPostgreSQLPsqlOverTLS(t *testing.T) {
	server := PostgreSQL(t)
	if err := server.AddUser(context.Background(), "tls", ByScram, ""); err != nil {
		t.Fatal(err)
	}
	database := server.Database(t, "over tls")
	ca := t.TempDir() + "/ca.crt"
	if err := os.WriteFile(ca, server.Authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := strings.Replace(server.DSN("tls", database), "sslmode=disable", "sslmode=verify-full&sslrootcert="+ca, 1)
	got := Psql(t, dsn, "SELECT ssl, current_database() FROM pg_stat_ssl WHERE pid = pg_backend_pid();", "-At")
	if want := "t|over tls\n"; got != want {
		t.Errorf("psql printed %q, want %q", got, want)
	}
}

func TestPostgreSQLComesBackOnItsPort(t *testing.T) {
	server, err := StartPostgreSQL(WithSetting("max_connections", "20"))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()
	if err := server.Exec(ctx, "postgres", "CREATE TABLE kept (n int)"); err != nil {
		t.Fatal(err)
	}
	port := server.Port
	server.Stop()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if server.Port != port {
		t.Errorf("port %d after the restart, want %d", server.Port, port)
	}
	if err := server.Exec(ctx, "postgres", "SELECT n FROM kept"); err != nil {
		t.Error(err)
	}
	server.Close()
	if _, err := os.Stat(server.Directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestMariaDB(t *testing.T) {
	server := MariaDB(t)
	ctx := context.Background()
	if err := server.AddUser(ctx, "reader"); err != nil {
		t.Fatal(err)
	}
	if err := server.Exec(ctx, "", "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	client, err := MariaDBProgram("mariadb")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(client, "--no-defaults", "-h127.0.0.1", "-P", server.Addr()[len("127.0.0.1:"):], "-ureader", "-p"+Password("reader"), "-N", "-e", "SELECT DATABASE()", "shop")
	out, err := cmd.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "shop" {
		t.Errorf("mariadb printed %q, %v, want shop", got, err)
	}
}

// TestServersDieWithTheirStarter kills a process that has started a server.
func TestServersDieWithTheirStarter(t *testing.T) {
	if os.Getenv("PROXYTEST_STARTER") != "" {
		server := PostgreSQL(t)
		os.Stdout.WriteString("started " + server.Directory + "\n")
		time.Sleep(time.Minute)
	}
	starter := exec.Command(os.Args[0], "-test.run=^TestServersDieWithTheirStarter$")
	starter.Env = append(os.Environ(), "PROXYTEST_STARTER=1")
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "started "))
	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = starter.Wait() // killed
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	t.Errorf("%s is still there", dir)
}

func TestMissingProgramsSayHowToGetThem(t *testing.T) {
	t.Setenv("SQLVEIL_POSTGRESQL_BIN", t.TempDir())
	t.Setenv("SQLVEIL_MYSQL_BIN", t.TempDir())
	for program, start := range map[string]func() error{
		"initdb": func() error { _, err := StartPostgreSQL(); return err },
		"mariadb-install-db, mysqld or tidb-server": func() error { _, err := StartMariaDB(); return err },
	} {
		err := start()
		if missing, ok := errors.AsType[*MissingError](err); !ok || missing.Program != program || !strings.Contains(err.Error(), "apt-get install") {
			t.Errorf("without %s: %v", program, err)
		}
	}
}
