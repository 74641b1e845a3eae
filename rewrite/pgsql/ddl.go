package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// definitionStatement resolves data definition. Definitions that run code on
// other people's statements (triggers, rules, policies, functions, casts) are
// not for roles with masks; nor is changing a table with protected columns.
func (r *resolver) definitionStatement(n *pg.Node) {
	r.st.Effect.Catalog = true
	switch s := n.GetNode().(type) {
	case *pg.Node_CreateTableAsStmt:
		r.createTableAs(s.CreateTableAsStmt)
	case *pg.Node_CreateStmt:
		r.st.Kind = "CREATE TABLE"
		r.createTable(s.CreateStmt)
	case *pg.Node_ViewStmt:
		r.st.Kind = "CREATE VIEW"
		r.createView(s.ViewStmt)
	case *pg.Node_IndexStmt:
		r.st.Kind = "CREATE INDEX"
		r.index(s.IndexStmt)
	case *pg.Node_AlterTableStmt:
		r.st.Kind = "ALTER TABLE"
		r.alterTable(s.AlterTableStmt)
	case *pg.Node_RenameStmt:
		r.st.Kind = "ALTER"
		r.rename(s.RenameStmt)
	case *pg.Node_AlterObjectSchemaStmt:
		r.st.Kind = "ALTER"
		r.alters(s.AlterObjectSchemaStmt.Relation)
		r.refuseNames("SET SCHEMA")
	case *pg.Node_AlterOwnerStmt:
		r.st.Kind = "ALTER"
		r.alters(s.AlterOwnerStmt.Relation)
		if s.AlterOwnerStmt.ObjectType == pg.ObjectType_OBJECT_SCHEMA { // who may use it: see GRANT
			r.refuseNames("OWNER TO of a schema")
		}
	case *pg.Node_DropStmt:
		r.st.Kind = "DROP"
		r.drop(s.DropStmt)
	case *pg.Node_TruncateStmt:
		r.st.Kind = "TRUNCATE TABLE"
	case *pg.Node_CommentStmt:
		r.st.Kind = "COMMENT"
	case *pg.Node_CreateSchemaStmt:
		r.st.Kind = "CREATE SCHEMA"
		if len(s.CreateSchemaStmt.SchemaElts) > 0 {
			r.unsupported("CREATE SCHEMA with elements")
		}
	case *pg.Node_CreateSeqStmt:
		r.st.Kind = "CREATE SEQUENCE"
	case *pg.Node_AlterSeqStmt:
		r.st.Kind = "ALTER SEQUENCE"
	case *pg.Node_CreateEnumStmt, *pg.Node_CompositeTypeStmt:
		r.st.Kind = "CREATE TYPE"
	case *pg.Node_AlterEnumStmt:
		r.st.Kind = "ALTER TYPE"
	case *pg.Node_GrantStmt:
		r.st.Kind = "GRANT"
		if !s.GrantStmt.IsGrant {
			r.st.Kind = "REVOKE"
		}
		if s.GrantStmt.Objtype == pg.ObjectType_OBJECT_SCHEMA {
			r.refuseNames("GRANT and REVOKE on a schema")
		}
	case *pg.Node_RefreshMatViewStmt:
		r.st.Kind = "REFRESH MATERIALIZED VIEW"
		r.rebuilds(s.RefreshMatViewStmt.Relation)
	case *pg.Node_ReindexStmt:
		r.st.Kind = "REINDEX"
		r.rebuilds(s.ReindexStmt.Relation)
	case *pg.Node_ClusterStmt:
		r.st.Kind = "CLUSTER" // the rows come in the order of the index from then on
		r.alters(s.ClusterStmt.Relation)
		if s.ClusterStmt.Relation == nil {
			r.refuseKind("CLUSTER of every table")
		}
	default:
		r.st.Kind = rewrite.Kind(firstWord(r.st.Text))
		words := strings.Fields(strings.ToUpper(r.st.Text))
		r.refuseKind(strings.Join(words[:min(2, len(words))], " "))
	}
}

// rebuilds records that a relation's data is gone through: what goes wrong then
// may quote it.
func (r *resolver) rebuilds(v *pg.RangeVar) {
	if v == nil {
		return
	}
	for _, schema := range r.schemasOf(v) {
		if rel := r.catalog.Relation(schema, v.Relname); rel != nil {
			for _, c := range r.relationColumns(rel) {
				for s := range c.value.Sources {
					r.touch(s.Column)
				}
			}
			return
		}
	}
}

