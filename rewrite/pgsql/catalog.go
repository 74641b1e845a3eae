package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// FirstUserOID is the lowest OID of an object that was made after initdb:
// FirstNormalObjectId of the server's access/transam.h.
const FirstUserOID = 16384

// A Catalog is an immutable snapshot of what one database's statements can
// name: tables and their columns, types, and the functions, operators and
// casts that users or extensions added. Temporary objects are in it only when
// it was read through the session that owns them; then it is a thin layer over
// a catalog of everything else.
//
// https://www.postgresql.org/docs/current/catalogs.html
type Catalog struct {
	version uint64
	print   Print
	base    *Catalog // nil when there is nothing beneath

	Database      string
	ServerVersion int // server_version_num: 150018

	// DefinitionPath is the search path under which the server printed this
	// layer's definitions; see Relation.Path and Function.Path.
	DefinitionPath []string

	tempSchema     string // the session's own, "" when it has none
	schemas        map[string]bool
	relations      map[uint32]*Relation
	relationNames  map[qualified]*Relation
	types          map[uint32]*TypeInfo
	typeNames      map[qualified]*TypeInfo
	functions      map[qualified][]*Function
	functionOIDs   map[uint32]*Function
	functionsNamed map[string][]*Function
	operators      map[string][]*Operator
	casts          []*Cast

	// incomplete says that some view could not be read because another session
	// holds a table of it locked; the snapshot is to be read again soon.
	incomplete bool

	// former holds the other names that a column had since this process knows it.
	former  map[columnKey][]masking.Column
	labels  rewrite.LabelCache
	offered kept[[]column] // columns of tables as queries see them
	parsed  kept[*pg.Node] // the queries of views
}

// qualified is a name in a schema.
type qualified struct{ schema, name string }

// columnKey identifies a column for as long as its table lives.
type columnKey struct {
	rel uint32
	att int16
}

// A Relation is a table, view, materialized view, foreign table, sequence or
// composite type.
type Relation struct {
	OID          uint32
	Schema, Name string
	Kind         byte          // pg_class.relkind: r p v m f S c
	Columns      []*ColumnInfo // live ones, by attribute number
	Parents      []uint32      // pg_inherits, direct
	Children     []uint32
	Key          []int16  // the attribute numbers of the primary key, when it holds at any time
	Definition   string   // the query of a user's view or materialized view, as pg_get_viewdef prints it
	Path         []string // the search path under which Definition and the columns' expressions were printed
	Locked       bool     // Definition or a Generated could not be read now: another session is altering a table of it
	Extension    string   // the extension it belongs to
	RowType      uint32
	System       bool // of pg_catalog, information_schema, or a bundled extension: labelled column by column, never looked into
	HasRules     bool // has rewrite rules besides a view's own query
	Temp         bool
}

func (r *Relation) isView() bool { return r.Kind == 'v' || r.Kind == 'm' }

// Column returns the live column of that name, or nil.
func (r *Relation) Column(name string) *ColumnInfo {
	for _, c := range r.Columns {
		if c.Name.Name == name {
			return c
		}
	}
	return nil
}

// Attribute returns the live column of that attribute number, or nil.
func (r *Relation) Attribute(att int16) *ColumnInfo {
	if i := int(att) - 1; i >= 0 && i < len(r.Columns) && r.Columns[i].Att == att {
		return r.Columns[i]
	}
	for _, c := range r.Columns {
		if c.Att == att {
			return c
		}
	}
	return nil
}

// A ColumnInfo is a column with what the resolver needs of its declaration.
type ColumnInfo struct {
	rewrite.TableColumn

	TypeOID   uint32
	Typmod    int32
	Generated string // the expression of GENERATED ALWAYS AS (expression) STORED or VIRTUAL
	Default   string // the expression of DEFAULT
	Identity  bool
	NotNull   bool
}

// A Function is a function, procedure, aggregate or window function.
type Function struct {
	OID             uint32
	Schema, Name    string
	Kind            byte   // pg_proc.prokind: f p a w
	Language        string // pg_language.lanname
	Source          string // pg_proc.prosrc
	Body            string // pg_get_function_sqlbody, "" when it has none
	Library         string // pg_proc.probin of a function in C
	ArgNames        []string
	ArgModes        []byte   // i o b v t; empty when all are i
	ArgTypes        []uint32 // of all arguments, OUT and TABLE ones too
	InTypes         []uint32 // of those that a call gives
	Returns         uint32
	ReturnsSet      bool
	Variadic        bool
	Strict          bool
	Extension       string
	Config          []string // SET clauses: name=value
	SecurityDefiner bool
	Defaults        int // how many of the last arguments may be left out
	Trigger         bool
	Path            []string // the search path under which Body was printed
	Locked          bool     // Body could not be read now: another session is altering a table of it
}

// An Operator is one that a user or an extension added.
type Operator struct {
	OID          uint32
	Schema, Name string
	Function     uint32
	Left, Right  uint32 // Left is 0 for a prefix operator
	Extension    string
}

// A Cast is one that a user or an extension added.
type Cast struct {
	Source, Target uint32
	Function       uint32 // 0 unless Method is f
	Method         byte   // pg_cast.castmethod: f i b
	Context        byte   // pg_cast.castcontext: e a i
	Extension      string
}

// A TypeInfo is a type of pg_type.
type TypeInfo struct {
	OID          uint32
	Schema, Name string
	Kind         byte   // pg_type.typtype: b c d e r m p
	Category     byte   // pg_type.typcategory: S for strings, N for numbers, A for arrays, ...
	Elem         uint32 // of a type that can be subscripted
	Relation     uint32 // of a composite type: its Relation
	Base         uint32 // of a domain
	Extension    string
}

