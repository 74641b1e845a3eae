package pgsql

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"sqlveil/masking"
)

// An Ask runs one query on one connection and returns its rows as text; NULL is
// nil. The queries of this package return text columns only, name everything by
// its schema and need no privilege that PUBLIC lacks by default, so an Ask may
// run them on the catalog account's connection or, between two statements of a
// client, on that client's own.
type Ask func(ctx context.Context, sql string) ([][]*string, error)

// errMoving says that a database's definitions changed while they were read,
// again and again.
var errMoving = errors.New("definitions keep changing while they are read")

// loadAttempts bounds how often a load starts anew because definitions changed
// under it.
const loadAttempts = 8

var catalogVersions atomic.Uint64

// Load reads a snapshot of the database that ask talks to. The database is
// named as the policy names it.
func Load(ctx context.Context, ask Ask, database string) (*Catalog, error) {
	before, err := Fingerprint(ctx, ask)
	if err != nil {
		return nil, err
	}
	for range loadAttempts {
		l := newLoader(database)
		if err := l.run(ctx, ask); err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", database, err)
		}
		after, err := Fingerprint(ctx, ask)
		if err != nil {
			return nil, err
		}
		if before == after {
			l.catalog.fingerprint = after
			return l.catalog, nil
		}
		before = after
	}
	return nil, fmt.Errorf("read the catalog of %s: %w", database, errMoving)
}

// A loader fills a catalog from the answers to the queries below.
type loader struct {
	catalog    *Catalog
	namespaces map[uint32]string
	extensions map[object]string
	formats    map[typeRef]string
	generated  map[columnKey]bool
}

type typeRef struct {
	oid uint32
	mod int32
}

func newLoader(database string) *loader {
	return &loader{
		catalog: &Catalog{
			version:        catalogVersions.Add(1),
			Database:       database,
			schemas:        map[string]bool{},
			relations:      map[uint32]*Relation{},
			relationNames:  map[qualified]*Relation{},
			types:          map[uint32]*TypeInfo{},
			typeNames:      map[qualified]*TypeInfo{},
			functions:      map[qualified][]*Function{},
			functionOIDs:   map[uint32]*Function{},
			functionsNamed: map[string][]*Function{},
			operators:      map[string][]*Operator{},
			former:         map[columnKey][]masking.Column{},
		},
		namespaces: map[uint32]string{},
		extensions: map[object]string{},
		formats:    map[typeRef]string{},
		generated:  map[columnKey]bool{},
	}
}

// run asks every query in turn; the order matters, later ones build on earlier.
func (l *loader) run(ctx context.Context, ask Ask) error {
	for _, step := range []struct {
		name, sql string
		columns   int
		each      func(*loader, *row)
	}{
		{"server", serverSQL, 2, (*loader).server},
		{"search path", pathSQL, 1, (*loader).path},
		{"schemas", schemaSQL, 2, (*loader).schema},
		{"extensions", extensionSQL, 3, (*loader).extension},
		{"types", typeSQL, 8, (*loader).typ},
		{"type names", formatSQL, 3, (*loader).format},
		{"relations", relationSQL, 7, (*loader).relation},
		{"columns", columnSQL, 8, (*loader).column},
		{"column expressions", expressionSQL, 3, (*loader).expression},
		{"inheritance", inheritSQL, 2, (*loader).inherit},
		{"rules", ruleSQL, 1, (*loader).rule},
		{"views", viewSQL, 2, (*loader).view},
		{"functions", functionSQL, 20, (*loader).function},
		{"function bodies", bodySQL, 2, (*loader).body},
		{"operators", operatorSQL, 6, (*loader).operator},
		{"casts", castSQL, 6, (*loader).cast},
	} {
		rows, err := ask(ctx, step.sql)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		for _, cells := range rows {
			if len(cells) != step.columns {
				return fmt.Errorf("%s: %d columns instead of %d", step.name, len(cells), step.columns)
			}
			r := row{cells: cells}
			step.each(l, &r)
			if r.err != nil {
				return fmt.Errorf("%s: %w", step.name, r.err)
			}
		}
	}
	l.finish()
	return nil
}

// otherTemp holds for the schemas of other sessions' temporary objects.
const otherTemp = `(n.nspname OPERATOR(pg_catalog.~) '^pg_(toast_)?temp_[0-9]+$'
	AND n.oid OPERATOR(pg_catalog.<>) pg_catalog.pg_my_temp_schema())`

// lockedRelations are those that another session is altering, or waits to.
const lockedRelations = `SELECT k.relation FROM pg_catalog.pg_locks k
	WHERE k.locktype OPERATOR(pg_catalog.=) 'relation'
	AND k.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'
	AND k.database OPERATOR(pg_catalog.=) (SELECT b.oid FROM pg_catalog.pg_database b
		WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
	AND k.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()`

