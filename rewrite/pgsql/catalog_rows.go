package pgsql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// A row is one row of an answer. Its first failure sticks.
type row struct {
	cells []*string
	err   error
}

// text is cell i; NULL is "".
func (r *row) text(i int) string {
	if r.cells[i] == nil {
		return ""
	}
	return *r.cells[i]
}

func (r *row) number(i, bits int) int64 {
	n, err := strconv.ParseInt(r.text(i), 10, bits)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("column %d: %w", i, err)
	}
	return n
}

func (r *row) oid(i int) uint32 { return r.parseOID(r.text(i)) }

func (r *row) parseOID(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("an OID: %w", err)
	}
	return uint32(n)
}

func (r *row) bool(i int) bool { return r.text(i) == "true" }

// char is a cell of the one-byte type "char".
func (r *row) char(i int) byte {
	if s := r.text(i); s != "" {
		return s[0]
	}
	return 0
}

// oids is a cell of type oid[] or oidvector.
func (r *row) oids(i int) []uint32 {
	words := strings.FieldsFunc(r.text(i), func(c rune) bool { return strings.ContainsRune("{}, ", c) })
	list := make([]uint32, len(words))
	for n, w := range words {
		list[n] = r.parseOID(w)
	}
	return list
}

// texts is a cell of type text[] with one dimension.
func (r *row) texts(i int) []string {
	s := r.text(i)
	if s == "" || s == "{}" {
		return nil
	}
	list, ok := parseTextArray(s)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("column %d: not an array", i)
	}
	return list
}

// parseTextArray reads array_out's form of a text[] of one dimension.
//
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
func parseTextArray(s string) (list []string, ok bool) {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false
	}
	var item strings.Builder
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			item.WriteByte(s[i])
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || i == len(s)-1):
			list = append(list, item.String())
			item.Reset()
		default:
			item.WriteByte(c)
		}
	}
	return list, !quoted
}

func (l *loader) server(r *row) { l.catalog.ServerVersion = int(r.number(0, 32)) }

func (l *loader) path(r *row) {
	l.catalog.DefinitionPath = append(l.catalog.DefinitionPath, r.text(0))
}

func (l *loader) schema(r *row) {
	l.namespaces[r.oid(0)] = r.text(1)
	l.catalog.schemas[r.text(1)] = true
	if l.layer == temporary {
		l.catalog.tempSchema = r.text(1)
	}
}

// OIDs of the system catalogs that pg_depend.classid names.
const (
	classType     = 1247
	classProc     = 1255
	classRelation = 1259
	classCast     = 2605
	classOperator = 2617
)

// object identifies anything of the catalog.
type object struct{ class, oid uint32 }

func (l *loader) extension(r *row) { l.extensions[object{r.oid(0), r.oid(1)}] = r.text(2) }

func (l *loader) typ(r *row) {
	t := &TypeInfo{
		OID: r.oid(0), Schema: l.namespaces[r.oid(1)], Name: r.text(2), Kind: r.char(3), Category: r.char(4),
		Elem: r.oid(5), Relation: r.oid(6), Base: r.oid(7),
	}
	t.Extension = l.extensions[object{classType, t.OID}]
	l.catalog.types[t.OID] = t
	l.catalog.typeNames[qualified{t.Schema, t.Name}] = t
}

func (l *loader) format(r *row) {
	oid := r.oid(0)
	l.formats[typeRef{oid, int32(r.number(1, 32))}] = l.typeName(oid, r.text(2))
}

// typeName is how format_type spells a type whatever the search path: built-in
// types as it does, others by schema and name.
func (l *loader) typeName(oid uint32, formatted string) string {
	t := l.catalog.TypeByOID(oid)
	if t == nil || oid < FirstUserOID {
		return formatted
	}
	if e := l.catalog.TypeByOID(t.Elem); e != nil && t.Category == 'A' {
		return l.typeName(e.OID, e.Name) + "[]"
	}
	return t.Schema + "." + t.Name
}

