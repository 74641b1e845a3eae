package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// An Ask runs one query on one connection and returns its rows as text; NULL is
// nil. The queries of this package name everything by its schema.
type Ask func(ctx context.Context, sql string) ([][]*string, error)

// errMoving says that definitions changed while they were read, again and again.
var errMoving = errors.New("definitions keep changing while they are read")

// loadAttempts bounds how often a load starts anew because definitions changed
// under it.
const loadAttempts = 8

var catalogVersions atomic.Uint64

// Load reads a snapshot of the server that ask talks to.
func Load(ctx context.Context, ask Ask) (*Catalog, error) {
	print, err := fingerprintOf(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	c, err := load(ctx, ask, print)
	if err != nil {
		return nil, err
	}
	new(history).note(c)
	return c, nil
}

// load reads until the definitions are the same after as they were before, which
// their fingerprint of then tells.
func load(ctx context.Context, ask Ask, before string) (*Catalog, error) {
	for range loadAttempts {
		l := newLoader()
		if err := l.run(ctx, ask); err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		after, err := fingerprintOf(ctx, ask)
		if err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		if before == after {
			l.catalog.print = after
			return l.catalog, nil
		}
		before = after
	}
	return nil, fmt.Errorf("read the catalog: %w", errMoving)
}

// A loader fills a catalog from the answers to the queries.
type loader struct {
	catalog *Catalog
	maybe   []*Relation // tables that may have columns of MariaDB's type JSON
}

func newLoader() *loader {
	return &loader{catalog: &Catalog{
		version:   catalogVersions.Add(1),
		schemas:   map[string]bool{},
		relations: map[name]*Relation{},
		byID:      map[uint32]*Relation{},
		routines:  map[name]*Routine{},
		former:    map[columnKey][]formerName{},
	}}
}

// A step is a query with what takes its rows. One that is optional may fail:
// what it asks for is not on every server, or not for every account.
type step struct {
	name, sql string
	columns   int
	optional  bool
	each      func(*loader, *row)
}

var steps = []step{
	{"server", "SELECT CONCAT(@@GLOBAL.sql_mode, '|utf8mb4|', VERSION()), @@lower_case_table_names", 2, false, (*loader).server},
	{"schemas", "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA", 1, false, (*loader).schema},
	{"tables", "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES", 4, false, (*loader).table},
	{
		"columns", `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE,
	IS_NULLABLE, EXTRA, GENERATION_EXPRESSION, COLUMN_KEY, COLLATION_NAME FROM information_schema.COLUMNS
	ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`,
		12, false, (*loader).column,
	},
	{"views", "SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS", 3, false, (*loader).view},
	{"routines", `SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_BODY, ROUTINE_DEFINITION, SQL_MODE
	FROM information_schema.ROUTINES`, 6, false, (*loader).routine},
	{"parameters", `SELECT SPECIFIC_SCHEMA, SPECIFIC_NAME, ROUTINE_TYPE, PARAMETER_NAME, PARAMETER_MODE FROM information_schema.PARAMETERS
	WHERE ORDINAL_POSITION > 0 ORDER BY SPECIFIC_SCHEMA, SPECIFIC_NAME, ROUTINE_TYPE, ORDINAL_POSITION`, 5, false, (*loader).parameter},
	{"table ids", "SELECT NAME, TABLE_ID FROM information_schema.INNODB_SYS_TABLES", 2, true, (*loader).engineID},
	{"table ids", "SELECT NAME, TABLE_ID FROM information_schema.INNODB_TABLES", 2, true, (*loader).engineID},
	{"table ids", "SELECT TABLE_SCHEMA, TABLE_NAME, TIDB_TABLE_ID FROM information_schema.TABLES", 3, true, (*loader).tiDBID},
}

func (l *loader) run(ctx context.Context, ask Ask) error {
	for i := range steps {
		if err := l.step(ctx, ask, &steps[i]); err != nil {
			return err
		}
	}
	if err := l.documents(ctx, ask); err != nil {
		return err
	}
	l.finish()
	return nil
}

// step asks one query.
func (l *loader) step(ctx context.Context, ask Ask, s *step) error {
	rows, err := ask(ctx, s.sql)
	if err != nil {
		if s.optional && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for _, cells := range rows {
		if len(cells) != s.columns {
			return fmt.Errorf("%s: %d columns instead of %d", s.name, len(cells), s.columns)
		}
		s.each(l, &row{cells})
	}
	return nil
}

// A row is one answer.
type row struct{ cells []*string }

// text is a cell; NULL is "".
func (r *row) text(i int) string {
	if r.cells[i] == nil {
		return ""
	}
	return *r.cells[i]
}

// number is a cell that holds one; NULL and anything else is 0.
func (r *row) number(i int) int {
	n, err := strconv.Atoi(r.text(i))
	if err != nil {
		return 0
	}
	return n
}

func (l *loader) server(r *row) {
	l.catalog.Mode = r.text(0)
	l.catalog.foldTables = r.text(1) != "0"
}

func (l *loader) schema(r *row) { l.catalog.schemas[l.catalog.key(r.text(0), "").schema] = true }

func (l *loader) table(r *row) {
	rel := &Relation{Schema: r.text(0), Name: r.text(1), Kind: BaseTable, engine: strings.ToLower(r.text(3))}
	rel.System = systemSchema(rel.Schema)
	switch kind := strings.ToUpper(r.text(2)); {
	case strings.Contains(kind, "VIEW") && !rel.System:
		rel.Kind = View
	case kind == "SEQUENCE":
		rel.Kind = Sequence
	case kind == "SYSTEM VERSIONED": // its rows carry two timestamps that * leaves out
		rel.Versioned = true
		defer rel.addHidden("row_start", "row_end")
	}
	l.catalog.schemas[l.catalog.key(rel.Schema, "").schema] = true
	l.catalog.relations[l.catalog.key(rel.Schema, rel.Name)] = rel
}

func (r *Relation) addHidden(names ...string) {
	for _, n := range names {
		r.Columns = append(r.Columns, &Column{hidden: true, kind: typeDate, TableColumn: rewrite.TableColumn{
			Name: masking.Column{Database: r.Schema, Table: r.Name, Name: n}, Type: "timestamp", System: true,
		}})
	}
}

func (l *loader) column(r *row) {
	rel := l.catalog.relations[l.catalog.key(r.text(0), r.text(1))]
	if rel == nil {
		return
	}
	c := newColumn(rel, r.text(2), r.text(3), r.text(4))
	c.digits, c.scale = r.number(5)-r.number(6), r.number(6)
	c.notNull = r.text(7) == "NO"
	c.hidden = strings.Contains(strings.ToUpper(r.text(8)), "INVISIBLE")
	c.stamped = strings.Contains(strings.ToLower(r.text(8)), "on update")
	c.generated = r.text(9)
	c.key = r.text(10) == "PRI"
	if likeDocument(r.text(3), r.text(11)) {
		l.maybe = append(l.maybe, rel)
	}
	if old := rel.Column(c.Name.Name); old != nil { // one that addHidden foresaw
		*old = *c
		return
	}
	rel.Columns = append(rel.Columns, c)
}

// newColumn is a column of rel by its declaration.
func newColumn(rel *Relation, name, dataType, columnType string) *Column {
	return &Column{
		TableColumn: rewrite.TableColumn{
			Name: masking.Column{Database: rel.Schema, Table: rel.Name, Name: name}, Type: columnType, System: rel.System, View: rel.Kind == View,
		},
		kind:     kindOf(dataType),
		length:   lengthOf(columnType),
		unsigned: strings.Contains(strings.ToLower(columnType), "unsigned"),
	}
}

func (l *loader) view(r *row) {
	if rel := l.catalog.relations[l.catalog.key(r.text(0), r.text(1))]; rel != nil && rel.Kind == View {
		rel.Definition = r.text(2)
		rel.query = sync.OnceValue(func() viewQuery { return parseView(rel.Definition, l.catalog.Mode) })
	}
}

func (l *loader) routine(r *row) {
	f := &Routine{
		Schema: r.text(0), Name: r.text(1), Procedure: strings.EqualFold(r.text(2), "PROCEDURE"),
		External: !strings.EqualFold(r.text(3), "SQL"), Body: r.text(4), SQLMode: r.text(5), Unreadable: r.text(4) == "",
	}
	l.catalog.routines[l.catalog.routineKey(f.Schema, f.Name, f.Procedure)] = f
}

func (l *loader) parameter(r *row) {
	key := l.catalog.routineKey(r.text(0), r.text(1), strings.EqualFold(r.text(2), "PROCEDURE"))
	if f := l.catalog.routines[key]; f != nil {
		f.Parameters = append(f.Parameters, Parameter{Name: r.text(3), Out: strings.Contains(strings.ToUpper(r.text(4)), "OUT")})
	}
}

// engineID notes what InnoDB calls a table: it stays when the table is renamed.
func (l *loader) engineID(r *row) {
	schema, table, ok := strings.Cut(r.text(0), "/")
	schema, readable := tableName(schema)
	table, also := tableName(table)
	if !ok || !readable || !also {
		return
	}
	if rel := l.catalog.relations[l.catalog.key(schema, table)]; rel != nil {
		rel.engineID = r.text(1)
	}
}

// tiDBID notes what TiDB calls a table: likewise.
func (l *loader) tiDBID(r *row) {
	if rel := l.catalog.relations[l.catalog.key(r.text(0), r.text(1))]; rel != nil && !rel.System {
		rel.engineID = r.text(2)
	}
}

// tableName decodes a file name: @0020 is a blank. The shorter codes of letters
// outside of ASCII are not decoded, nor are partitions, which have no name.
//
// https://dev.mysql.com/doc/refman/8.4/en/identifier-mapping.html
func tableName(file string) (string, bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(file, "@")
		if strings.Contains(before, "#") {
			return "", false
		}
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		if len(after) < 4 {
			return "", false
		}
		code, err := strconv.ParseUint(after[:4], 16, 16)
		if err != nil {
			return "", false
		}
		b.WriteRune(rune(code))
		file = after[4:]
	}
}

// finish tells TiDB by its tables, and resolves what generated columns are computed
// from.
func (l *loader) finish() {
	if l.catalog.Relation("information_schema", tiDBMarker) != nil {
		l.catalog.Mode = asTiDB(l.catalog.Mode)
	}
	m := parseMode("|utf8mb4", l.catalog.Mode)
	m.setSQLMode("")
	for rel := range maps.Values(l.catalog.relations) {
		for _, c := range rel.Columns {
			if c.generated != "" {
				c.from = generatedFrom(rel, c, &m)
			}
		}
	}
}
