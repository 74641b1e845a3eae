package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"sqlveil/bench/myclient"
	"sqlveil/proxy/proxytest"
)

// mariadb is the machine's, or the one that SQLVEIL_MYSQL_BIN names.
var mariadb = speaksMySQL("mariadb", "MariaDB", nil, func(ctx context.Context) (server, error) {
	return startMariaDB(ctx, programsOf("mariadbd", ""))
})

// mysql is the one that SQLVEIL_MYSQL_BIN names, or the 8.0 of .ci/install.
var mysql = speaksMySQL("mysql", "MySQL",
	func() bool { return executable(filepath.Join(programsOf("mysqld", mysqlTools), "mysqld")) },
	func(ctx context.Context) (server, error) { return startMariaDB(ctx, programsOf("mysqld", mysqlTools)) })

// mysqlTools is where .ci/install my-versions puts MySQL's programs.
const mysqlTools = ".tools/mysql/8.0/bin"

// programsOf is the directory that SQLVEIL_MYSQL_BIN names if the server is of this
// name there, else the usual one.
func programsOf(name, usual string) string {
	if dir := os.Getenv("SQLVEIL_MYSQL_BIN"); executable(filepath.Join(dir, name)) {
		return dir
	}
	return usual
}

// speaksMySQL is an engine that is measured beside HAProxy, with sysbench and a
// client of our own.
func speaksMySQL(name, title string, there func() bool, start func(ctx context.Context) (server, error)) *engine {
	e := &engine{
		name: name, title: title, protocol: "mysql", policy: mariadbPolicy,
		there:   there,
		start:   start,
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
		encrypted: []work{
			{name: "one row by key, prepared", unit: "query", run: onMariaDB(plainPrepared)},
			{name: "rows of 8 columns, text", unit: "row", run: onMariaDB(allByText)},
		},
		growing: growing{
			known: work{name: "one row by key, prepared", unit: "query", run: onMariaDB(plainPrepared)},
			plain: sbtestByKey, masked: customerByKey,
			column: "  bench.table_%d.column_%d: phone\n",
			table:  "CREATE TABLE t%d (a int, b int, c date) ENGINE=MEMORY;",
		},
		crowded:  work{name: "one row by key, text", unit: "query", run: onMariaDB(plainByText)},
		forCrowd: func(_ string, s server) (server, error) { return borrowed{s}, nil },
	}
	if there == nil {
		e.counted = countedMariaDB
	}
	return e
}

// borrowed is a server that somebody else closes.
type borrowed struct{ server }

// Close leaves it running.
func (borrowed) Close() {}

var countedMariaDB = []counted{
	{"MariaDB query, text", countedQueries, onMariaDB(plainByText)},
	{"MariaDB query, prepared", countedQueries, onMariaDB(plainPrepared)},
	{"MariaDB row, text", countedScans, onMariaDB(allByText)},
	{"MariaDB row, binary", countedScans, onMariaDB(allPrepared)},
}

// mariadbSchema makes the table that sysbench's tests ask for, which no label
// touches, one of rows of eight columns of which three are masked, and four to join
// with that.
const mariadbSchema = `
CREATE TABLE digits AS SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
	UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9;
CREATE TABLE numbers (seq int PRIMARY KEY) AS SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS seq
	FROM digits a, digits b, digits c, digits e, digits f, digits g;
CREATE TABLE sbtest1 (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, k int NOT NULL DEFAULT 0, c char(120) NOT NULL DEFAULT '',
	pad char(60) NOT NULL DEFAULT '', KEY k_1 (k));
INSERT INTO sbtest1 SELECT seq, 1 + seq * 7919 %% %[1]d, rpad(concat_ws('-', seq * 48271 %% 99999999999, seq), 119, '0-'), rpad(seq, 59, '0-') FROM numbers WHERE seq <= %[1]d;
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
FROM numbers WHERE seq <= %[2]d;
CREATE TABLE companies (id int PRIMARY KEY, name varchar(64)) AS SELECT seq AS id, concat('Example ', seq) AS name FROM numbers WHERE seq <= 100;
CREATE TABLE products (id int PRIMARY KEY) AS SELECT seq AS id, 1 + seq %% 100 AS company_id, concat('thing ', seq) AS title FROM numbers WHERE seq <= 1000;
CREATE TABLE orders (id int PRIMARY KEY) AS SELECT seq AS id, seq * 2 AS customer_id, '2026-01-01' + INTERVAL seq %% 365 DAY AS placed_on
	FROM numbers WHERE seq <= %[1]d;
CREATE TABLE items (id int PRIMARY KEY) AS SELECT seq AS id, seq AS order_id, 1 + seq %% 1000 AS product_id, seq %% 10 AS amount
	FROM numbers WHERE seq <= %[1]d;
DROP TABLE digits, numbers;
ANALYZE TABLE sbtest1, customers, companies, products, orders, items`

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

// startMariaDB starts a server with all that is in it, of the programs in a directory
// or the machine's.
func startMariaDB(ctx context.Context, programs string) (server, error) {
	s, err := proxytest.StartMariaDBOf(programs, "--max-connections="+strconv.Itoa(mostPeers), "--innodb-buffer-pool-size=256M", "--performance-schema=0",
		"--loose-debug-no-sync", "--loose-sync-frm=OFF") // fifty thousand tables are made while nobody waits for the disk
	if err != nil {
		return nil, err
	}
	if err := fillMariaDB(ctx, s); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// fillMariaDB makes users and tables.
func fillMariaDB(ctx context.Context, s *proxytest.MariaDBServer) error {
	for _, user := range []string{catalogUser, clearUser, maskedUser} {
		if err := s.AddUser(ctx, user); err != nil {
			return err
		}
		if err := myclient.Acquaint(ctx, s.Addr(), user); err != nil {
			return err
		}
	}
	if err := s.Exec(ctx, "", "CREATE DATABASE "+database); err != nil {
		return err
	}
	return s.Exec(ctx, database, fmt.Sprintf(mariadbSchema, accounts, customers))
}

// A mariadbClient is a session with MariaDB and its prepared statements.
type mariadbClient struct {
	*myclient.Client
	plain, masked, all uint32
}

func loginMariaDB(_ context.Context, c contestant) (client, error) {
	open := myclient.Open
	if c.tls {
		open = myclient.OpenTLS
	}
	conn, err := open(c.address, c.user, database)
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

func (c *mariadbClient) run(_ context.Context, query string) error {
	_, err := c.Query(query)
	return err
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

// anyKey is a key that both tables have.
func anyKey() uint64 { return 1 + rand.Uint64N(mostKey) }

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
