package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"sqlveil/proxy/proxytest"
)

// database is the one whose tokens are searched for.
const database = "aviary"

// twins are two databases with the same tables as that, and the same in them but
// for the tokens. Their names are of one length, since messages have them.
var twins = [2]string{"mirror", "mirage"}

// A lab is a database full of tokens with sqlveil in front of it. Its clients
// are superusers of the database: the proxy is all that stands between.
type lab struct {
	server    *proxytest.PostgreSQLServer
	proxy     *proxytest.Sqlveil // under policy.yaml
	strict    *proxytest.Sqlveil // under twins.yaml
	directory string
	search    *search
	secrets   []secret // of the first twin: what no class lets anybody compare
	allowed   secret   // and one that its class does
}

// startLab starts everything. What it started before something failed is ended.
func startLab(ctx context.Context) (l *lab, err error) {
	l = new(lab)
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.server, err = proxytest.StartPostgreSQL(proxytest.WithSetting("autovacuum", "off")); err != nil {
		return l, err
	}
	for user, attributes := range map[string]string{"masked": "SUPERUSER", "open": "SUPERUSER", "sqlveil": ""} {
		if err := l.server.AddUser(ctx, user, proxytest.ByScram, attributes); err != nil {
			return l, err
		}
	}
	if err := l.fill(ctx); err != nil {
		return l, err
	}
	return l, l.startProxies()
}

// fill makes the databases. All are copies of one without rows, so that
// everything has the same OID in the twins. These have no statistics: they would
// differ, and with them the order in which rows come.
func (l *lab) fill(ctx context.Context) error {
	l.search = newSearch()
	learn := func(t relation, c column, v token) { l.search.add(t.name+"."+c.name, v) }
	know := func(t relation, c column, v token) {
		if s := (secret{t, c, v.literal}); c.class != "equal" {
			l.secrets = append(l.secrets, s)
		} else if c.name == "alias" {
			l.allowed = s
		}
	}
	for _, step := range []struct{ database, sql string }{
		{"postgres", "CREATE DATABASE " + database},
		{database, script()},
		{"postgres", "CREATE DATABASE " + twins[0] + " TEMPLATE " + database},
		{"postgres", "CREATE DATABASE " + twins[1] + " TEMPLATE " + database},
		{database, rows(1, tokenOf, learn) + "ANALYZE"},
		{twins[0], rows(2, tokenOf, know)},
		{twins[1], rows(3, variedToken, func(relation, column, token) {})},
	} {
		if err := l.server.Exec(ctx, step.database, step.sql); err != nil {
			return err
		}
	}
	return nil
}

// startProxies builds the program and runs it under each policy.
func (l *lab) startProxies() (err error) {
	if l.directory, err = os.MkdirTemp("", "sqlveil-canary-"); err != nil {
		return err
	}
	program := filepath.Join(l.directory, "sqlveil")
	if err := proxytest.BuildSqlveil(program); err != nil {
		return err
	}
	if l.proxy, err = l.start(program, "policy", canaryPolicy); err != nil {
		return err
	}
	l.strict, err = l.start(program, "twins", twinsPolicy)
	return err
}

func (l *lab) start(program, name, policy string) (*proxytest.Sqlveil, error) {
	directory := filepath.Join(l.directory, name)
	if err := os.Mkdir(directory, 0o700); err != nil {
		return nil, err
	}
	site := proxytest.Site{Server: l.server.Addr(), Catalog: "sqlveil", Policy: onColumns(policy), Durability: "spool"}
	config, err := site.Write(directory)
	if err != nil {
		return nil, err
	}
	return proxytest.StartSqlveil(program, config, nil)
}

func (l *lab) close() error {
	var err error
	for _, proxy := range []*proxytest.Sqlveil{l.proxy, l.strict} {
		if proxy != nil {
			err = errors.Join(err, proxy.Stop())
		}
	}
	if l.server != nil {
		l.server.Close()
	}
	if l.directory != "" {
		err = errors.Join(err, os.RemoveAll(l.directory))
	}
	return err
}
