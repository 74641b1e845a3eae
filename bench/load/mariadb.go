package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"sqlveil/bench/myclient"
	"sqlveil/proxy/proxytest"
)

// mariadb is measured beside HAProxy, with sysbench and a client of our own.
var mariadb = engine{
	name: "mariadb", title: "MariaDB", protocol: "mysql", policy: mariadbPolicy,
	start:   startMariaDB,
	version: "SELECT VERSION()",
	peers: []func(directory, target string) (*peer, error){
		startHAProxy, floor("mysql", "go-copy"), floor("mysql", "go-frame"), floor("mysql", "go-mask"),
	},
	login:   loginMariaDB,
	prepare: prepareMariaDB,
	small: []work{
		{name: "sysbench oltp_point_select, text", unit: "transaction", whole: sysbench("oltp_point_select", "disable", pointSelects)},
		{name: "sysbench oltp_point_select, prepared", unit: "transaction", whole: sysbench("oltp_point_select", "auto", pointSelects)},
		{name: "sysbench oltp_read_only, text", unit: "transaction", whole: sysbench("oltp_read_only", "disable", readOnly)},
		{name: "sysbench oltp_read_only, prepared", unit: "transaction", whole: sysbench("oltp_read_only", "auto", readOnly)},
		{name: "one row by key with masked columns, text", unit: "query", run: onMariaDB(maskedByText)},
		{name: "one row by key with masked columns, prepared", unit: "query", run: onMariaDB(maskedPrepared)},
	},
	large: []work{
		{name: "rows of 8 columns, text", unit: "row", run: onMariaDB(allByText)},
		{name: "rows of 8 columns, binary", unit: "row", run: onMariaDB(allPrepared)},
	},
	short: work{name: "one row by key", unit: "query", run: onMariaDB(plainByText)},
	counted: []counted{
		{"MariaDB query, text", 3000, onMariaDB(plainByText)},
		{"MariaDB query, prepared", 3000, onMariaDB(plainPrepared)},
		{"MariaDB row, text", 1, onMariaDB(allByText)},
		{"MariaDB row, binary", 1, onMariaDB(allPrepared)},
	},
}

// mariadbSchema makes the table that sysbench's tests ask for, which no label
// touches, and one of rows of eight columns of which three are masked.
const mariadbSchema = `
CREATE TABLE sbtest1 (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, k int NOT NULL DEFAULT 0, c char(120) NOT NULL DEFAULT '',
	pad char(60) NOT NULL DEFAULT '', KEY k_1 (k));
INSERT INTO sbtest1 SELECT seq, 1 + seq * 7919 %% %[1]d, rpad(concat_ws('-', seq * 48271 %% 99999999999, seq), 119, '0-'), rpad(seq, 59, '0-') FROM seq_1_to_%[1]d;
CREATE TABLE customers (id int PRIMARY KEY, name varchar(64), email varchar(64), phone varchar(32), card varchar(32),
	address varchar(128), balance decimal(12,2), created_at datetime) CHARACTER SET utf8mb4;
INSERT INTO customers SELECT seq,
	concat(elt(1 + seq %% 4, 'Test Ann', 'Test Ben', 'Test Eve', 'Test Joe'), ' ', elt(1 + seq %% 3, 'Adams', 'Brown', 'Clark')),
	concat('user', seq, '@example', seq %% 97, '.com'),
	concat('154', lpad(seq, 8, '0')),
	concat('T', lpad(seq * 104729 %% 1000000, 16, '0')),
	concat(seq %% 9999, ' Example Street, Apt ', seq %% 300, ', Exampletown ', lpad(seq %% 100000, 5, '0')),
	seq %% 10000000 / 100.0,
	'2020-01-01' + INTERVAL seq * 61 SECOND
FROM seq_1_to_%[2]d;
ANALYZE TABLE sbtest1, customers`

// mariadbPolicy is policy with the names that columns have there.
const mariadbPolicy = `version: 1
levels: [public, internal, confidential, restricted]
classes:
  person-name: {level: confidential, mask: {name: {}}, use: equality}
  phone: {level: confidential, mask: {partial: {first: 3, last: 4}}, use: equality}
  email: {level: confidential, mask: {email: {}}}
columns:
  bench.customers.name: person-name
  bench.customers.phone: phone
  bench.customers.email: email
roles:
  masked: {clearance: internal}
  everything: {clearance: restricted}
callers:
  - {user: dba, role: everything}
  - {user: analyst, role: masked}
default_role: ""
unlabelled: visible
`

// startMariaDB starts a server with all that is in it.
func startMariaDB(ctx context.Context) (server, error) {
	s, err := proxytest.StartMariaDB("--max-connections="+strconv.Itoa(mostSessions), "--innodb-buffer-pool-size=256M", "--performance-schema=0")
	if err != nil {
		return nil, err
	}
	for _, user := range []string{"sqlveil", clearUser, maskedUser} {
		err = errors.Join(err, s.AddUser(ctx, user))
	}
	if err == nil {
		err = s.Exec(ctx, "", "CREATE DATABASE "+database)
	}
	if err == nil {
		err = s.Exec(ctx, database, fmt.Sprintf(mariadbSchema, accounts, customers))
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// A mariadbClient is a session with MariaDB and its prepared statements.
type mariadbClient struct {
	*myclient.Client
	plain, masked, all uint32
}

func loginMariaDB(_ context.Context, c contestant) (client, error) {
	conn, err := myclient.Open(c.address, c.user, database)
	if err != nil {
		return nil, err
	}
	return &mariadbClient{Client: conn}, nil
}

func (c *mariadbClient) leave(context.Context) error { return c.Close() }

func (c *mariadbClient) ask(_ context.Context, query string) (text string, err error) {
	c.Row = func(row []byte) { text = string(row[1:]) } // behind its length
	defer func() { c.Row = nil }()
	_, err = c.Query(query)
	return text, err
}

// Statements of the works; the first for a table without labels.
const (
	sbtestByKey   = "SELECT k FROM sbtest1 WHERE id = "
	customerByKey = "SELECT name, phone FROM customers WHERE id = "
)

func prepareMariaDB(_ context.Context, conn client) (err error) {
	c := conn.(*mariadbClient)
	if c.plain, err = c.Prepare(sbtestByKey + "?"); err != nil {
		return err
	}
	if c.masked, err = c.Prepare(customerByKey + "?"); err != nil {
		return err
	}
	c.all, err = c.Prepare(rowsText)
	return err
}

// onMariaDB makes a work of what is done in a session with MariaDB.
func onMariaDB(run func(c *mariadbClient) (int, error)) func(ctx context.Context, conn client) (int, error) {
	return func(_ context.Context, conn client) (int, error) { return run(conn.(*mariadbClient)) }
}

// anyKey is a key of either table.
func anyKey() uint64 { return 1 + rand.Uint64N(min(accounts, customers)) }

func plainByText(c *mariadbClient) (int, error) {
	return c.Query(sbtestByKey + strconv.FormatUint(anyKey(), 10))
}

func maskedByText(c *mariadbClient) (int, error) {
	return c.Query(customerByKey + strconv.FormatUint(anyKey(), 10))
}

func plainPrepared(c *mariadbClient) (int, error)  { return c.Execute(c.plain, anyKey()) }
func maskedPrepared(c *mariadbClient) (int, error) { return c.Execute(c.masked, anyKey()) }
func allByText(c *mariadbClient) (int, error)      { return c.Query(rowsText) }
func allPrepared(c *mariadbClient) (int, error)    { return c.Execute(c.all) }
