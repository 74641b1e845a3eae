package mysql

import (
	"slices"
	"strings"

	"sqlveil/rewrite"
)

// A Catalog is an immutable snapshot of what statements on one server can name:
// tables and views with their columns, and stored routines. Temporary tables are
// in it only when it was read for the session that owns them; then it is a thin
// layer over a catalog of everything else.
//
// https://dev.mysql.com/doc/refman/8.4/en/information-schema.html
type Catalog struct {
	version uint64
	print   string
	base    *Catalog // nil when there is nothing beneath

	Mode       string // what a scope without a mode of its own gets; see [ModeSQL]
	foldTables bool

	schemas   map[string]bool
	relations map[name]*Relation
	byID      map[uint32]*Relation
	routines  map[name]*Routine // functions and procedures have names of their own: see routineKey
	former    map[columnKey][]formerName
	labels    rewrite.LabelCache
}

// A name is one of a schema and something in it, folded by the server's rule.
type name struct{ schema, name string }

// columnKey identifies a column for as long as this process knows its table.
type columnKey struct {
	rel uint32
	att int16
}

// A Relation is a table, view or sequence.
type Relation struct {
	ID           uint32
	Schema, Name string
	Kind         RelationKind
	Columns      []*Column
	Definition   string // the query of a view, with every name qualified
	Temporary    bool   // of one session alone
	Versioned    bool   // keeps earlier versions of its rows
	System       bool   // of the server's own schemas: labelled column by column, never looked into
	engine       string // of a table, lower case
	engineID     string // what the storage engine calls the table, "" when unknown
	query        func() viewQuery
}

// RelationKind tells relations apart.
type RelationKind byte

// The kinds of relations.
const (
	BaseTable RelationKind = 't'
	View      RelationKind = 'v'
	Sequence  RelationKind = 's'
)

// Column returns the column of that name in any case, or nil.
func (r *Relation) Column(name string) *Column {
	for _, c := range r.Columns {
		if strings.EqualFold(c.Name.Name, name) {
			return c
		}
	}
	return nil
}

func (r *Relation) String() string { return r.Schema + "." + r.Name }

// A Column is a column with what the resolver needs of its declaration.
type Column struct {
	rewrite.TableColumn

	kind      typeKind
	digits    int       // before the decimal point, of an exact number; 0 when unknown
	scale     int       // behind it
	unsigned  bool      // a number that has no sign
	length    int       // of a text: most characters, 0 when its type does not say
	hidden    bool      // INVISIBLE: found by its name, not by *
	generated string    // the expression that it is computed by
	from      []*Column // and the columns in that
	notNull   bool
	key       bool // one of those that tell the table's rows apart
	stamped   bool // the server sets it when the row changes
}

// A Routine is a stored function or procedure.
type Routine struct {
	Schema, Name string
	Procedure    bool
	Parameters   []Parameter
	Body         string // its definition, from BEGIN or the only statement on
	SQLMode      string // under which the body was written
	External     bool   // not in SQL
	Unreadable   bool   // the account may not see the body
}

// A Parameter is one of a routine's.
type Parameter struct {
	Name string
	Out  bool // OUT or INOUT
}

// systemSchemas are the server's own, in any case.
func systemSchema(schema string) bool {
	switch strings.ToLower(schema) {
	case "information_schema", "performance_schema", "mysql", "sys", "metrics_schema":
		return true
	}
	return false
}

// Version tells snapshots apart within this process.
func (c *Catalog) Version() uint64 { return c.version }

// key folds a schema's and a table's name. The names in information_schema are
// the same in any case everywhere.
func (c *Catalog) key(schema, table string) name {
	if c.foldTables || strings.EqualFold(schema, "information_schema") {
		return name{strings.ToLower(schema), strings.ToLower(table)}
	}
	return name{schema, table}
}

// HasSchema says whether there is such a database.
func (c *Catalog) HasSchema(schema string) bool {
	return c.schemas[c.key(schema, "").schema] || c.base != nil && c.base.HasSchema(schema)
}

// Relation returns the relation of that name, or nil.
func (c *Catalog) Relation(schema, table string) *Relation {
	if r := c.relations[c.key(schema, table)]; r != nil || c.base == nil {
		return r
	}
	return c.base.Relation(schema, table)
}

// relationOf returns the relation of that number, or nil.
func (c *Catalog) relationOf(id uint32) *Relation {
	if r := c.byID[id]; r != nil || c.base == nil {
		return r
	}
	return c.base.relationOf(id)
}

// noticesChanges says whether the table tells an UPDATE that changes a row from one
// that leaves it as it is; the statement sets the columns that set is true for.
func (r *Relation) noticesChanges(set func(*Column) bool) bool {
	return r.Versioned || slices.ContainsFunc(r.Columns, func(c *Column) bool { return c.stamped && !set(c) })
}

// Routine returns the stored function, or procedure, of that name, or nil. The
// names of routines are the same in any case.
func (c *Catalog) Routine(schema, routine string, procedure bool) *Routine {
	if r := c.routines[c.routineKey(schema, routine, procedure)]; r != nil || c.base == nil {
		return r
	}
	return c.base.Routine(schema, routine, procedure)
}

func (c *Catalog) routineKey(schema, routine string, procedure bool) name {
	key := name{c.key(schema, "").schema, strings.ToLower(routine)}
	if procedure {
		key.name += "()"
	}
	return key
}

// Origin finds the column that the server names as a result column's origin, by
// org_table and org_name of its definition.
func (c *Catalog) Origin(schema, table, column string) (rel uint32, att int16, ok bool) {
	r := c.Relation(schema, table)
	if r == nil {
		return 0, 0, false
	}
	found := r.Column(column)
	if found == nil {
		return 0, 0, false
	}
	return found.Rel, found.Att, true
}