func (l *loader) relation(r *row) {
	rel := &Relation{
		OID: r.oid(0), Schema: l.namespaces[r.oid(1)], Name: r.text(2), Kind: r.char(3), RowType: r.oid(4),
		Temp: l.layer == temporary, Path: l.catalog.DefinitionPath,
	}
	rel.Extension = l.extensions[object{classRelation, rel.OID}]
	rel.System = rel.OID < FirstUserOID || bundledView(rel.Extension, rel.Name)
	l.catalog.relations[rel.OID] = rel
	l.catalog.relationNames[qualified{rel.Schema, rel.Name}] = rel
}

func (l *loader) column(r *row) {
	rel := l.catalog.relations[r.oid(0)]
	if rel == nil {
		return // an index, or a table made since the relations were read
	}
	c := &ColumnInfo{
		TypeOID: r.oid(3), Typmod: int32(r.number(4, 32)), NotNull: r.bool(5), Identity: r.text(6) != "",
	}
	c.TableColumn = rewrite.TableColumn{
		Rel: rel.OID, Att: int16(r.number(1, 16)), Type: l.formats[typeRef{c.TypeOID, c.Typmod}],
		Name:   masking.Column{Database: l.catalog.Database, Schema: rel.Schema, Table: rel.Name, Name: r.text(2)},
		System: rel.System, View: !rel.System && (rel.Kind == 'v' || rel.Kind == 'm'),
	}
	if r.text(7) != "" {
		l.generated[columnKey{c.Rel, c.Att}] = true
	}
	rel.Columns = append(rel.Columns, c)
}

func (l *loader) expression(r *row) {
	rel := l.catalog.relations[r.oid(0)]
	if rel == nil {
		return
	}
	c := rel.Attribute(int16(r.number(1, 16)))
	switch {
	case c == nil:
	case l.generated[columnKey{c.Rel, c.Att}]:
		c.Generated = r.text(2)
	default:
		c.Default = r.text(2)
	}
}

func (l *loader) inherit(r *row) {
	child, parent := l.catalog.relations[r.oid(0)], l.catalog.RelationByOID(r.oid(1))
	if child == nil || parent == nil {
		return
	}
	child.Parents = append(child.Parents, parent.OID)
	if parent.Temp == child.Temp { // what lies beneath a layer never changes
		parent.Children = append(parent.Children, child.OID)
	}
}

func (l *loader) key(r *row) {
	rel := l.catalog.relations[r.oid(0)]
	if rel == nil {
		return // a temporary table
	}
	for _, att := range r.oids(1) {
		rel.Key = append(rel.Key, int16(att))
	}
}

func (l *loader) rule(r *row) {
	if rel := l.catalog.relations[r.oid(0)]; rel != nil {
		rel.HasRules = true
	}
}

func (l *loader) view(r *row) {
	rel := l.catalog.relations[r.oid(0)]
	if rel == nil || rel.System || r.cells[1] == nil || !l.systemFirst() {
		return
	}
	rel.Definition = strings.TrimSuffix(strings.TrimSpace(r.text(1)), ";")
}

// systemFirst says that operators of pg_catalog are found before any other:
// pg_get_viewdef runs a query of its own which does not qualify them.
func (l *loader) systemFirst() bool {
	for _, schema := range l.catalog.DefinitionPath {
		if schema != l.catalog.tempSchema {
			return schema == systemFunctions
		}
	}
	return false
}