const (
	serverSQL = `SELECT pg_catalog.current_setting('server_version_num'),
	(SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n
		WHERE n.oid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())`

	pathSQL = `SELECT s::pg_catalog.text FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS p (s, i)
	ORDER BY p.i`

	schemaSQL = `SELECT n.oid::pg_catalog.text, n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n
	WHERE NOT ` + otherTemp

	extensionSQL = `SELECT d.classid::pg_catalog.text, d.objid::pg_catalog.text, e.extname::pg_catalog.text
	FROM pg_catalog.pg_extension e
	JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid
	AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
	WHERE d.deptype OPERATOR(pg_catalog.=) 'e'`

	typeSQL = `SELECT t.oid::pg_catalog.text, t.typnamespace::pg_catalog.text, t.typname::pg_catalog.text,
	t.typtype::pg_catalog.text, t.typcategory::pg_catalog.text, t.typelem::pg_catalog.text,
	t.typrelid::pg_catalog.text, t.typbasetype::pg_catalog.text
	FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
	WHERE NOT ` + otherTemp

	formatSQL = `SELECT f.atttypid::pg_catalog.text, f.atttypmod::pg_catalog.text,
	pg_catalog.format_type(f.atttypid, f.atttypmod)
	FROM (SELECT DISTINCT a.atttypid, a.atttypmod FROM pg_catalog.pg_attribute a
		WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND a.atttypid OPERATOR(pg_catalog.<>) 0) f`

	// Toast tables and indexes are left out: no query may name them.
	relationSQL = `SELECT c.oid::pg_catalog.text, c.relnamespace::pg_catalog.text, c.relname::pg_catalog.text,
	c.relkind::pg_catalog.text, c.reltype::pg_catalog.text, c.relpersistence::pg_catalog.text,
	c.relispartition::pg_catalog.text
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,c}'::pg_catalog."char"[]) AND NOT ` + otherTemp

	columnSQL = `SELECT a.attrelid::pg_catalog.text, a.attnum::pg_catalog.text, a.attname::pg_catalog.text,
	a.atttypid::pg_catalog.text, a.atttypmod::pg_catalog.text, a.attnotnull::pg_catalog.text,
	a.attidentity::pg_catalog.text, a.attgenerated::pg_catalog.text
	FROM pg_catalog.pg_attribute a
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
	WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
	AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,c}'::pg_catalog."char"[])
	ORDER BY a.attrelid, a.attnum`

	expressionSQL = `SELECT d.adrelid::pg_catalog.text, d.adnum::pg_catalog.text,
	pg_catalog.pg_get_expr(d.adbin, d.adrelid)
	FROM pg_catalog.pg_attrdef d
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.adrelid
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE NOT ` + otherTemp + `
	AND NOT d.adrelid OPERATOR(pg_catalog.=) ANY (ARRAY(` + lockedRelations + `))`

	inheritSQL = `SELECT i.inhrelid::pg_catalog.text, i.inhparent::pg_catalog.text FROM pg_catalog.pg_inherits i
	ORDER BY i.inhrelid, i.inhseqno`

	ruleSQL = `SELECT DISTINCT r.ev_class::pg_catalog.text FROM pg_catalog.pg_rewrite r
	WHERE r.rulename OPERATOR(pg_catalog.<>) '_RETURN'`

	viewSQL = `SELECT c.oid::pg_catalog.text, pg_catalog.pg_get_viewdef(c.oid)
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::pg_catalog."char"[])
	AND c.oid OPERATOR(pg_catalog.>=) 16384 AND NOT ` + otherTemp + `
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r
		JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
		AND d.objid OPERATOR(pg_catalog.=) r.oid
		WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
		AND d.refobjid OPERATOR(pg_catalog.=) ANY (ARRAY(` + lockedRelations + `)))`

	functionSQL = `SELECT p.oid::pg_catalog.text, p.pronamespace::pg_catalog.text, p.proname::pg_catalog.text,
	p.prokind::pg_catalog.text, l.lanname::pg_catalog.text, p.prosrc,
	p.probin,
	p.proargnames::pg_catalog.text, p.proargmodes::pg_catalog.text, p.proallargtypes::pg_catalog.text,
	p.proargtypes::pg_catalog.text, p.prorettype::pg_catalog.text, p.proretset::pg_catalog.text,
	p.provariadic::pg_catalog.text, p.proisstrict::pg_catalog.text, p.proconfig::pg_catalog.text,
	p.prosecdef::pg_catalog.text, p.pronargdefaults::pg_catalog.text,
	t.typname::pg_catalog.text, (p.prosqlbody IS NOT NULL)::pg_catalog.text
	FROM pg_catalog.pg_proc p
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
	JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
	JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) p.prorettype
	WHERE NOT ` + otherTemp + ` AND (p.oid OPERATOR(pg_catalog.>=) 16384
		OR p.proallargtypes IS NOT NULL OR t.typtype OPERATOR(pg_catalog.=) 'c'
		OR p.prorettype OPERATOR(pg_catalog.=) 'pg_catalog.record'::pg_catalog.regtype)
	ORDER BY p.oid`

	bodySQL = `SELECT p.oid::pg_catalog.text, pg_catalog.pg_get_function_sqlbody(p.oid)
	FROM pg_catalog.pg_proc p
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
	WHERE p.prosqlbody IS NOT NULL AND p.oid OPERATOR(pg_catalog.>=) 16384 AND NOT ` + otherTemp + `
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
		WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
		AND d.objid OPERATOR(pg_catalog.=) p.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
		AND d.refobjid OPERATOR(pg_catalog.=) ANY (ARRAY(` + lockedRelations + `)))`

	operatorSQL = `SELECT o.oid::pg_catalog.text, o.oprnamespace::pg_catalog.text, o.oprname::pg_catalog.text,
	o.oprcode::pg_catalog.oid::pg_catalog.text, o.oprleft::pg_catalog.text, o.oprright::pg_catalog.text
	FROM pg_catalog.pg_operator o WHERE o.oid OPERATOR(pg_catalog.>=) 16384`

	castSQL = `SELECT c.oid::pg_catalog.text, c.castsource::pg_catalog.text, c.casttarget::pg_catalog.text,
	c.castfunc::pg_catalog.text, c.castmethod::pg_catalog.text, c.castcontext::pg_catalog.text
	FROM pg_catalog.pg_cast c WHERE c.oid OPERATOR(pg_catalog.>=) 16384`
)
