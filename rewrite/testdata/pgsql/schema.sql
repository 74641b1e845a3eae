-- The tables that the cases in this folder speak of.
CREATE SCHEMA hr;
CREATE SCHEMA archive;
CREATE TYPE hr.address AS (street text, city text);
CREATE TABLE hr.person (
  id int PRIMARY KEY, name text NOT NULL, mail text UNIQUE, mobile varchar(20), card text,
  pay numeric(10,2), born date, doc jsonb, home hr.address, tags text[], team int, active bool,
  mail_lower text GENERATED ALWAYS AS (lower(mail)) STORED
);
CREATE TABLE hr.team (id int PRIMARY KEY, title text NOT NULL, lead int REFERENCES hr.person, mobile text);
CREATE TABLE hr.visit (person int, day date, phone text) PARTITION BY RANGE (day);
CREATE TABLE hr.visit_old PARTITION OF hr.visit FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE archive.person (id int, name text, note text, doc jsonb);
CREATE VIEW hr.staff AS SELECT id, name AS full_name, mobile, team FROM hr.person WHERE active;
CREATE VIEW hr.leads AS SELECT t.title, s.full_name FROM hr.team t JOIN hr.staff s ON s.id = t.lead;
CREATE MATERIALIZED VIEW hr.pays AS SELECT team, sum(pay) AS total FROM hr.person GROUP BY team;
CREATE FUNCTION hr.mail_of(p int) RETURNS text LANGUAGE sql STABLE AS 'SELECT mail FROM hr.person WHERE id = p';
CREATE FUNCTION hr.of_team(t int) RETURNS SETOF hr.person LANGUAGE sql STABLE AS 'SELECT * FROM hr.person WHERE team = t';
CREATE FUNCTION hr.head(t int) RETURNS int LANGUAGE sql STABLE RETURN (SELECT lead FROM hr.team WHERE id = t);
CREATE FUNCTION hr.mail_slow(p int) RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE m text; BEGIN SELECT mail INTO m FROM hr.person WHERE id = p; RETURN m; END $$;
CREATE FUNCTION hr.team_size(t int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM hr.person WHERE team = t); END $$;
CREATE FUNCTION hr.dynamic(q text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE m text; BEGIN EXECUTE q INTO m; RETURN m; END $$;
CREATE FUNCTION hr.rich(p int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN IF (SELECT pay FROM hr.person WHERE id = p) > 100 THEN RETURN true; END IF; RETURN false; END $$;
CREATE PROCEDURE hr.rename_team(t int, n text) LANGUAGE sql AS 'UPDATE hr.team SET title = n WHERE id = t';
CREATE FUNCTION hr.one_team(t int, OUT found hr.team) LANGUAGE sql STABLE AS 'SELECT * FROM hr.team WHERE id = t';
-- Bodies whose names follow the search path.
SET check_function_bodies = off;
CREATE FUNCTION hr.team_of(p int) RETURNS int LANGUAGE sql STABLE AS 'SELECT team FROM person WHERE id = p';
CREATE FUNCTION hr.note_of(p int) RETURNS text LANGUAGE sql STABLE AS 'SELECT note FROM person WHERE id = p';
CREATE VIEW hr.notes AS SELECT p.id, hr.note_of(p.id) AS note FROM archive.person p;
CREATE FUNCTION hr.pinned(p int) RETURNS text LANGUAGE sql STABLE SET search_path = archive AS 'SELECT name FROM person WHERE id = p';
CREATE FUNCTION hr.doubtful(p int) RETURNS text LANGUAGE sql STABLE SET search_path = archive, hr AS 'SELECT note FROM person WHERE id = p';
CREATE FUNCTION hr.as_owner(p int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT mail FROM person WHERE id = p';
CREATE FUNCTION hr.explains() RETURNS SETOF text LANGUAGE plpgsql AS $$ DECLARE t text; BEGIN FOR t IN EXPLAIN ANALYZE SELECT 1 FROM hr.person WHERE mail = 'a' LOOP RETURN NEXT t; END LOOP; END $$;
-- A rule returns what it likes under the names of the view.
CREATE VIEW hr.team_names AS SELECT id, title FROM hr.team;
CREATE RULE made AS ON INSERT TO hr.team_names DO INSTEAD INSERT INTO hr.team (id, title) VALUES (new.id, new.title) RETURNING id, mobile;
-- Primary keys which tell rows apart, and which do not.
CREATE TABLE hr.seat (room int, place int, holder text, PRIMARY KEY (room, place));
CREATE TABLE hr.seat_later (id int PRIMARY KEY DEFERRABLE, holder text);
CREATE TABLE hr.seat_parent (id int PRIMARY KEY, holder text);
CREATE TABLE hr.seat_child () INHERITS (hr.seat_parent);
CREATE TABLE hr.seat_part (id int, holder text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE hr.seat_part_1 PARTITION OF hr.seat_part FOR VALUES FROM (0) TO (1000);
