package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// definition resolves data definition; it returns whether rows come back, which
// they do not. Definitions that run code on other people's statements (triggers,
// routines, events) and accounts are not for roles with masks; nor is changing a
// table with protected columns.
func (r *resolver) definition(l *level) bool {
	verb := r.in.keyword(0)
	if r.in.words(0, "DROP", "PREPARE") {
		r.prepared(l)
		return false
	}
	r.st.Effect.Catalog, r.st.Effect.End = true, true
	object := r.object()
	r.kind(rewrite.Kind(verb + " " + object))
	switch verb + " " + object {
	case "CREATE TABLE", "CREATE VIEW", "ALTER VIEW", "CREATE INDEX", "CREATE DATABASE", "CREATE SCHEMA", "CREATE SEQUENCE",
		"ALTER TABLE", "RENAME TABLE", "RENAME TABLES", "ALTER SEQUENCE":
		r.parsedDefinition(l)
	case "DROP TABLE", "DROP TABLES", "DROP VIEW", "DROP INDEX", "DROP SEQUENCE", "DROP TRIGGER", "DROP PROCEDURE", "DROP FUNCTION", "DROP EVENT":
	case "DROP DATABASE", "DROP SCHEMA":
		r.st.Effect.Path = true
	case "TRUNCATE TABLE":
		r.kind("TRUNCATE TABLE")
	default:
		r.refuseKind(verb + " " + object)
	}
	return false
}

// object is what kind of thing a definition is about: the first keyword that
// names one.
func (r *resolver) object() string {
	if r.in.word(0, "TRUNCATE") {
		return "TABLE"
	}
	for i := 1; i < len(r.in.tokens) && i < longestHead; i++ {
		switch word := r.in.keyword(i); word {
		case "TABLE", "TABLES", "VIEW", "INDEX", "DATABASE", "SCHEMA", "SEQUENCE", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE",
			"USER", "ROLE", "SERVER", "TABLESPACE", "LOGFILE", "RESOURCE", "INSTANCE", "UNDO", "SPATIAL REFERENCE", "BINDING", "STATISTICS", "PLACEMENT":
			return word
		case "OR", "REPLACE", "TEMPORARY", "UNIQUE", "FULLTEXT", "SPATIAL", "ALGORITHM", "MERGE", "TEMPTABLE", "UNDEFINED", "DEFINER",
			"CURRENT_USER", "SQL", "SECURITY", "INVOKER", "ONLINE", "OFFLINE", "IGNORE", "AGGREGATE", "IF", "EXISTS", "NOT", "VECTOR", "CURRENT_ROLE":
			continue
		default:
			if word != "" && !r.definer(i) {
				return word
			}
		}
	}
	return ""
}

// definer says whether a token may be a part of DEFINER = user@host.
func (r *resolver) definer(at int) bool {
	return r.in.word(at-1, "=") || r.in.word(at-2, "=") || at > 0 && r.in.tokens[at-1].kind == tokenVariable
}

// parsedDefinition resolves the definitions that the parser knows. MariaDB's OR
// REPLACE and ALTER VIEW are written as the parser knows them.
func (r *resolver) parsedDefinition(l *level) {
	outer := r.in
	defer func() { r.in = outer }()
	from, prefix := 0, ""
	switch {
	case r.in.words(0, "CREATE", "OR", "REPLACE") && !strings.HasSuffix(string(r.st.Kind), "VIEW"):
		r.in = r.in.blank(1, 3)
		r.replaces()
	case r.in.word(0, "ALTER") && r.object() == "VIEW":
		from, prefix = 1, "CREATE "
	}
	cut, ok := r.in.readableByParser()
	if !ok {
		r.unsupported("this JSON_TABLE")
	}
	r.in = cut.typed()
	node, err := r.parse(prefix, r.in.tokens[from].start, r.in.end)
	if err != nil {
		r.unparsed(err)
		return
	}
	base := r.base
	r.base = r.in.tokens[from].start - len(prefix)
	r.definitionNode(node, l)
	r.base = base
}

