package main

import (
	"context"
	"crypto/tls"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
)

// postgresql is measured beside PgBouncer and HAProxy.
var postgresql = engine{
	name: "postgresql", title: "PostgreSQL", protocol: "postgres", policy: policy,
	start:   startPostgres,
	version: "SHOW server_version",
	peers: []func(directory, target string) (*peer, error){
		startPgBouncer, startHAProxy, floor("postgres", "go-copy"), floor("postgres", "go-frame"), floor("postgres", "go-mask"),
	},
	login:   loginPostgres,
	prepare: preparePostgres,
	small:   small, large: large,
	short:     work{name: "one row by key", unit: "query", run: onPostgres(simpleQuery)},
	encrypted: []work{small[2], large[0]},
	growing: growing{
		known:  small[2],
		plain:  "SELECT balance FROM accounts WHERE id = ",
		masked: "SELECT name, phone FROM customers WHERE id = ",
		column: "  bench.public.table_%d.column_%d: phone\n",
		table:  "CREATE TABLE t%d (a int, b int, c date);",
	},
	crowded:  small[1],
	forCrowd: poolPostgres,
	counted:  countedPostgres,
}

// pooled is a server whose sessions share a few.
type pooled struct {
	server
	pool *peer
}

func (p pooled) Addr() string { return p.pool.address }

// Close ends the pool alone.
func (p pooled) Close() { p.pool.stop() }

// poolPostgres lets thousands of sessions share a few: PostgreSQL has a process for
// each, and memory for thousands is not there everywhere.
func poolPostgres(directory string, s server) (server, error) {
	const pool = 16
	p, err := pgbouncer(directory, s.Addr(), "transaction", pool)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errors.New("thousands of sessions need PgBouncer in front of PostgreSQL")
	}
	return pooled{s, p}, nil
}

// startPostgres starts a server with all that is in it.
func startPostgres(ctx context.Context) (server, error) {
	s, err := proxytest.StartPostgreSQL(proxytest.WithSetting("max_connections", strconv.Itoa(mostSessions)))
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, s); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// A postgresClient is a session with PostgreSQL.
type postgresClient struct{ *pgconn.PgConn }

func (c postgresClient) leave(ctx context.Context) error { return c.Close(ctx) }

func (c postgresClient) ask(ctx context.Context, query string) (string, error) {
	results, err := c.Exec(ctx, query).ReadAll()
	if err != nil {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}

func (c postgresClient) run(ctx context.Context, query string) error {
	_, err := c.Exec(ctx, query).ReadAll()
	return err
}

func loginPostgres(ctx context.Context, c contestant) (client, error) {
	config, err := pgconn.ParseConfig(proxytest.PostgresDSN(c.address, c.user, database))
	if err != nil {
		return nil, err
	}
	if c.tls {
		config.TLSConfig = &tls.Config{InsecureSkipVerify: true} // its own authority is no matter here
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return postgresClient{conn}, nil
}

func preparePostgres(ctx context.Context, conn client) error {
	for name, text := range map[string]string{plainName: plainText, maskedName: maskedText} {
		if _, err := conn.(postgresClient).Prepare(ctx, name, text, nil); err != nil {
			return err
		}
	}
	return nil
}

// onPostgres makes a work of what is done on a connection to PostgreSQL.
func onPostgres(run func(ctx context.Context, conn *pgconn.PgConn) (int, error)) func(ctx context.Context, conn client) (int, error) {
	return func(ctx context.Context, conn client) (int, error) { return run(ctx, conn.(postgresClient).PgConn) }
}
