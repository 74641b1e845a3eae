package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sqlveil/proxy/proxytest"
)

const (
	login    = "regress"
	database = "regression"
	// fileLimit is how long a file may take.
	fileLimit = 3 * time.Minute
)

// run runs all files on a server of their own, through the proxy if there is
// one, and returns what psql printed.
func (s *suite) run(ctx context.Context, program string, jobs int) (outputs map[string][]byte, took time.Duration, err error) {
	server, err := proxytest.StartPostgreSQL()
	if err != nil {
		return nil, 0, err
	}
	defer server.Close()
	if err := s.prepare(ctx, server); err != nil {
		return nil, 0, err
	}
	address := server.Addr()
	if program != "" {
		proxy, err := startProxy(program, server)
		if err != nil {
			return nil, 0, err
		}
		defer func() { err = errors.Join(err, proxy.Stop()) }()
		address = proxy.Address
	}
	start := time.Now()
	outputs, err = s.runFiles(ctx, address, jobs)
	return outputs, time.Since(start), err
}

// prepare makes the database that pg_regress would make.
func (s *suite) prepare(ctx context.Context, server *proxytest.PostgreSQLServer) error {
	if err := server.AddUser(ctx, login, proxytest.ByScram, "SUPERUSER"); err != nil {
		return err
	}
	if err := server.Exec(ctx, "postgres", "CREATE DATABASE "+database+" TEMPLATE template0 OWNER "+login); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"lc_messages": "C", "lc_monetary": "C", "lc_numeric": "C", "lc_time": "C", "bytea_output": "hex", "timezone_abbreviations": "Default",
	} {
		if err := server.Exec(ctx, "postgres", fmt.Sprintf("ALTER DATABASE %s SET %s TO '%s'", database, name, value)); err != nil {
			return err
		}
	}
	results := filepath.Join(s.source, "results")
	if err := os.RemoveAll(results); err != nil {
		return err
	}
	if err := os.Mkdir(results, 0o755); err != nil {
		return err
	}
	return os.Chmod(results, 0o777) // whatever the umask
}

// runFiles runs the groups of the schedule one after the other.
func (s *suite) runFiles(ctx context.Context, address string, jobs int) (map[string][]byte, error) {
	psql, err := proxytest.PostgresProgram("psql")
	if err != nil {
		return nil, err
	}
	outputs := make(map[string][]byte)
	var mu sync.Mutex // guards outputs
	slots := make(chan struct{}, jobs)
	for _, group := range s.schedule {
		var wg sync.WaitGroup
		for _, file := range group {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				output := s.runFile(ctx, psql, file, address)
				mu.Lock()
				defer mu.Unlock()
				outputs[file] = output
			})
		}
		wg.Wait()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return outputs, nil
}

// runFile runs one file as pg_regress does. That psql fails or is too slow is
// part of the output.
// https://www.postgresql.org/docs/current/regress-run.html
func (s *suite) runFile(ctx context.Context, psql, file, address string) []byte {
	ctx, cancel := context.WithTimeout(ctx, fileLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, psql, "--no-psqlrc", "--echo-all", "--quiet", "--dbname="+database,
		"--variable=HIDE_TABLEAM=on", "--variable=HIDE_TOAST_COMPRESSION=on")
	cmd.Dir = s.source
	host, port, _ := strings.Cut(address, ":")
	cmd.Env = []string{
		"PATH=" + filepath.Dir(psql) + ":" + os.Getenv("PATH"),
		"LANG=C", "LC_MESSAGES=C", "PGTZ=America/Los_Angeles", "PGDATESTYLE=Postgres, MDY", "PGOPTIONS=-c intervalstyle=postgres_verbose",
		"PGHOST=" + host, "PGPORT=" + port, "PGUSER=" + login, "PGPASSWORD=" + proxytest.Password(login), "PGSSLMODE=disable",
		"PGAPPNAME=pg_regress/" + file,
		"PG_ABS_SRCDIR=" + s.source, "PG_ABS_BUILDDIR=" + s.source, "PG_LIBDIR=" + s.library, "PG_DLSUFFIX=.so",
	}
	input, err := os.Open(filepath.Join(s.source, "sql", file+".sql"))
	if err != nil {
		return []byte(err.Error())
	}
	defer input.Close()
	cmd.Stdin = input
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		output = fmt.Appendf(output, "not done after %v: %v\n", fileLimit, err)
	}
	return output
}

// startProxy runs the program, every caller seeing everything. Its files are in
// the directory of the program.
func startProxy(program string, server *proxytest.PostgreSQLServer) (*proxytest.Sqlveil, error) {
	site := proxytest.Site{Server: server.Addr(), Catalog: login, Policy: policy, Durability: "spool"}
	config, err := site.Write(filepath.Dir(program))
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
  "regression.public.no_such_table.secret": secret
roles:
  everything: {clearance: restricted}
callers:
  - {role: everything}
default_role: ""
unlabelled: visible
`
