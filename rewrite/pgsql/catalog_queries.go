package pgsql

import "strings"

// A layer is one half of what a session sees: what every session of the
// database sees, or the temporary objects of that session alone.
type layer int

const (
	permanent layer = iota
	temporary
)

// in returns sql with {scope} replaced by the condition that schema n belongs
// to the layer. Schemas that begin with pg_ are the server's to name.
func (y layer) in(sql string) string {
	scope := `n.nspname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_'`
	if y == temporary {
		scope = `n.oid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()`
	}
	sql = strings.ReplaceAll(sql, "{locked}", lockedRelations)
	return strings.ReplaceAll(sql, "{scope}", scope)
}

// lockedRelations are those that another session is altering, or waits to:
// printing a view over one of them would wait for that session.
const lockedRelations = `ARRAY(SELECT k.relation FROM pg_catalog.pg_locks k
	WHERE k.locktype OPERATOR(pg_catalog.=) 'relation'
	AND k.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'
	AND k.database OPERATOR(pg_catalog.=) (SELECT b.oid FROM pg_catalog.pg_database b
		WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
	AND k.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid())`

// Every name in these queries is qualified, operators too, because they may run
// under a client's search path.
const (
	serverSQL = `SELECT pg_catalog.current_setting('server_version_num')`

	pathSQL = `SELECT s::pg_catalog.text FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS p (s, i)
	ORDER BY p.i`

	schemaSQL = `SELECT n.oid::pg_catalog.text, n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n
	WHERE {scope}`

	extensionSQL = `SELECT d.classid::pg_catalog.text, d.objid::pg_catalog.text, e.extname::pg_catalog.text
	FROM pg_catalog.pg_extension e
	JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid
	AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
	WHERE d.deptype OPERATOR(pg_catalog.=) 'e'`

	typeSQL = `SELECT t.oid::pg_catalog.text, t.typnamespace::pg_catalog.text, t.typname::pg_catalog.text,
	t.typtype::pg_catalog.text, t.typcategory::pg_catalog.text, t.typelem::pg_catalog.text,
	t.typrelid::pg_catalog.text, t.typbasetype::pg_catalog.text
	FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
	WHERE {scope}`

	formatSQL = `SELECT f.atttypid::pg_catalog.text, f.atttypmod::pg_catalog.text,
	pg_catalog.format_type(f.atttypid, f.atttypmod)
	FROM (SELECT DISTINCT a.atttypid, a.atttypmod FROM pg_catalog.pg_attribute a
		JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
		JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE {scope} AND a.attnum OPERATOR(pg_catalog.>) 0 AND a.atttypid OPERATOR(pg_catalog.<>) 0) f`

	// Toast tables and indexes are left out: no query may name them.
	relationSQL = `SELECT c.oid::pg_catalog.text, c.relnamespace::pg_catalog.text, c.relname::pg_catalog.text,
	c.relkind::pg_catalog.text, c.reltype::pg_catalog.text
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,c}'::pg_catalog."char"[]) AND {scope}`

	columnSQL = `SELECT a.attrelid::pg_catalog.text, a.attnum::pg_catalog.text, a.attname::pg_catalog.text,
	a.atttypid::pg_catalog.text, a.atttypmod::pg_catalog.text, a.attnotnull::pg_catalog.text,
	a.attidentity::pg_catalog.text, a.attgenerated::pg_catalog.text
	FROM pg_catalog.pg_attribute a
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
	AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,c}'::pg_catalog."char"[]) AND {scope}
	ORDER BY a.attrelid, a.attnum`

	expressionSQL = `SELECT d.adrelid::pg_catalog.text, d.adnum::pg_catalog.text,
	pg_catalog.pg_get_expr(d.adbin, d.adrelid)
	FROM pg_catalog.pg_attrdef d
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.adrelid
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE {scope} AND NOT d.adrelid OPERATOR(pg_catalog.=) ANY ({locked})`

	inheritSQL = `SELECT i.inhrelid::pg_catalog.text, i.inhparent::pg_catalog.text FROM pg_catalog.pg_inherits i
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE {scope} AND c.relkind OPERATOR(pg_catalog.<>) ALL ('{i,I}'::pg_catalog."char"[])
	ORDER BY i.inhrelid, i.inhseqno`

	keySQL = `SELECT i.indrelid::pg_catalog.text, i.indkey::pg_catalog.text FROM pg_catalog.pg_index i
	WHERE i.indisprimary AND i.indimmediate AND i.indisvalid AND i.indrelid OPERATOR(pg_catalog.>=) 16384`

	ruleSQL = `SELECT DISTINCT r.ev_class::pg_catalog.text FROM pg_catalog.pg_rewrite r
	WHERE r.rulename OPERATOR(pg_catalog.<>) '_RETURN'`

	viewSQL = `SELECT c.oid::pg_catalog.text, pg_catalog.pg_get_viewdef(c.oid)
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::pg_catalog."char"[])
	AND c.oid OPERATOR(pg_catalog.>=) 16384 AND {scope}
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r
		JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
		AND d.objid OPERATOR(pg_catalog.=) r.oid
		WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
		AND d.refobjid OPERATOR(pg_catalog.=) ANY ({locked}))`

	functionSQL = `SELECT p.oid::pg_catalog.text, p.pronamespace::pg_catalog.text, p.proname::pg_catalog.text,
	p.prokind::pg_catalog.text, l.lanname::pg_catalog.text, p.prosrc, p.probin,
	p.proargnames::pg_catalog.text, p.proargmodes::pg_catalog.text, p.proallargtypes::pg_catalog.text,
	p.proargtypes::pg_catalog.text, p.prorettype::pg_catalog.text, p.proretset::pg_catalog.text,
	p.provariadic::pg_catalog.text, p.proisstrict::pg_catalog.text, p.proconfig::pg_catalog.text,
	p.prosecdef::pg_catalog.text, p.pronargdefaults::pg_catalog.text,
	t.typname::pg_catalog.text, (p.prosqlbody IS NOT NULL)::pg_catalog.text
	FROM pg_catalog.pg_proc p
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
	JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
	JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) p.prorettype
	WHERE {scope} AND (p.oid OPERATOR(pg_catalog.>=) 16384
		OR p.proallargtypes IS NOT NULL OR t.typtype OPERATOR(pg_catalog.=) 'c'
		OR p.prorettype OPERATOR(pg_catalog.=) 'pg_catalog.record'::pg_catalog.regtype)
	ORDER BY p.oid`

	bodySQL = `SELECT p.oid::pg_catalog.text, pg_catalog.pg_get_function_sqlbody(p.oid)
	FROM pg_catalog.pg_proc p
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
	WHERE p.prosqlbody IS NOT NULL AND p.oid OPERATOR(pg_catalog.>=) 16384 AND {scope}
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
		WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
		AND d.objid OPERATOR(pg_catalog.=) p.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
		AND d.refobjid OPERATOR(pg_catalog.=) ANY ({locked}))`

	operatorSQL = `SELECT o.oid::pg_catalog.text, o.oprnamespace::pg_catalog.text, o.oprname::pg_catalog.text,
	o.oprcode::pg_catalog.oid::pg_catalog.text, o.oprleft::pg_catalog.text, o.oprright::pg_catalog.text
	FROM pg_catalog.pg_operator o WHERE o.oid OPERATOR(pg_catalog.>=) 16384`

	castSQL = `SELECT c.oid::pg_catalog.text, c.castsource::pg_catalog.text, c.casttarget::pg_catalog.text,
	c.castfunc::pg_catalog.text, c.castmethod::pg_catalog.text, c.castcontext::pg_catalog.text
	FROM pg_catalog.pg_cast c WHERE c.oid OPERATOR(pg_catalog.>=) 16384`
)
