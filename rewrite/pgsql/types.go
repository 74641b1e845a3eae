package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// arrayOfUnknown is the type of an array whose elements' type has no name in
// pg_catalog, or is not known.
const arrayOfUnknown = arrayPrefix

func isArray(typ string) bool { return typ != "" && typ[:1] == arrayPrefix }

// arrayOf is the type of an array of a type. An array of arrays is of the
// inner arrays' own type.
func arrayOf(element string) string {
	if isArray(element) {
		return element
	}
	return arrayPrefix + element
}

// elementOf is the type of an array's elements, "" when that is not known.
func elementOf(array string) string {
	if isArray(array) {
		return array[len(arrayPrefix):]
	}
	return ""
}

// mostBases bounds domains over domains.
const mostBases = 16

// baseType is the type that a domain is made of, or t itself.
func (r *resolver) baseType(t *TypeInfo) *TypeInfo {
	for range mostBases {
		if t == nil || t.Kind != 'd' {
			return t
		}
		t = r.catalog.TypeByOID(t.Base)
	}
	return nil
}

// typed is v as a value of a type: what the type is called, and which fields
// it has. A domain is the type that it is made of.
func (r *resolver) typed(v value, t *TypeInfo) value {
	v.typ, v.declared, v.row, v.elements, v.rows = "", t, nil, nil, false
	t = r.baseType(t)
	switch {
	case t == nil: // made since the definitions were read
		v.rows = true
	case t.Kind == 'c':
		v.row = r.fieldsOf(v, t)
	case t.Category == 'A' && t.Elem != 0:
		v.typ = arrayOfUnknown
		if t.Schema == systemSchema {
			v.typ = t.Name
		}
		if element := r.baseType(r.catalog.TypeByOID(t.Elem)); element == nil {
			v.rows = true
		} else if element.Kind == 'c' {
			v.elements = r.fieldsOf(v, element)
		}
	case t.Schema == systemSchema:
		v.typ = t.Name
		if polymorphic(t) {
			v.typ, v.rows = "", true
		}
	}
	return v
}

// polymorphic reports whether a call decides what a type stands for.
func polymorphic(t *TypeInfo) bool {
	return t.Kind == 'p' && (t.Name == "record" || t.Name == "_record" || strings.HasPrefix(t.Name, "any"))
}

// fieldsOf are the fields of a value of a composite type: each is made of all
// that the value is made of. Of rows within the row they are not followed.
func (r *resolver) fieldsOf(v value, t *TypeInfo) []column {
	fields := []column{}
	if rel := r.catalog.RelationByOID(t.Relation); rel != nil {
		for _, f := range rel.Columns {
			part := tells(derived(value{Value: v.Value}))
			if inner := r.baseType(r.catalog.TypeByOID(f.TypeOID)); inner != nil && inner.Kind == 'b' && inner.Schema == systemSchema {
				part.typ = inner.Name
			} else {
				part.rows = true
			}
			fields = append(fields, column{name: f.Name.Name, value: part})
		}
	}
	return fields
}

// namedType finds the type that a name stands for, nil when there is none.
func (r *resolver) namedType(n *pg.TypeName) *TypeInfo {
	schema, name := splitName(n.GetNames())
	if schema == "pg_temp" {
		schema = r.tempSchema()
	}
	if schema != "" {
		return r.catalog.TypeNamed(schema, name)
	}
	for _, s := range r.path {
		if t := r.catalog.TypeNamed(s, name); t != nil {
			return t
		}
	}
	return nil
}

// castType is v as a value of the type that a cast names.
func (r *resolver) castType(v value, n *pg.TypeName) value {
	out := r.typed(v, r.namedType(n))
	if len(n.GetArrayBounds()) > 0 {
		out.elements, out.row = out.row, nil
		out.typ, out.declared = arrayOf(out.typ), nil
	}
	return out
}

// oneRow is the row that any of several may be, nil when their fields differ.
func oneRow(rows ...[]column) []column {
	out := rows[0]
	for _, row := range rows[1:] {
		if !slices.EqualFunc(out, row, func(a, b column) bool { return a.name == b.name }) {
			return nil
		}
		out = rowEither(out, row)
	}
	return out
}