func (l *loader) function(r *row) {
	f := &Function{
		OID: r.oid(0), Schema: l.namespaces[r.oid(1)], Name: r.text(2), Kind: r.char(3), Language: r.text(4),
		Source: r.text(5), Library: r.text(6), ArgNames: r.texts(7),
		InTypes: r.oids(10), Returns: r.oid(11), ReturnsSet: r.bool(12), Variadic: r.oid(13) != 0,
		Strict: r.bool(14), Config: r.texts(15), SecurityDefiner: r.bool(16), Defaults: int(r.number(17, 32)),
		Trigger: slices.Contains([]string{"trigger", "event_trigger"}, r.text(18)), Locked: r.bool(19),
		Path: l.catalog.DefinitionPath,
	}
	for _, mode := range r.texts(8) {
		f.ArgModes = append(f.ArgModes, mode[0])
	}
	if f.ArgTypes = r.oids(9); len(f.ArgTypes) == 0 {
		f.ArgTypes = f.InTypes
	}
	f.Extension = l.extensions[object{classProc, f.OID}]
	key := qualified{f.Schema, f.Name}
	l.catalog.functions[key] = append(l.catalog.functions[key], f)
	l.catalog.functionOIDs[f.OID] = f
	if f.OID >= FirstUserOID {
		l.catalog.functionsNamed[f.Name] = append(l.catalog.functionsNamed[f.Name], f)
	} else {
		f.Locked = false // never looked into
	}
}

func (l *loader) body(r *row) {
	if f := l.catalog.functionOIDs[r.oid(0)]; f != nil && r.cells[1] != nil {
		f.Body, f.Locked = r.text(1), false
	}
}

func (l *loader) operator(r *row) {
	o := &Operator{
		OID: r.oid(0), Schema: l.namespaces[r.oid(1)], Name: r.text(2), Function: r.oid(3), Left: r.oid(4), Right: r.oid(5),
	}
	o.Extension = l.extensions[object{classOperator, o.OID}]
	l.catalog.operators[o.Name] = append(l.catalog.operators[o.Name], o)
}

func (l *loader) cast(r *row) {
	l.catalog.casts = append(l.catalog.casts, &Cast{
		Source: r.oid(1), Target: r.oid(2), Function: r.oid(3), Method: r.char(4), Context: r.char(5),
		Extension: l.extensions[object{classCast, r.oid(0)}],
	})
}

// finish connects what the rows left apart.
func (l *loader) finish() {
	for _, rel := range l.catalog.relations {
		rel.Locked = rel.isView() && !rel.System && rel.Definition == ""
		for _, c := range rel.Columns {
			rel.Locked = rel.Locked || l.generated[columnKey{c.Rel, c.Att}] && c.Generated == ""
		}
		l.catalog.incomplete = l.catalog.incomplete || rel.Locked
		l.kin(rel)
	}
	for _, f := range l.catalog.functionOIDs {
		l.catalog.incomplete = l.catalog.incomplete || f.Locked
	}
}

// kin gives each column of rel the columns of the same name in every ancestor
// and descendant: reading rel reads its descendants' rows, and a row of rel can
// be read through its ancestors. A permanent table does not know its temporary
// children, whose rows are the session's own.
func (l *loader) kin(rel *Relation) {
	if len(rel.Parents)+len(rel.Children) == 0 {
		return
	}
	relatives := l.reach(rel, func(r *Relation) []uint32 { return r.Parents })
	relatives = append(relatives, l.reach(rel, func(r *Relation) []uint32 { return r.Children })...)
	for _, c := range rel.Columns {
		for _, other := range relatives {
			if k := other.Column(c.Name.Name); k != nil {
				c.Kin = append(c.Kin, &k.TableColumn)
			}
		}
	}
}

// reach returns the relations that next leads to from rel, without rel itself.
func (l *loader) reach(rel *Relation, next func(*Relation) []uint32) []*Relation {
	seen := map[uint32]bool{rel.OID: true}
	var found []*Relation
	for queue := []*Relation{rel}; len(queue) > 0; queue = queue[1:] {
		for _, oid := range next(queue[0]) {
			if r := l.catalog.RelationByOID(oid); r != nil && !seen[oid] {
				seen[oid] = true
				found = append(found, r)
				queue = append(queue, r)
			}
		}
	}
	return found
}