// schemasOf are the schemas in which a name is looked for.
func (r *resolver) schemasOf(v *pg.RangeVar) []string {
	if v.Schemaname != "" {
		return []string{v.Schemaname}
	}
	return r.path
}

// createTableAs is CREATE TABLE AS and CREATE MATERIALIZED VIEW.
func (r *resolver) createTableAs(s *pg.CreateTableAsStmt) {
	r.st.Kind = "CREATE TABLE AS"
	if s.Objtype == pg.ObjectType_OBJECT_MATVIEW {
		r.st.Kind = "CREATE MATERIALIZED VIEW"
	}
	if e := s.Query.GetExecuteStmt(); e != nil {
		r.execute(e, nil)
		r.st.Rows, r.st.Effect.Into = false, true
		return
	}
	columns := r.query(s.Query, nil)
	names := make([]string, len(columns))
	for i, c := range columns {
		r.flow(nil, c.value, "a new table")
		names[i] = c.name
	}
	copy(names, strs(s.Into.ColNames))
	if !s.IfNotExists {
		r.makeTable(s.Into.Rel, names)
	}
}

// makeTable lets the statements behind this one in the same text use its table.
func (r *resolver) makeTable(v *pg.RangeVar, names []string) {
	schema := r.creationSchema(v)
	if schema == "" {
		return
	}
	rel := &Relation{Schema: schema, Name: v.Relname, Kind: 'r', Temp: v.Relpersistence == "t"}
	for i, name := range names {
		rel.Columns = append(rel.Columns, &ColumnInfo{TableColumn: rewrite.TableColumn{
			Att: int16(i + 1), Name: masking.Column{Database: r.scope.Database, Schema: schema, Table: v.Relname, Name: name},
		}})
	}
	r.makes = rel
}

// createTable is CREATE TABLE. What it references or inherits decides.
func (r *resolver) createTable(s *pg.CreateStmt) {
	var names []string
	own := r.ownColumns(s)
	plain := !s.IfNotExists && len(s.InhRelations) == 0 && s.Partbound == nil && s.OfTypename == nil
	for _, n := range s.TableElts {
		switch d := n.GetNode().(type) {
		case *pg.Node_ColumnDef:
			names = append(names, d.ColumnDef.Colname)
			r.constraints(d.ColumnDef.Constraints, own, d.ColumnDef.Colname)
		case *pg.Node_Constraint:
			r.constraints([]*pg.Node{n}, own, "")
		default: // LIKE: the columns are another table's
			plain = false
		}
	}
	if plain {
		r.makeTable(s.Relation, names)
	}
	r.constraints(s.Constraints, own, "")
	r.partitioning(s.Partspec, own)
	for _, n := range s.InhRelations { // the new table may check the values that go in
		r.alters(n.GetRangeVar())
	}
	r.partitionBound(s.Partbound)
}

// ownColumns are the columns of a table that is being made: what its constraints
// turn down tells of the values that are moved there. Nothing that is protected
// may be moved to a temporary table.
func (r *resolver) ownColumns(s *pg.CreateStmt) *table {
	own := &table{name: s.Relation.Relname}
	if s.Relation.Relpersistence == "t" {
		return own
	}
	name := masking.Column{Database: r.scope.Database, Schema: r.creationSchema(s.Relation), Table: s.Relation.Relname}
	add := func(column string) {
		name.Name = column
		made := &rewrite.TableColumn{Att: int16(len(own.columns) + 1), Name: name}
		own.columns = append(own.columns, newColumn(column, made))
	}
	for _, n := range s.TableElts {
		switch d := n.GetNode().(type) {
		case *pg.Node_ColumnDef:
			add(d.ColumnDef.Colname)
		case *pg.Node_TableLikeClause:
			if rel := r.relation(d.TableLikeClause.Relation); rel != nil {
				for _, c := range rel.Columns {
					add(c.Name.Name)
				}
			}
		}
	}
	return own
}

func newColumn(name string, c *rewrite.TableColumn) column {
	return column{name: name, value: value{Value: rewrite.Of(c), exact: true}}
}

// keyed records that the values of columns of a table which is being made are
// compared with others.
func (r *resolver) keyed(own *table, names []string, clause string) {
	for _, name := range names {
		if v, ok := own.find(name); ok {
			r.use(v, clause)
		}
	}
}

// partitioning resolves PARTITION BY: a row that has no place is turned down.
func (r *resolver) partitioning(s *pg.PartitionSpec, own *table) {
	for _, n := range s.GetPartParams() {
		e := n.GetPartitionElem()
		r.keyed(own, []string{e.GetName()}, "partition by")
		if e.GetExpr() != nil {
			r.expressionOnly(e.Expr, own)
		}
	}
}