// replaces records the table that CREATE OR REPLACE drops.
func (r *resolver) replaces() {
	at := r.in.find(0, "TABLE")
	if at < 0 {
		return
	}
	scratch := *r
	scratch.st = &rewrite.Statement{}
	if rel, _, ok := scratch.tableAt(at + 1); ok && rel != nil {
		r.alters(rel)
	}
}

func (r *resolver) definitionNode(n ast.StmtNode, l *level) {
	switch s := n.(type) {
	case *ast.CreateTableStmt:
		r.createTable(s, l)
	case *ast.CreateViewStmt:
		if q, ok := s.Select.(ast.ResultSetNode); ok {
			for _, c := range r.query(q, l) {
				r.flow(c.value, "a view")
			}
			return
		}
		r.unsupported("this view")
	case *ast.CreateIndexStmt:
		r.createIndex(s)
	case *ast.AlterTableStmt:
		r.alterTable(s)
	case *ast.RenameTableStmt:
		for _, t := range s.TableToTables {
			if rel := r.relation(t.OldTable.Schema.O, t.OldTable.Name.O); rel != nil {
				r.alters(rel)
			}
		}
	case *ast.CreateDatabaseStmt, *ast.CreateSequenceStmt, *ast.AlterSequenceStmt:
	default:
		r.refuseKind(string(r.st.Kind))
	}
}

// createTable is CREATE TABLE. What it takes data from decides.
func (r *resolver) createTable(s *ast.CreateTableStmt, l *level) {
	if s.TemporaryKeyword != ast.TemporaryNone {
		r.kind("CREATE TEMPORARY TABLE")
		r.st.Effect.End = false
		r.makesTemporary(s.Table)
	}
	r.tableOptions(s.Options)
	r.columnDefinitions(s.Cols)
	r.constraints(s.Constraints)
	if s.ReferTable != nil {
		r.relation(s.ReferTable.Schema.O, s.ReferTable.Name.O)
	}
	if s.Select != nil {
		r.kind("CREATE TABLE AS")
		for _, c := range r.query(s.Select, l) {
			r.flow(c.value, "a new table")
		}
	}
}

// makesTemporary is a temporary table's name. It may not be that of another table:
// which of the two a statement means would then depend on what a transaction or an
// error has left of the session.
func (r *resolver) makesTemporary(n *ast.TableName) {
	schema := n.Schema.O
	if schema == "" {
		r.st.Effect.ReadsPath = true
		if r.unsure {
			r.unpredicted(n.Name.O)
			return
		}
		schema = r.schema
	}
	r.st.Effect.Temporary = &rewrite.TemporaryTable{Schema: schema, Name: n.Name.O}
	if rel := r.catalog.Relation(schema, n.Name.O); rel != nil && !rel.Temporary {
		r.refuseKind("a temporary table with the name of another table")
	}
}

// columnDefinitions resolves what column definitions evaluate and refer to.
func (r *resolver) columnDefinitions(columns []*ast.ColumnDef) {
	for _, c := range columns {
		for _, o := range c.Options {
			if o.Expr != nil && r.expressionOnly(o.Expr) && o.Tp != ast.ColumnOptionGenerated && o.Tp != ast.ColumnOptionCheck {
				r.refuseKind("a column whose default is computed from another column")
			}
			if o.Refer != nil {
				r.references(o.Refer)
			}
		}
	}
}

func (r *resolver) constraints(list []*ast.Constraint) {
	for _, c := range list {
		if c.Expr != nil {
			r.expressionOnly(c.Expr)
		}
		if c.Refer != nil {
			r.references(c.Refer)
		}
	}
}

