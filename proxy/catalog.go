package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/config"
	"sqlveil/masking"
	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

// postgresCatalog lets [pgsql.Catalogs] be used by package session, which does
// not know the dialect's own types.
type postgresCatalog struct{ *pgsql.Catalogs }

// Local implements [session.Catalogs].
func (c postgresCatalog) Local(ctx context.Context, database string, _ []rewrite.TemporaryTable, ask func(context.Context, string) ([][]*string, error)) (rewrite.Catalog, error) {
	return c.Catalogs.Local(ctx, database, ask)
}

// askPostgres connects to a database of a listener's server with the account
// that reads catalogs. An empty name is the account's own database.
func askPostgres(ctx context.Context, l *config.Listener, database string) (pgsql.Ask, func(), error) {
	conn, err := connectPostgres(ctx, l, database)
	if err != nil {
		return nil, nil, &placeError{fmt.Sprintf("listener %s: catalog account %s at %s", l.Name, l.Catalog.User, l.Server.Address), err}
	}
	ask := func(ctx context.Context, sql string) ([][]*string, error) {
		results, err := conn.Exec(ctx, sql).ReadAll()
		if err != nil {
			return nil, err
		}
		return textRows(results[len(results)-1].Rows), nil
	}
	return ask, func() { closePostgres(conn) }, nil
}

// textRows makes NULL a nil pointer.
func textRows(rows [][][]byte) [][]*string {
	table := make([][]*string, len(rows))
	for i, row := range rows {
		table[i] = make([]*string, len(row))
		for j, cell := range row {
			if cell != nil {
				text := string(cell)
				table[i][j] = &text
			}
		}
	}
	return table
}

// closePostgres says goodbye to a server that may not listen any more.
func closePostgres(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // there is nothing to be done about it
}

// connectPostgres opens a connection by the listener's settings alone: what the
// environment says to libpq does not count.
func connectPostgres(ctx context.Context, l *config.Listener, database string) (*pgconn.PgConn, error) {
	options, err := pgconn.ParseConfig("host=localhost port=5432 user=x dbname=x sslmode=disable passfile=/dev/null connect_timeout=10")
	if err != nil {
		return nil, err
	}
	network, address := postgresAddress(l.Server.Address)
	options.User, options.Password, options.Database = l.Catalog.User, l.Catalog.Password, database
	options.RuntimeParams = map[string]string{"application_name": "sqlveil"}
	options.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"server"}, nil }
	options.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	if tlsConfig := l.Server.TLS.Config; tlsConfig != nil && network != "unix" {
		options.TLSConfig = tlsConfig
		if l.Server.TLS.Mode == config.TLSPrefer {
			options.Fallbacks = []*pgconn.FallbackConfig{{Host: "localhost", Port: 5432, TLSConfig: (*tls.Config)(nil)}}
		}
	}
	return pgconn.ConnectConfig(ctx, options)
}

// postgresAddress is where a server listens; a directory holds its socket.
func postgresAddress(address config.Address) (network, name string) {
	if address.Network() != "unix" {
		return "tcp", address.String()
	}
	if info, err := os.Stat(address.String()); err == nil && info.IsDir() {
		return "unix", filepath.Join(address.String(), ".s.PGSQL.5432")
	}
	return "unix", address.String()
}

// postgresScope is that of a new session in a database: what its catalog has and
// where names are looked up. The role is left open.
func postgresScope(ctx context.Context, l *config.Listener, database string) (*rewrite.Scope, error) {
	ask, done, err := askPostgres(ctx, l, database)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := ask(ctx, "SELECT pg_catalog.current_database()::pg_catalog.text, s::pg_catalog.text FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) s")
	if err != nil {
		return nil, err
	}
	scope := &rewrite.Scope{User: l.Catalog.User}
	for _, row := range rows {
		scope.Database = *row[0]
		scope.SearchPath = append(scope.SearchPath, *row[1])
	}
	if _, err := ask(ctx, "SELECT pg_catalog.set_config('search_path', '', false)"); err != nil {
		return nil, err
	}
	scope.Catalog, err = pgsql.Load(ctx, ask, scope.Database)
	return scope, err
}

// postgresColumns lists the columns of the tables of every database that the
// catalog account may connect to.
func postgresColumns(ctx context.Context, l *config.Listener) ([]masking.Column, error) {
	ask, done, err := askPostgres(ctx, l, "postgres")
	if err != nil {
		return nil, err
	}
	databases, err := ask(ctx, "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate AND pg_catalog.has_database_privilege(oid, 'CONNECT') ORDER BY datname")
	done()
	if err != nil {
		return nil, err
	}
	var all []masking.Column
	for _, database := range databases {
		columns, err := databaseColumns(ctx, l, *database[0])
		if err != nil {
			return all, err
		}
		all = append(all, columns...)
	}
	return all, nil
}

func databaseColumns(ctx context.Context, l *config.Listener, database string) ([]masking.Column, error) {
	ask, done, err := askPostgres(ctx, l, database)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := ask(ctx, `SELECT n.nspname, c.relname, a.attname
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
		AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
		ORDER BY 1, 2, a.attnum`)
	if err != nil {
		return nil, err
	}
	columns := make([]masking.Column, len(rows))
	for i, row := range rows {
		columns[i] = masking.Column{Database: database, Schema: *row[0], Table: *row[1], Name: *row[2]}
	}
	return columns, nil
}
