-- What the statements of the judge's own generator speak of: the same names in
-- two schemas, odd names, dropped columns, every kind of relation and row.
CREATE SCHEMA shop;
CREATE SCHEMA lager;
CREATE SCHEMA "Odd ""Names";
CREATE TYPE shop.address AS (street text, city text, zip int);
CREATE TYPE shop.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN shop.email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE shop.customer (
  gone int, id int PRIMARY KEY, name text NOT NULL, mail shop.email UNIQUE, phone varchar(20), lost text, born date, pay numeric(10,2),
  doc jsonb, home shop.address, tags text[], active bool, created timestamptz, code char(8), mood shop.mood,
  label text GENERATED ALWAYS AS (lower(name) || code) STORED
);
ALTER TABLE shop.customer DROP COLUMN gone, DROP COLUMN lost;
CREATE TABLE shop.item (id int PRIMARY KEY, customer int REFERENCES shop.customer, name text, price numeric, day date, doc json, amount int, qty int[], note text);
CREATE TABLE lager.item (id bigint PRIMARY KEY, name text, shelf text, amount smallint, day date, mail text);
CREATE TABLE lager.gone (x int, id int, name varchar, phone text);
ALTER TABLE lager.gone DROP COLUMN x;
CREATE TABLE "Odd ""Names"."Select" ("From" int, "a.b" text, "ID" int, id int, "naïve ☃" text, "Group" text, customer text, name text);
CREATE TABLE lager.event (id int, day date, phone text, customer int) PARTITION BY RANGE (day);
CREATE TABLE lager.event_old PARTITION OF lager.event FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE lager.event_new (customer int, phone text, day date, id int);
ALTER TABLE lager.event ATTACH PARTITION lager.event_new FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');
CREATE TABLE lager.base (id int, name text, amount int);
CREATE TABLE lager.child (mail text, phone text) INHERITS (lager.base);
CREATE VIEW shop.active AS SELECT id, name AS full_name, phone, mail, home FROM shop.customer WHERE active AND pay > 10;
CREATE VIEW shop.sales (buyer, total, last) AS
  SELECT a.full_name, sum(i.price * i.amount), max(i.day) FROM shop.active a JOIN shop.item i ON i.customer = a.id GROUP BY a.id, a.full_name;
CREATE VIEW lager.everything AS
  SELECT id, name, amount FROM shop.item UNION ALL SELECT id, name, amount FROM lager.item UNION SELECT id, phone, NULL FROM shop.active;
CREATE VIEW lager.deep AS
  WITH RECURSIVE r (id, name, depth) AS (SELECT id, name, 0 FROM lager.base UNION ALL SELECT r.id, r.name || b.name, depth + 1 FROM r JOIN lager.base b USING (id))
  SELECT r.*, (SELECT max(phone) FROM shop.customer c WHERE c.id = r.id) AS phone FROM r;
CREATE VIEW lager.rows AS SELECT c AS customer, to_jsonb(ROW(c.id, c.mail)) AS pair, c.home FROM shop.customer c;
CREATE VIEW "Odd ""Names".view AS SELECT s.*, "From" + 1 AS next FROM "Odd ""Names"."Select" s;
CREATE MATERIALIZED VIEW shop.pays AS SELECT mood, avg(pay) AS pay, count(DISTINCT mail) AS mails FROM shop.customer GROUP BY mood;
CREATE FUNCTION shop.mail_of(int) RETURNS text STABLE BEGIN ATOMIC SELECT mail FROM shop.customer WHERE id = $1; END;
CREATE FUNCTION shop.pick(a text, b text DEFAULT 'b') RETURNS text IMMUTABLE RETURN COALESCE(a, b);
CREATE FUNCTION shop.pick(a int) RETURNS int IMMUTABLE RETURN a + 1;
CREATE FUNCTION shop.initials(c shop.customer) RETURNS text STABLE BEGIN ATOMIC SELECT left((c).name, 1) || left(c.mail, 1); END;
CREATE FUNCTION shop.of_mood(m shop.mood) RETURNS SETOF shop.customer STABLE BEGIN ATOMIC SELECT * FROM shop.customer WHERE mood = m; END;
CREATE FUNCTION shop.pairs(n int) RETURNS TABLE (id int, name text) STABLE BEGIN ATOMIC SELECT i.id, i.name FROM shop.item i WHERE i.amount > n; END;
CREATE FUNCTION lager.both(n int, OUT low int, OUT who text) STABLE BEGIN ATOMIC SELECT min(x.amount), max(x.name) FROM lager.base x WHERE x.id = n; END;
CREATE FUNCTION lager.same(a text, b text) RETURNS bool IMMUTABLE RETURN a = b;
CREATE OPERATOR lager.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = lager.same);
