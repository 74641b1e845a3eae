package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/config"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

var postgresDemoKind = demoKind{
	name: "PostgreSQL", protocol: config.Postgres, policy: sample.Policy, schema: "public",
	start: func() (demoServer, error) {
		server, err := proxytest.StartPostgreSQL()
		if err != nil {
			return nil, err
		}
		return postgresDemo{server}, nil
	},
}

// A postgresDemo is a demo's PostgreSQL.
type postgresDemo struct{ *proxytest.PostgreSQLServer }

// fill implements [demoServer].
func (d postgresDemo) fill(ctx context.Context, o demoOptions) error {
	for _, user := range append([]string{catalogUser}, sample.Users...) {
		if err := d.AddUser(ctx, user, proxytest.ByScram, ""); err != nil {
			return err
		}
	}
	if err := d.Exec(ctx, "postgres", "CREATE DATABASE "+sample.Database+" OWNER dba"); err != nil {
		return err
	}
	conn, err := d.Connect(ctx, sample.Database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := sample.Load(ctx, conn, o.seed, o.customers); err != nil {
		return err
	}
	_, err = conn.PgConn().Exec(ctx, "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC").ReadAll()
	return err
}

// row implements [demoServer].
func (d postgresDemo) row(ctx context.Context, address, user, sql string) ([]*string, error) {
	conn, err := pgx.Connect(ctx, proxytest.PostgresDSN(address, user, sample.Database))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	return onlyRow(sql, textRows(results[0].Rows))
}

// onlyRow is the row of a result that has one.
func onlyRow(sql string, rows [][]*string) ([]*string, error) {
	if len(rows) != 1 {
		return nil, fmt.Errorf("%s: %d rows", sql, len(rows))
	}
	return rows[0], nil
}

// refusal implements [demoServer].
func (d postgresDemo) refusal(err error) (string, bool) {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return "", false
	}
	return refusal.Severity + ": " + refusal.Message, true
}

// client implements [demoServer].
func (d postgresDemo) client(address, user string) string {
	return fmt.Sprintf("psql '%s'", proxytest.PostgresDSN(address, user, sample.Database))
}
