package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/config"
	"sqlveil/masking"
	"sqlveil/proxy/session"
	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

// askMySQL connects to a listener's server with the account that reads catalogs.
func askMySQL(ctx context.Context, l *config.Listener) (mysql.Ask, func(), error) {
	fail := func(err error) (mysql.Ask, func(), error) {
		return nil, nil, &placeError{fmt.Sprintf("listener %s: catalog account %s at %s", l.Name, l.Catalog.User, l.Server.Address), err}
	}
	connector, err := driver.NewConnector(mysqlAccount(l))
	if err != nil {
		return fail(err)
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close() // nothing of it is open
		return fail(err)
	}
	ask := func(ctx context.Context, text string) ([][]*string, error) { return askRows(ctx, conn, text) }
	done := func() {
		_ = conn.Close() // there is nothing to be done about it
		_ = db.Close()
	}
	return ask, done, nil
}

// killMySQL ends what a session runs. The catalog account may if it has the privilege
// CONNECTION ADMIN, or is the session's own.
func killMySQL(ctx context.Context, l *config.Listener, thread uint32) error {
	ask, done, err := askMySQL(ctx, l)
	if err != nil {
		return err
	}
	defer done()
	_, err = ask(ctx, fmt.Sprintf("KILL QUERY %d", thread))
	return err
}

// mysqlAccount is how the catalog account logs in.
func mysqlAccount(l *config.Listener) *driver.Config {
	options := driver.NewConfig()
	options.User, options.Passwd = l.Catalog.User, l.Catalog.Password
	options.Net, options.Addr = mysqlAddress(l.Server.Address)
	options.Timeout = 10 * time.Second
	options.ConnectionAttributes = "program_name:sqlveil"
	options.AllowNativePasswords = true
	options.Logger = &driver.NopLogger{}
	if base := l.Server.TLS.Config; base != nil && options.Net != "unix" {
		options.TLS = serverTLS(session.TLSMode(l.Server.TLS.Mode), base, options.Addr)
		options.AllowFallbackToPlaintext = l.Server.TLS.Mode == config.TLSPrefer
	}
	return options
}

func serverTLS(mode session.TLSMode, base *tls.Config, address string) *tls.Config {
	if mode.Off() {
		return nil
	}
	return mode.ServerTLS(base, address)
}

// askRows runs a query and returns its rows as texts; NULL is a nil pointer.
func askRows(ctx context.Context, conn *sql.Conn, text string) ([][]*string, error) {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var table [][]*string
	for rows.Next() {
		row := make([]*string, len(names))
		targets := make([]any, len(names))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		table = append(table, row)
	}
	return table, rows.Err()
}

// mysqlAddress is where a server listens; a directory holds its socket.
func mysqlAddress(address config.Address) (network, name string) {
	if address.Network() != "unix" {
		return "tcp", address.String()
	}
	if info, err := os.Stat(address.String()); err == nil && info.IsDir() {
		return "unix", filepath.Join(address.String(), "mysqld.sock")
	}
	return "unix", address.String()
}

// mysqlScope is that of a new session with a current database, which may be none.
// The role is left open.
func mysqlScope(ctx context.Context, l *config.Listener, database string) (*rewrite.Scope, error) {
	ask, done, err := askMySQL(ctx, l)
	if err != nil {
		return nil, err
	}
	defer done()
	scope := &rewrite.Scope{User: l.Catalog.User, Database: database}
	if database != "" {
		scope.SearchPath = []string{database}
	}
	rows, err := ask(ctx, mysql.ModeSQL)
	if err != nil {
		return nil, err
	}
	if len(rows) == 1 && len(rows[0]) == 2 && rows[0][1] != nil {
		scope.Mode = *rows[0][1]
	}
	catalog, err := mysql.Load(ctx, ask)
	if err != nil {
		return nil, err
	}
	scope.Catalog = catalog
	return scope, nil
}

// mysqlColumns lists the columns of the tables of every database that the catalog
// account may see.
func mysqlColumns(ctx context.Context, l *config.Listener) ([]masking.Column, error) {
	ask, done, err := askMySQL(ctx, l)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := ask(ctx, `SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME
		FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
		WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
		AND c.TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')
		ORDER BY 1, 2, c.ORDINAL_POSITION`)
	if err != nil {
		return nil, err
	}
	columns := make([]masking.Column, 0, len(rows))
	for _, row := range rows {
		if row[0] == nil || row[1] == nil || row[2] == nil {
			continue
		}
		columns = append(columns, masking.Column{Database: *row[0], Table: *row[1], Name: *row[2]})
	}
	return columns, nil
}