// references records the columns that a foreign key refers to: it tells which
// values exist over there.
func (r *resolver) references(ref *ast.ReferenceDef) {
	if ref.Table == nil {
		return
	}
	rel := r.relation(ref.Table.Schema.O, ref.Table.Name.O)
	if rel == nil {
		return
	}
	columns := r.relationColumns(rel)
	for _, p := range ref.IndexPartSpecifications {
		if v, ok := find(p.Column.Name.O, columns); ok {
			r.use(v, "references")
		}
	}
}

// expressionOnly resolves an expression over columns that do not exist yet: just
// the functions in it matter. It returns whether there are any such columns.
func (r *resolver) expressionOnly(n ast.ExprNode) (columns bool) {
	scratch := *r
	scratch.st = &rewrite.Statement{}
	scratch.expr(n, &level{from: &namespace{}})
	for _, u := range scratch.st.Unknown {
		if u.SQLState == "42S22" {
			columns = true
		} else {
			r.unknown(u)
		}
	}
	r.st.Calls = append(r.st.Calls, scratch.st.Calls...)
	r.st.Uses = append(r.st.Uses, scratch.st.Uses...)
	return columns
}

// harmlessEngine says whether a storage engine keeps a table's rows to itself:
// others show the rows of other tables, servers or files.
func harmlessEngine(name string) bool {
	return slices.Contains([]string{
		"", "innodb", "myisam", "aria", "memory", "heap", "archive", "blackhole", "rocksdb", "ndb", "ndbcluster", "columnstore", "tokudb", "mroonga",
	}, strings.ToLower(name))
}

func (r *resolver) tableOptions(options []*ast.TableOption) {
	for _, o := range options {
		switch o.Tp {
		case ast.TableOptionEngine:
			if !harmlessEngine(o.StrValue) {
				r.refuseKind("a table with storage engine " + o.StrValue)
			}
		case ast.TableOptionConnection, ast.TableOptionUnion, ast.TableOptionDataDirectory, ast.TableOptionIndexDirectory, ast.TableOptionTablespace:
			r.refuseKind("a table over other tables, servers or files")
		}
	}
}

// createIndex is CREATE INDEX: a unique one tells whether values are.
func (r *resolver) createIndex(s *ast.CreateIndexStmt) {
	rel := r.relation(s.Table.Schema.O, s.Table.Name.O)
	if rel == nil {
		return
	}
	l := &level{from: namespaceOf(&table{schema: rel.Schema, name: rel.Name, columns: r.relationColumns(rel)})}
	for _, p := range s.IndexPartSpecifications {
		if p.Column != nil {
			r.use(r.columnName(p.Column, l), "index")
		}
		r.use(r.expr(p.Expr, l), "index")
	}
}

// alterTable is ALTER TABLE, of which any form touches the table's data or the
// names that labels go by.
func (r *resolver) alterTable(s *ast.AlterTableStmt) {
	if rel := r.relation(s.Table.Schema.O, s.Table.Name.O); rel != nil {
		r.alters(rel)
	}
	for _, spec := range s.Specs {
		r.tableOptions(spec.Options)
		r.columnDefinitions(spec.NewColumns)
		r.constraints(spec.NewConstraints)
		if spec.Constraint != nil {
			r.constraints([]*ast.Constraint{spec.Constraint})
		}
		switch spec.Tp {
		case ast.AlterTableExchangePartition:
			if rel := r.relation(spec.NewTable.Schema.O, spec.NewTable.Name.O); rel != nil {
				r.alters(rel)
			}
		case ast.AlterTableImportTablespace, ast.AlterTableDiscardTablespace, ast.AlterTableImportPartitionTablespace,
			ast.AlterTableDiscardPartitionTablespace:
			r.refuseKind("ALTER TABLE ... TABLESPACE")
		}
	}
}

// alters records every column of a relation whose definition changes, views'
// sources included.
func (r *resolver) alters(rel *Relation) {
	for _, c := range r.relationColumns(rel) {
		for s := range c.value.Sources {
			r.st.Alters = append(r.st.Alters, s.Column)
		}
	}
}
