package pgsql

import (
	"context"
	"errors"
	"strings"
)

// A Print is a fingerprint of a database's definitions as one session sees
// them: what every session sees, and the session's own temporary objects, ""
// when there is none. Equal prints mean equal snapshots.
type Print struct{ Permanent, Temporary string }

// Fingerprint reads the fingerprint of what the connection of ask sees: its own
// uncommitted definitions too, but not other sessions'. It hashes the names,
// types and relations of all that a snapshot holds, and the versions of the rows
// (xmin and ctid) of what is long: view and function definitions, column
// expressions.
func Fingerprint(ctx context.Context, ask Ask) (Print, error) {
	print, err := permanentPrint(ctx, ask)
	if err != nil {
		return Print{}, err
	}
	own, err := readOwn(ctx, ask)
	if err != nil {
		return Print{}, err
	}
	return Print{print, joinHashes(own.hashes)}, nil
}

// permanentPrint is the part that hashes everything but temporary objects.
func permanentPrint(ctx context.Context, ask Ask) (string, error) {
	hashes, err := askHashes(ctx, ask, permanentSQL, len(permanentHashes))
	return joinHashes(hashes), err
}

// ownState is what a session alone sees.
type ownState struct {
	wrote  bool      // its transaction has written something, definitions perhaps
	hashes []*string // of its temporary objects, in the order of temporaryHashes
}

func readOwn(ctx context.Context, ask Ask) (ownState, error) {
	hashes, err := askHashes(ctx, ask, temporarySQL, 1+len(temporaryHashes))
	if err != nil {
		return ownState{}, err
	}
	return ownState{wrote: hashes[0] != nil, hashes: hashes[1:]}, nil
}

func askHashes(ctx context.Context, ask Ask, sql string, columns int) ([]*string, error) {
	rows, err := ask(ctx, sql)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 || len(rows[0]) != columns {
		return nil, errors.New("fingerprint: an answer of another shape")
	}
	return rows[0], nil
}

// joinHashes is "" when every hash is NULL: there were no rows to hash.
func joinHashes(hashes []*string) string {
	var b strings.Builder
	some := false
	for _, h := range hashes {
		if h != nil {
			some = true
			b.WriteString(*h)
		}
		b.WriteByte(' ')
	}
	if !some {
		return ""
	}
	return b.String()
}

