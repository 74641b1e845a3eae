package pgsql

import (
	"context"
	"strings"
)

// Fingerprint returns a text that differs whenever a snapshot read now would
// differ from one read when it returned another text. It is computed by one
// query, over the contents of the catalogs where they are small and over the
// versions of their rows where they are not, and sees what the connection of
// ask sees: its own uncommitted definitions and temporary tables, but not other
// sessions'.
func Fingerprint(ctx context.Context, ask Ask) (string, error) {
	rows, err := ask(ctx, fingerprintSQL)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range rows {
		for _, cell := range r {
			if cell != nil {
				b.WriteString(*cell)
			}
			b.WriteByte(' ')
		}
	}
	return b.String(), nil
}

// fingerprintSQL hashes with the server's own hash functions, each seeded with
// the hash of the columns before it, and adds the hashes up, so that the order
// of rows does not matter.
const fingerprintSQL = `SELECT
	(SELECT pg_catalog.sum(pg_catalog.hashnameextended(n.nspname, n.oid::pg_catalog.int8))::pg_catalog.text
		FROM pg_catalog.pg_namespace n WHERE NOT ` + otherTemp + `),
	(SELECT pg_catalog.sum(pg_catalog.hashnameextended(c.relname, pg_catalog.hashoidextended(c.relnamespace,
			pg_catalog.hashcharextended(c.relkind, c.oid::pg_catalog.int8))))::pg_catalog.text
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE c.oid OPERATOR(pg_catalog.>=) 16384 AND NOT ` + otherTemp + `
		AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,c}'::pg_catalog."char"[])),
	(SELECT pg_catalog.sum(pg_catalog.hashnameextended(a.attname, pg_catalog.hashoidextended(a.atttypid,
			pg_catalog.hashint4extended(a.atttypmod, pg_catalog.hashoidextended(a.attrelid, (a.attnum
			OPERATOR(pg_catalog.*) 8 OPERATOR(pg_catalog.+) (a.attnotnull::pg_catalog.int4 OPERATOR(pg_catalog.*) 4)
			OPERATOR(pg_catalog.+) CASE WHEN a.attgenerated OPERATOR(pg_catalog.=) '' THEN 0 ELSE 2 END
			OPERATOR(pg_catalog.+) CASE WHEN a.attidentity OPERATOR(pg_catalog.=) '' THEN 0 ELSE 1 END
			)::pg_catalog.int8)))))::pg_catalog.text
		FROM pg_catalog.pg_attribute a
		WHERE a.attrelid OPERATOR(pg_catalog.>=) 16384 AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
		AND NOT a.attrelid OPERATOR(pg_catalog.=) ANY (SELECT c.oid FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
			WHERE ` + otherTemp + ` OR c.relkind OPERATOR(pg_catalog.=) ANY ('{i,I,t}'::pg_catalog."char"[]))),
	(SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(d.xmin, d.ctid), d.oid::pg_catalog.int8))::pg_catalog.text
		FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.adrelid
		JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE NOT ` + otherTemp + `),
	(SELECT pg_catalog.sum(pg_catalog.hashoidextended(i.inhrelid, i.inhparent::pg_catalog.int8))::pg_catalog.text
		FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid
		JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE c.relkind OPERATOR(pg_catalog.<>) ALL ('{i,I}'::pg_catalog."char"[]) AND NOT ` + otherTemp + `),
	(SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(r.xmin, r.ctid), r.oid::pg_catalog.int8))::pg_catalog.text
		FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.ev_class
		JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE r.oid OPERATOR(pg_catalog.>=) 16384 AND NOT ` + otherTemp + `),
	(SELECT pg_catalog.sum(pg_catalog.hashnameextended(t.typname, pg_catalog.hashoidextended(t.typnamespace,
			pg_catalog.hashoidextended(t.typbasetype, pg_catalog.hashcharextended(t.typcategory,
			t.oid::pg_catalog.int8)))))::pg_catalog.text
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
		WHERE t.oid OPERATOR(pg_catalog.>=) 16384 AND NOT ` + otherTemp + `),
	(SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(p.xmin, p.ctid), p.oid::pg_catalog.int8))::pg_catalog.text
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
		WHERE p.oid OPERATOR(pg_catalog.>=) 16384 AND NOT ` + otherTemp + `),
	(SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(o.xmin, o.ctid), o.oid::pg_catalog.int8))::pg_catalog.text
		FROM pg_catalog.pg_operator o WHERE o.oid OPERATOR(pg_catalog.>=) 16384),
	(SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(c.xmin, c.ctid), c.oid::pg_catalog.int8))::pg_catalog.text
		FROM pg_catalog.pg_cast c WHERE c.oid OPERATOR(pg_catalog.>=) 16384),
	(SELECT pg_catalog.sum(pg_catalog.hashnameextended(e.extname, pg_catalog.hashoidextended(d.classid,
			d.objid::pg_catalog.int8)))::pg_catalog.text
		FROM pg_catalog.pg_extension e
		JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
		WHERE d.deptype OPERATOR(pg_catalog.=) 'e')`
