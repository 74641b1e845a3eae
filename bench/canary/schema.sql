-- What the canaries live in. Statements of a role with masks speak of the tables
-- of schema.go and of what stands here.
CREATE DOMAIN handle AS text CHECK (length(VALUE) > 2);
CREATE TYPE address AS (street text, zip int);
-- The tables come here.
CREATE SEQUENCE counter;
CREATE INDEX ON person (mail);
CREATE INDEX ON ledger ((pay + 1));
CREATE STATISTICS person_words (mcv) ON name, mail FROM person;
CREATE VIEW people AS SELECT id, kind, name AS full_name, coalesce(mail, phone) AS contact, born FROM person;
CREATE VIEW accounts AS SELECT kind, count(*) AS n, max(pay) AS top, max(seen) AS latest FROM ledger GROUP BY kind;
CREATE VIEW everything AS SELECT id, kind, name AS what FROM person UNION ALL SELECT id, kind, secret FROM vault UNION ALL SELECT id, kind, kind FROM shop;
CREATE VIEW latest AS SELECT p.id, p.kind, p.mail::text AS mail, l.pay FROM person p LEFT JOIN ledger l USING (id);
CREATE MATERIALIZED VIEW kept AS SELECT id, kind, name AS what FROM person;
CREATE FUNCTION persons_of(k text) RETURNS TABLE (id int, kind text, name text, mail varchar) STABLE LANGUAGE sql
	AS 'SELECT p.id, p.kind, p.name, p.mail FROM public.person p WHERE p.kind = k';
CREATE FUNCTION pairs_of(low int) RETURNS TABLE (id int, who text) STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT p.id, p.name FROM public.person p WHERE p.n >= low;
END $$;
CREATE FUNCTION mail_of(which int) RETURNS text STABLE LANGUAGE sql AS 'SELECT mail FROM public.person WHERE id = which';
CREATE FUNCTION pay_of(which int) RETURNS numeric STABLE LANGUAGE plpgsql AS $$
DECLARE found numeric;
BEGIN
	SELECT pay INTO found FROM public.ledger WHERE id = which;
	RETURN found;
END $$;
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'person % is %', NEW.id, NEW.name;
	RETURN NEW;
END $$;
CREATE TRIGGER told BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION told();
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