// The hash functions are the server's own, each seeded with the hash of the
// columns before it; the sums make the order of rows irrelevant.
const (
	// hashSchemas tells who may use a schema too: the server passes over the others
	// of a search path.
	hashSchemas = `SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(n.xmin, n.ctid), n.oid::pg_catalog.int8))
	FROM pg_catalog.pg_namespace n WHERE {scope}`

	hashMembers = `SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(m.xmin, m.ctid), m.member::pg_catalog.int8))
	FROM pg_catalog.pg_auth_members m`

	hashRelations = `SELECT pg_catalog.sum(pg_catalog.hashnameextended(c.relname,
		pg_catalog.hashoidextended(c.relnamespace, pg_catalog.hashcharextended(c.relkind, c.oid::pg_catalog.int8))))
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.oid OPERATOR(pg_catalog.>=) 16384 AND {scope}
	AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,c}'::pg_catalog."char"[])`

	hashColumn = `SELECT pg_catalog.sum(pg_catalog.hashnameextended(a.attname,
		pg_catalog.hashoidextended(a.atttypid, pg_catalog.hashint4extended(a.atttypmod,
		a.attrelid::pg_catalog.int8 OPERATOR(pg_catalog.*) 65536 OPERATOR(pg_catalog.+) a.attnum
		OPERATOR(pg_catalog.*) 2 OPERATOR(pg_catalog.+) a.attnotnull::pg_catalog.int4))))
	FROM pg_catalog.pg_attribute a `

	// hashColumns counts the columns of indexes in: to leave them out would cost
	// more than the reading that a new index brings about. Toast tables come and
	// go whenever a materialized view is refreshed.
	hashColumns = hashColumn + `WHERE a.attrelid OPERATOR(pg_catalog.>=) 16384 AND a.attnum OPERATOR(pg_catalog.>) 0
	AND NOT a.attisdropped AND NOT a.attrelid OPERATOR(pg_catalog.=) ANY (SELECT c.oid FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE NOT {scope})
	AND NOT (a.attname OPERATOR(pg_catalog.=) ANY ('{chunk_id,chunk_seq,chunk_data}'::pg_catalog.name[])
		AND a.attrelid OPERATOR(pg_catalog.=) ANY (SELECT c.oid FROM pg_catalog.pg_class c
			WHERE c.relnamespace OPERATOR(pg_catalog.=) 'pg_toast'::pg_catalog.regnamespace))`

	hashTemporaryColumns = hashColumn + `JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE {scope} AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped`

	hashExpressions = `SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(d.xmin, d.ctid), d.oid::pg_catalog.int8))
	FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.adrelid
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE {scope}`

	hashInheritance = `SELECT pg_catalog.sum(pg_catalog.hashoidextended(i.inhrelid, i.inhparent::pg_catalog.int8))
	FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.relkind OPERATOR(pg_catalog.<>) ALL ('{i,I}'::pg_catalog."char"[]) AND {scope}`

	hashRules = `SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(r.xmin, r.ctid), r.oid::pg_catalog.int8))
	FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.ev_class
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE r.oid OPERATOR(pg_catalog.>=) 16384 AND {scope}`

	hashTypes = `SELECT pg_catalog.sum(pg_catalog.hashnameextended(t.typname, pg_catalog.hashoidextended(t.typnamespace,
		pg_catalog.hashoidextended(t.typbasetype, pg_catalog.hashcharextended(t.typcategory,
		pg_catalog.hashcharextended(t.typtype, t.oid::pg_catalog.int8))))))
	FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
	WHERE t.oid OPERATOR(pg_catalog.>=) 16384 AND {scope}`

	hashFunctions = `SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(p.xmin, p.ctid), p.oid::pg_catalog.int8))
	FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
	WHERE p.oid OPERATOR(pg_catalog.>=) 16384 AND {scope}`

	hashOperators = `SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(o.xmin, o.ctid), o.oid::pg_catalog.int8))
	FROM pg_catalog.pg_operator o WHERE o.oid OPERATOR(pg_catalog.>=) 16384`

	hashCasts = `SELECT pg_catalog.sum(pg_catalog.hash_record_extended(ROW(c.xmin, c.ctid), c.oid::pg_catalog.int8))
	FROM pg_catalog.pg_cast c WHERE c.oid OPERATOR(pg_catalog.>=) 16384`

	hashMembership = `SELECT pg_catalog.sum(pg_catalog.hashnameextended(e.extname,
		pg_catalog.hashoidextended(d.classid, d.objid::pg_catalog.int8)))
	FROM pg_catalog.pg_extension e
	JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid
	AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
	WHERE d.deptype OPERATOR(pg_catalog.=) 'e'`
)

// The places of a session's hashes in temporaryHashes.
const (
	ownRelations = iota
	ownColumns
	ownExpressions
	ownInheritance
	ownRules
	ownTypes
	ownFunctions
)

var (
	permanentHashes = []string{
		hashSchemas, hashRelations, hashColumns, hashExpressions, hashInheritance, hashRules, hashTypes, hashFunctions,
		hashOperators, hashCasts, hashMembership, hashMembers,
	}
	temporaryHashes = []string{
		ownRelations: hashRelations, ownColumns: hashTemporaryColumns, ownExpressions: hashExpressions,
		ownInheritance: hashInheritance, ownRules: hashRules, ownTypes: hashTypes, ownFunctions: hashFunctions,
	}
	permanentSQL = "SELECT " + strings.Join(permanent.hashes(permanentHashes), ",\n")
	temporarySQL = "SELECT pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text,\n" +
		strings.Join(temporary.hashes(temporaryHashes), ",\n")
)

// hashes makes each query one column of text; a session without a temporary
// schema is spared those of its temporary objects.
func (y layer) hashes(queries []string) []string {
	list := make([]string, len(queries))
	for i, q := range queries {
		list[i] = "(" + y.in(q) + ")::pg_catalog.text"
		if y == temporary {
			list[i] = "CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0 THEN " + list[i] + " END"
		}
	}
	return list
}
