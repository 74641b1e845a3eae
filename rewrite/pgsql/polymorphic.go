package pgsql

import "strings"

// ofArgument are the built-in functions whose result is of the type of the
// argument at that place.
var ofArgument = map[string]int{
	"array_append": 0, "array_prepend": 1, "array_cat": 0, "array_remove": 0, "array_replace": 0, "trim_array": 0,
	"array_sample": 1, "array_shuffle": 0, "array_reverse": 0, "array_sort": 0,
	"json_populate_record": 0, "jsonb_populate_record": 0, "json_populate_recordset": 0, "jsonb_populate_recordset": 0,
	"populate_record": 0, // of hstore
}

// returned is what a built-in function makes of its arguments where its
// result's type depends on theirs.
//
// https://www.postgresql.org/docs/current/extend-type-system.html#EXTEND-TYPES-POLYMORPHIC
func returned(name string, args []value) value {
	out := derived(args...)
	switch at, fixed := ofArgument[name]; {
	case fixed && at < len(args):
		if out.typ = args[at].typ; out.typ == "unknown" { // the other arguments decide
			out.typ = ""
		}
		if fields := fieldsFrom(out, args[at]); args[at].row != nil {
			out.row = fields
		} else {
			out.elements = fields
		}
	case name == "array_agg" && len(args) == 1 && strings.HasSuffix(args[0].typ, "vector"): // to it they are arrays
		out.typ = args[0].typ
		if out.typ == "tsvector" {
			out.typ = arrayOf(out.typ)
		}
	case name == "array_agg" && len(args) == 1:
		out.typ, out.elements = arrayOf(args[0].typ), fieldsFrom(out, args[0])
	case name == "unnest":
		return unnested(args)
	}
	return out
}

// unnested is unnest(array, ...): the elements side by side.
func unnested(args []value) value {
	out := tells(derived(args...))
	var row []column
	for _, a := range args {
		switch {
		case a.elements != nil:
			row = append(row, a.elements...)
		case a.typ == "tsvector":
			for _, name := range []string{"lexeme", "positions", "weights"} {
				row = append(row, column{name: name, value: tells(derived(a))})
			}
		case isArray(a.typ) && !a.mayBeRow(), strings.HasSuffix(a.typ, "multirange"):
			part := tells(derived(a))
			part.typ = elementOf(a.typ)
			if len(args) == 1 {
				return part
			}
			row = append(row, column{name: "unnest", value: part})
		default: // how many columns it has is not known
			out.rows = true
			return out
		}
	}
	out.row = row
	return out
}