// Version tells snapshots apart within this process.
func (c *Catalog) Version() uint64 { return c.version }

// Fingerprint tells the contents of snapshots apart; see [Fingerprint].
func (c *Catalog) Fingerprint() string { return c.print.Permanent + c.print.Temporary }

// TempSchema is the name of the session's own temporary schema, "" when it has none.
func (c *Catalog) TempSchema() string { return c.tempSchema }

// HasSchema says whether there is such a schema.
func (c *Catalog) HasSchema(name string) bool {
	return c.schemas[c.schema(name)] || c.base != nil && c.base.HasSchema(name)
}

// schema resolves pg_temp, the alias of the session's own temporary schema.
func (c *Catalog) schema(name string) string {
	if name == "pg_temp" && c.tempSchema != "" {
		return c.tempSchema
	}
	return name
}

// Relation returns the relation of that name, or nil.
func (c *Catalog) Relation(schema, name string) *Relation {
	if r := c.relationNames[qualified{c.schema(schema), name}]; r != nil || c.base == nil {
		return r
	}
	return c.base.Relation(schema, name)
}

// namesakes counts the relations of a name, in whatever schema.
func (c *Catalog) namesakes(name string) int {
	n := 0
	for at := c; at != nil; at = at.base {
		for q := range at.relationNames {
			if q.name == name {
				n++
			}
		}
	}
	return n
}

// dependedUpon says whether a view may read a relation of that name, or a
// column hold rows of it.
func (c *Catalog) dependedUpon(name string) bool {
	rows := map[uint32]bool{} // types of such rows, and of arrays of them
	for at := c; at != nil; at = at.base {
		for q, rel := range at.relationNames {
			if q.name == name {
				rows[rel.RowType] = rel.RowType != 0
			}
		}
	}
	for at := c; at != nil; at = at.base {
		for _, rel := range at.relations {
			if strings.Contains(rel.Definition, name) || rel.Locked || slices.ContainsFunc(rel.Columns, func(column *ColumnInfo) bool {
				return rows[c.elementOf(column.TypeOID)]
			}) {
				return true
			}
		}
	}
	return false
}

// elementOf is the type of what a value is made of: of an array its elements',
// of a domain that under it.
func (c *Catalog) elementOf(oid uint32) uint32 {
	for range maxDepth {
		t := c.TypeByOID(oid)
		switch {
		case t != nil && t.Kind == 'd':
			oid = t.Base
		case t != nil && t.Elem != 0:
			oid = t.Elem
		default:
			return oid
		}
	}
	return oid
}

// RelationByOID returns the relation with that pg_class OID, or nil.
func (c *Catalog) RelationByOID(oid uint32) *Relation {
	if r := c.relations[oid]; r != nil || c.base == nil {
		return r
	}
	return c.base.RelationByOID(oid)
}

// Functions returns the functions of that name which users or extensions
// added, and the built-in ones that return columns.
func (c *Catalog) Functions(schema, name string) []*Function {
	if list := c.functions[qualified{c.schema(schema), name}]; list != nil || c.base == nil {
		return list
	}
	return c.base.Functions(schema, name)
}

// FunctionsNamed returns the functions of that name, in any schema, which
// users or extensions added.
func (c *Catalog) FunctionsNamed(name string) []*Function {
	if c.base == nil {
		return c.functionsNamed[name]
	}
	return slices.Concat(c.functionsNamed[name], c.base.FunctionsNamed(name))
}

// FunctionByOID returns the function with that pg_proc OID if Functions knows
// it, or nil.
func (c *Catalog) FunctionByOID(oid uint32) *Function {
	if f := c.functionOIDs[oid]; f != nil || c.base == nil {
		return f
	}
	return c.base.FunctionByOID(oid)
}

// UserOperators returns the operators of that name, in any schema, which users
// or extensions added.
func (c *Catalog) UserOperators(name string) []*Operator { return c.root().operators[name] }

// UserCasts returns the casts which users or extensions added.
func (c *Catalog) UserCasts() []*Cast { return c.root().casts }

// root is the layer at the bottom, which has all operators and casts.
func (c *Catalog) root() *Catalog {
	if c.base == nil {
		return c
	}
	return c.base
}

// TypeByOID returns the type with that pg_type OID, or nil.
func (c *Catalog) TypeByOID(oid uint32) *TypeInfo {
	if t := c.types[oid]; t != nil || c.base == nil {
		return t
	}
	return c.base.TypeByOID(oid)
}

// TypeNamed returns the type of that name, or nil. Arrays have names of their
// own: _text.
func (c *Catalog) TypeNamed(schema, name string) *TypeInfo {
	if t := c.typeNames[qualified{c.schema(schema), name}]; t != nil || c.base == nil {
		return t
	}
	return c.base.TypeNamed(schema, name)
}

// Over returns the layer of one session over another catalog of everything else.
// It has none, and ok is false, where c does not lie over the catalog with the
// version was: it holds definitions then which are not committed.
func (c *Catalog) Over(was uint64, now rewrite.Catalog) (over rewrite.Catalog, ok bool) {
	base, ok := now.(*Catalog)
	if !ok || c.base == nil || c.base.version != was {
		return nil, false
	}
	return &Catalog{
		version: catalogVersions.Add(1), print: Print{base.print.Permanent, c.print.Temporary}, base: base,
		Database: c.Database, ServerVersion: c.ServerVersion, DefinitionPath: c.DefinitionPath, tempSchema: c.tempSchema,
		schemas: c.schemas, relations: c.relations, relationNames: c.relationNames, types: c.types, typeNames: c.typeNames,
		functions: c.functions, functionOIDs: c.functionOIDs, functionsNamed: c.functionsNamed, operators: c.operators, casts: c.casts,
		incomplete: c.incomplete, former: c.former,
	}, true
}
