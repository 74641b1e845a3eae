package main

import (
	"context"
	"fmt"

	"sqlveil/proxy/proxytest"
)

// database is where the tables are.
const database = "bench"

// The users of the bench: the one that reads definitions, one that sees everything and one with masks.
const (
	catalogUser = "sqlveil"
	clearUser   = "dba"
	maskedUser  = "analyst"
)

// schema makes a table of small rows that no label touches, one of rows of eight
// columns of which three are masked, and four to join with that.
const schema = `
CREATE TABLE accounts AS SELECT id, id %% 1000 AS balance FROM generate_series(1, %[1]d) id;
ALTER TABLE accounts ADD PRIMARY KEY (id);
CREATE TABLE customers AS SELECT id,
	(ARRAY['Test Ann', 'Test Ben', 'Test Eve', 'Test Joe'])[1 + id %% 4] || ' ' || (ARRAY['Adams', 'Brown', 'Clark'])[1 + id %% 3] AS name,
	'user' || id || '@example' || id %% 97 || '.com' AS email,
	'154' || lpad(id::text, 8, '0') AS phone,
	'T' || lpad((id::bigint * 104729 %% 1000000)::text, 16, '0') AS card,
	id %% 9999 || ' Example Street, Apt ' || id %% 300 || ', Exampletown ' || lpad((id %% 100000)::text, 5, '0') AS address,
	(id %% 10000000) / 100.0::numeric(12,2) AS balance,
	timestamptz '2020-01-01 00:00:00+00' + id * interval '61 seconds' AS created_at
FROM generate_series(1, %[2]d) id;
ALTER TABLE customers ADD PRIMARY KEY (id);
CREATE TABLE companies AS SELECT id, 'Example ' || id AS name FROM generate_series(1, 100) id;
ALTER TABLE companies ADD PRIMARY KEY (id);
CREATE TABLE products AS SELECT id, 1 + id %% 100 AS company_id, 'thing ' || id AS title FROM generate_series(1, 1000) id;
ALTER TABLE products ADD PRIMARY KEY (id);
CREATE TABLE orders AS SELECT id, id * 2 AS customer_id, date '2026-01-01' + id %% 365 AS placed_on FROM generate_series(1, %[1]d) id;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE TABLE items AS SELECT id, id AS order_id, 1 + id %% 1000 AS product_id, id %% 10 AS amount FROM generate_series(1, %[1]d) id;
ALTER TABLE items ADD PRIMARY KEY (id);
GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;
`

// accounts and customers are how many rows the tables have.
const (
	accounts  = 100_000
	customers = 200_000
)

// mostKey is the last key that accounts, customers, orders and items all have.
const mostKey = min(accounts, customers)

// fiveTables is a query of one row of five tables whose key comes behind it, with a
// masked column.
const fiveTables = "SELECT i.id, c.name, p.title, f.name, o.placed_on, i.amount FROM items i JOIN orders o ON o.id = i.order_id" +
	" JOIN customers c ON c.id = o.customer_id JOIN products p ON p.id = i.product_id JOIN companies f ON f.id = p.company_id WHERE i.id = "

const policy = `version: 1
levels: [public, internal, confidential, restricted]
classes:
  person-name: {level: confidential, mask: {name: {}}, use: equality}
  phone: {level: confidential, mask: {partial: {first: 3, last: 4}}, use: equality}
  email: {level: confidential, mask: {email: {}}}
columns:
  bench.public.customers.name: person-name
  bench.public.customers.phone: phone
  bench.public.customers.email: email
roles:
  masked: {clearance: internal}
  everything: {clearance: restricted}
callers:
  - {user: dba, role: everything}
  - {user: analyst, role: masked}
default_role: ""
unlabelled: visible
`

// fill makes users and tables. Nobody needs a password: to hash one takes longer
// than all else in a login.
func fill(ctx context.Context, server *proxytest.PostgreSQLServer) error {
	for _, user := range []string{catalogUser, clearUser, maskedUser} {
		if err := server.AddUser(ctx, user, proxytest.ByTrust, ""); err != nil {
			return err
		}
	}
	if err := server.Exec(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
		return err
	}
	if err := server.Exec(ctx, database, fmt.Sprintf(schema, accounts, customers)); err != nil {
		return err
	}
	return server.Exec(ctx, database, "VACUUM ANALYZE")
}
