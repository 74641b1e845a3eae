package main

import (
	"context"
	"crypto/tls"
	"maps"
	"slices"

	"sqlveil/config"
	"sqlveil/masking"
	"sqlveil/proxy/myrelay"
	"sqlveil/proxy/pgrelay"
	"sqlveil/proxy/session"
	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
	"sqlveil/rewrite/pgsql"
)

// A wire is one wire protocol: who relays it, and whose SQL it carries.
type wire struct {
	dialect  rewrite.Dialect
	relay    func(l *config.Listener, client func() *tls.Config) session.Relay
	catalogs func(l *config.Listener) catalogs
	scope    func(ctx context.Context, l *config.Listener, database string) (*rewrite.Scope, error) // what explain plans in
	columns  func(ctx context.Context, l *config.Listener) ([]masking.Column, error)                // of all databases behind a listener
}

// catalogs are [session.Catalogs] with connections of their own.
type catalogs interface {
	session.Catalogs
	Close()
}

// wires are the protocols that a listener can speak.
var wires = map[string]wire{
	config.Postgres: {dialect: pgsql.Dialect{}, relay: postgresRelay, catalogs: postgresCatalogs, scope: postgresScope, columns: postgresColumns},
	config.MySQL:    {dialect: mysql.Dialect{}, relay: mysqlRelay, catalogs: mysqlCatalogs, scope: mysqlScope, columns: mysqlColumns},
}

func wireNames() []string { return slices.Sorted(maps.Keys(wires)) }

func postgresRelay(l *config.Listener, client func() *tls.Config) session.Relay {
	network, address := postgresAddress(l.Server.Address)
	return &pgrelay.Relay{
		Network:      network,
		Address:      address,
		ServerTLS:    l.Server.TLS.Config,
		ServerTLSMod: session.TLSMode(l.Server.TLS.Mode),
		Fixed:        pgsql.FixedSetting,
		ClientTLS:    client,
		ClientTLSMod: session.TLSMode(l.TLS.Mode),
	}
}

func postgresCatalogs(l *config.Listener) catalogs {
	return postgresCatalog{pgsql.NewCatalogs(func(ctx context.Context, database string) (pgsql.Ask, func(), error) {
		return askPostgres(ctx, l, database)
	})}
}

func mysqlRelay(l *config.Listener, client func() *tls.Config) session.Relay {
	network, address := mysqlAddress(l.Server.Address)
	return &myrelay.Relay{
		Kill:         func(ctx context.Context, thread uint32) error { return killMySQL(ctx, l, thread) },
		Network:      network,
		Address:      address,
		ServerTLS:    l.Server.TLS.Config,
		ServerTLSMod: session.TLSMode(l.Server.TLS.Mode),
		ClientTLS:    client,
		ClientTLSMod: session.TLSMode(l.TLS.Mode),
	}
}

func mysqlCatalogs(l *config.Listener) catalogs {
	return mysql.NewCatalogs(func(ctx context.Context) (mysql.Ask, func(), error) { return askMySQL(ctx, l) })
}
