package main

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
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
	short:   work{name: "one row by key", unit: "query", run: onPostgres(simpleQuery)},
	growths: []func(context.Context, *lab, options) (growth, error){growSessions, growLabels, growTexts, growMisses, growTables},
	counted: countedPostgres,
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

func loginPostgres(ctx context.Context, c contestant) (client, error) {
	conn, err := pgx.Connect(ctx, proxytest.PostgresDSN(c.address, c.user, database))
	if err != nil {
		return nil, err
	}
	return postgresClient{conn.PgConn()}, nil
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
