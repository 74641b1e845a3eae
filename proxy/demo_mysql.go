package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/config"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

var mysqlDemoKind = demoKind{
	name: "MariaDB", protocol: config.MySQL, policy: sample.MySQLPolicy,
	start: func() (demoServer, error) {
		server, err := proxytest.StartMariaDB()
		if err != nil {
			return nil, err
		}
		return mysqlDemo{server}, nil
	},
}

// A mysqlDemo is a demo's MariaDB.
type mysqlDemo struct{ *proxytest.MariaDBServer }

// fill implements [demoServer].
func (d mysqlDemo) fill(ctx context.Context, o demoOptions) error {
	for _, user := range append([]string{catalogUser}, sample.Users...) {
		if err := d.AddUser(ctx, user); err != nil {
			return err
		}
	}
	if err := d.Exec(ctx, "", "CREATE DATABASE "+sample.Database); err != nil {
		return err
	}
	db, err := d.Open(sample.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	return sample.LoadMySQL(ctx, db, o.seed, o.customers)
}

// row implements [demoServer].
func (d mysqlDemo) row(ctx context.Context, address, user, text string) ([]*string, error) {
	db, err := sql.Open("mysql", proxytest.MySQLDSN(address, user, sample.Database))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows, err := askRows(ctx, conn, text)
	if err != nil {
		return nil, err
	}
	return onlyRow(text, rows)
}

// refusal implements [demoServer].
func (d mysqlDemo) refusal(err error) (string, bool) {
	refusal, ok := errors.AsType[*driver.MySQLError](err)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("ERROR %d (%s): %s", refusal.Number, refusal.SQLState, refusal.Message), true
}

// client implements [demoServer].
func (d mysqlDemo) client(address, user string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err) // the address of a socket of ours
	}
	return fmt.Sprintf("mariadb --host=%s --port=%s --user=%s --password=%s %s", host, port, user, proxytest.Password(user), sample.Database)
}
