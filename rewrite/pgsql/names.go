package pgsql

import (
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// systemSchema holds what PostgreSQL itself defines; it is searched first
// unless the search path names it elsewhere.
const systemSchema = "pg_catalog"

// relation finds the table, view or sequence that a name stands for, as the
// server does: the schema if there is one, else each schema of the search path.
func (r *resolver) relation(v *pg.RangeVar) *Relation {
	if rel := r.madeRelation(v); rel != nil {
		return rel
	}
	if r.changed {
		r.unpredicted(v.Relname)
		return nil
	}
	if v.Catalogname != "" && v.Catalogname != r.scope.Database {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeUnknownName, SQLState: "0A000", Position: position(v.Location),
			Message: fmt.Sprintf("cross-database references are not implemented: %q", v.Catalogname+"."+v.Schemaname+"."+v.Relname),
		})
		return nil
	}
	if v.Schemaname != "" {
		schema := v.Schemaname
		if schema == "pg_temp" {
			schema = r.tempSchema()
		}
		if rel := r.catalog.Relation(schema, v.Relname); rel != nil {
			return rel
		}
		return r.noRelation(v.Schemaname+"."+v.Relname, v.Location)
	}
	if r.path == nil {
		r.unpredicted(v.Relname)
		return nil
	}
	r.st.Effect.ReadsPath = true
	for i, schema := range r.path {
		rel := r.catalog.Relation(schema, v.Relname)
		if rel == nil {
			continue
		}
		if r.foretold && !rel.System && !rel.Temp && r.anywhere(r.path[i+1:], v.Relname) {
			r.unpredicted(v.Relname) // the server passes over a schema that the user may not use
			return nil
		}
		if r.asOwner && !rel.System && r.catalog.namesakes(v.Relname) > 1 {
			r.unknown(rewrite.Refusal{
				Code: rewrite.CodeUnpredicted, Message: fmt.Sprintf("which %q a function means that runs as its owner is not known", v.Relname),
				Hint: "Set search_path in the function's definition.",
			})
			return nil
		}
		return rel
	}
	return r.noRelation(v.Relname, v.Location)
}

// anywhere reports whether any of the schemas has a relation of that name.
func (r *resolver) anywhere(schemas []string, name string) bool {
	return slices.ContainsFunc(schemas, func(schema string) bool { return r.catalog.Relation(schema, name) != nil })
}

// madeRelation is the table that an earlier statement of the same text makes
// and that v names: a temporary one comes before all others.
func (r *resolver) madeRelation(v *pg.RangeVar) *Relation {
	for _, rel := range slices.Backward(r.made) {
		if rel.Name != v.Relname {
			continue
		}
		switch {
		case v.Schemaname == rel.Schema, v.Schemaname == "" && rel.Temp:
			return rel
		case v.Schemaname == "":
			for _, schema := range r.path { // whichever comes first
				if schema == rel.Schema {
					return rel
				}
				if r.catalog.Relation(schema, v.Relname) != nil {
					break
				}
			}
		}
	}
	return nil
}

// creationSchema is where an unqualified CREATE TABLE puts its table, "" when
// that is not known.
func (r *resolver) creationSchema(v *pg.RangeVar) string {
	switch {
	case v.Relpersistence == "t":
		return "pg_temp"
	case v.Schemaname != "":
		return v.Schemaname
	}
	for _, schema := range r.path {
		if schema != systemSchema && !strings.HasPrefix(schema, "pg_temp") {
			return schema
		}
	}
	return ""
}

// tempSchema is the session's own schema of temporary tables, "" when it has none.
func (r *resolver) tempSchema() string {
	for _, schema := range r.path {
		if strings.HasPrefix(schema, "pg_temp") {
			return schema
		}
	}
	return ""
}

func (r *resolver) noRelation(name string, location int32) *Relation {
	r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnknownName, SQLState: "42P01", Position: position(location),
		Message: fmt.Sprintf("relation %q does not exist", name),
	})
	return nil
}

func (r *resolver) noColumn(name string, location int32) value {
	return r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnknownName, SQLState: "42703", Position: position(location),
		Message: fmt.Sprintf("column %s does not exist", name),
	})
}

// unpredicted refuses a bare name whose meaning an earlier statement of the
// same text decides.
func (r *resolver) unpredicted(name string) value {
	return r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnpredicted, Message: fmt.Sprintf("what %q means depends on an earlier statement of the same text", name),
		Hint: "Send the statements one by one, or write the schema.",
	})
}

// position is a parser location as a client counts it. The parser counts
// bytes; the difference shows only behind text outside of ASCII.
func position(location int32) int {
	if location < 0 {
		return 0
	}
	return int(location) + 1
}

// userFunctions returns the user-written and extension functions that a name
// may call: in the given schema, or anywhere on the search path. The server
// chooses among them, and the built-in ones, by the arguments' types; whoever
// asks must be content with any of them.
func (r *resolver) userFunctions(schema, name string) []*Function {
	if schema == "pg_temp" {
		schema = r.tempSchema()
	}
	var out []*Function
	for _, f := range r.catalog.FunctionsNamed(name) {
		switch {
		case schema != "":
			if f.Schema == schema {
				out = append(out, f)
			}
		case r.path == nil || r.asOwner || slices.Contains(r.path, f.Schema):
			// temporary functions are never found by a bare name
			if !strings.HasPrefix(f.Schema, "pg_temp") {
				out = append(out, f)
			}
		}
	}
	return out
}

// splitName splits a dotted name into its schema, "" if there is none, and itself.
func splitName(names []*pg.Node) (schema, name string) {
	parts := strs(names)
	switch len(parts) {
	case 0:
		return "", ""
	case 1:
		return "", parts[0]
	}
	return parts[len(parts)-2], parts[len(parts)-1]
}

// strs returns the strings of a list of String nodes.
func strs(nodes []*pg.Node) []string {
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		if s := n.GetString_(); s != nil {
			out = append(out, s.Sval)
		}
	}
	return out
}