// createView is CREATE VIEW. One that takes the place of another may have more
// columns.
func (r *resolver) createView(s *pg.ViewStmt) {
	columns := r.query(s.Query, nil)
	for _, c := range columns {
		r.flow(nil, c.value, "a view")
	}
	if !s.Replace || s.View.Relpersistence == "t" {
		return
	}
	for _, schema := range r.schemasOf(s.View) {
		if rel := r.catalog.Relation(schema, s.View.Relname); rel != nil && !rel.Temp && len(rel.Columns) != len(columns) {
			r.refuseNames("CREATE OR REPLACE VIEW with more columns")
		}
	}
}

// constraints resolves what column and table constraints evaluate, and what
// they refer to: a foreign key tells which values exist over there.
//
// own are the columns of a table that is being made, column the one whose
// definition they stand in, if they do.
func (r *resolver) constraints(nodes []*pg.Node, own *table, column string) {
	for _, n := range nodes {
		c := n.GetConstraint()
		if c == nil {
			continue
		}
		if c.RawExpr != nil {
			r.expressionOnly(c.RawExpr, own)
		}
		r.keyed(own, keysOf(c, column), "constraint")
		if c.Pktable == nil {
			continue
		}
		rel := r.relation(c.Pktable)
		if rel == nil {
			continue
		}
		t := &table{columns: r.relationColumns(rel)}
		for _, name := range strs(c.PkAttrs) {
			if v, ok := t.find(name); ok {
				r.use(v, "references")
			}
		}
		if len(c.PkAttrs) == 0 { // the primary key, whichever it is
			for _, column := range rel.Columns {
				if column.NotNull {
					r.use(r.columnValue(column), "references")
				}
			}
		}
	}
}

// keysOf are the columns whose values a constraint compares with others.
func keysOf(c *pg.Constraint, column string) []string {
	switch c.Contype {
	case pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_UNIQUE, pg.ConstrType_CONSTR_FOREIGN, pg.ConstrType_CONSTR_EXCLUSION:
	default:
		return nil
	}
	names := append(strs(c.Keys), strs(c.FkAttrs)...)
	for _, n := range c.Exclusions {
		if items := n.GetList().GetItems(); len(items) > 0 {
			names = append(names, items[0].GetIndexElem().GetName())
		}
	}
	return append(names, column)
}

// partitionBound resolves the expressions of a partition's bounds: their values
// can be read in the catalog.
func (r *resolver) partitionBound(b *pg.PartitionBoundSpec) {
	for _, list := range [][]*pg.Node{b.GetListdatums(), b.GetLowerdatums(), b.GetUpperdatums()} {
		for _, n := range list {
			if n.GetPartitionRangeDatum() == nil {
				r.expressionOnly(n, nil)
			}
		}
	}
}

// expressionOnly resolves an expression over columns that do not exist yet: just
// the functions and subqueries in it matter. What it yields is stored, or decides
// what may be.
func (r *resolver) expressionOnly(n *pg.Node, own *table) {
	scratch := &rewrite.Statement{}
	inner := &resolver{catalog: r.catalog, scope: r.scope, path: r.path, session: r.session, st: scratch, depth: r.depth, steps: r.steps}
	in := &queryLevel{from: &namespace{}}
	if own != nil {
		in.from = namespaceOf(own)
	}
	v := inner.expr(n, in)
	r.flow(nil, v, "the definition of a table")
	for _, u := range scratch.Unknown {
		if u.Code != rewrite.CodeUnknownName || u.SQLState != "42703" {
			r.unknown(u)
		}
	}
	r.st.Calls = append(r.st.Calls, scratch.Calls...)
	r.st.Uses = append(r.st.Uses, scratch.Uses...)
}

// index is CREATE INDEX: building it evaluates its expressions, and a unique
// one tells whether values are.
func (r *resolver) index(s *pg.IndexStmt) {
	rel := r.relation(s.Relation)
	if rel == nil {
		return
	}
	l := &queryLevel{from: namespaceOf(&table{schema: rel.Schema, name: rel.Name, columns: r.relationColumns(rel)})}
	for _, n := range append(s.IndexParams, s.IndexIncludingParams...) {
		e := n.GetIndexElem()
		v := r.expr(e.GetExpr(), l)
		if name := e.GetName(); name != "" {
			v, _ = l.column(name)
		}
		r.use(v, "index")
	}
	r.condition(s.WhereClause, l, "index")
}

