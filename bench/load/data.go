package main

import (
	"context"
	"fmt"

	"sqlveil/proxy/proxytest"
)

// database is where the tables are.
const database = "bench"

// The users of the bench: one that sees everything and one with masks.
const (
	clearUser  = "dba"
	maskedUser = "analyst"
)

// schema makes a table of small rows that no label touches, and one of rows of
// eight columns of which three are masked.
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
GRANT SELECT ON accounts, customers TO PUBLIC;
`

// accounts and customers are how many rows the tables have.
const (
	accounts  = 100_000
	customers = 200_000
)

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
	for _, user := range []string{"sqlveil", clearUser, maskedUser} {
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
	return server.Exec(ctx, database, "VACUUM ANALYZE accounts, customers")
}