// alterTable is ALTER TABLE, of which any form touches the table's data or the
// names that labels go by.
func (r *resolver) alterTable(s *pg.AlterTableStmt) {
	r.alters(s.Relation)
	for _, n := range s.Cmds {
		cmd := n.GetAlterTableCmd()
		switch cmd.GetSubtype() {
		case pg.AlterTableType_AT_DropColumn:
			if !r.temporary(s.Relation) {
				r.refuseNames("DROP COLUMN")
			}
			continue
		case pg.AlterTableType_AT_AddColumn:
			if !r.temporary(s.Relation) {
				r.refuseNames("ADD COLUMN")
			}
		case pg.AlterTableType_AT_ColumnDefault, pg.AlterTableType_AT_SetExpression:
			if cmd.Def != nil {
				r.expressionOnly(cmd.Def, nil)
			}
			continue
		}
		switch def := cmd.GetDef().GetNode().(type) {
		case *pg.Node_ColumnDef:
			r.constraints(def.ColumnDef.Constraints, &table{}, "")
			if def.ColumnDef.RawDefault != nil {
				r.expressionOnly(def.ColumnDef.RawDefault, nil)
			}
		case *pg.Node_Constraint:
			r.constraints([]*pg.Node{cmd.Def}, &table{}, "")
		case *pg.Node_PartitionCmd:
			r.partitionBound(def.PartitionCmd.Bound)
			r.alters(def.PartitionCmd.Name)
		case *pg.Node_RangeVar: // INHERIT, NO INHERIT
			r.alters(def.RangeVar)
		}
	}
}

// rename is ALTER ... RENAME.
func (r *resolver) rename(s *pg.RenameStmt) {
	r.alters(s.Relation)
	switch s.RenameType {
	case pg.ObjectType_OBJECT_INDEX, pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_TABCONSTRAINT:
		return
	}
	if s.Relation == nil || !r.temporary(s.Relation) {
		r.refuseNames("RENAME")
	}
}

// drop is DROP. What a name stands for afterwards may be another thing.
func (r *resolver) drop(s *pg.DropStmt) {
	cascades := s.Behavior == pg.DropBehavior_DROP_CASCADE
	switch s.RemoveType {
	case pg.ObjectType_OBJECT_SCHEMA:
		r.refuseNames("DROP SCHEMA")
	case pg.ObjectType_OBJECT_EXTENSION:
		r.refuseNames("DROP EXTENSION")
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE:
		for _, n := range s.Objects {
			schema, name := splitName(n.GetList().GetItems())
			r.dropTable(&pg.RangeVar{Schemaname: schema, Relname: name}, cascades)
		}
	case pg.ObjectType_OBJECT_INDEX, pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE,
		pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_STATISTIC_EXT:
	default:
		if cascades { // columns of a type go with it, views with a function
			r.refuseNames("DROP ... CASCADE of what columns and views may depend on")
		}
	}
}

func (r *resolver) dropTable(v *pg.RangeVar, cascades bool) {
	switch {
	case r.temporary(v):
	case strings.HasPrefix(v.Schemaname, "pg_temp"):
		r.refuseNames("DROP of another session's table")
	case r.catalog.namesakes(v.Relname) > 1:
		r.refuseNames("DROP of a table that has a namesake in another schema")
	case cascades && r.catalog.dependedUpon(v.Relname):
		r.refuseNames("DROP ... CASCADE of a table on which views or columns depend")
	}
}

// temporary says whether a name stands for a temporary table, which no other
// session can see.
func (r *resolver) temporary(v *pg.RangeVar) bool {
	if rel := r.madeRelation(v); rel != nil {
		return rel.Temp
	}
	for _, schema := range r.schemasOf(v) {
		if schema == "pg_temp" {
			schema = r.tempSchema()
		}
		if rel := r.catalog.Relation(schema, v.Relname); rel != nil {
			return rel.Temp
		}
	}
	return false
}

// refuseNames refuses what gives another meaning to names in the statements of
// other sessions. Such a statement may have been resolved already and wait for
// the lock that this one holds; the server looks its names up again after that.
func (r *resolver) refuseNames(what string) {
	r.refuseKind(what)
}

// alters records every column of a relation whose definition changes, views'
// sources included.
func (r *resolver) alters(v *pg.RangeVar) {
	if v == nil {
		return
	}
	rel := r.relation(v)
	if rel == nil {
		return
	}
	for _, c := range r.relationColumns(rel) {
		for s := range c.value.Sources {
			r.st.Alters = append(r.st.Alters, s.Column)
		}
	}
}
