package pgsql

import (
	"slices"
	"strings"
)

// castFamilies are the casts that never fail on a value: from the first type to
// any of the others, by their names in pg_type. A type modifier such as
// varchar(10) truncates or rounds in an explicit cast; numeric(10,2) may fail.
//
// Casts that fail only where a type's range ends far beyond any stored value
// (numeric to float8, date to timestamp) are among them: no other function that
// never fails can bring a value there.
//
// https://www.postgresql.org/docs/current/catalog-pg-cast.html
var castFamilies = map[string][]string{
	"int2":        {"int4", "int8", "numeric", "float4", "float8"},
	"int4":        {"int8", "numeric", "float4", "float8", "bool", "oid", "bit"},
	"int8":        {"numeric", "float4", "float8", "bit"},
	"numeric":     {"float8"},
	"float4":      {"float8"},
	"oid":         {"int8", "int4", "regclass", "regtype", "regproc", "regnamespace", "regrole"},
	"regclass":    {"oid", "int8", "int4"},
	"regtype":     {"oid", "int8", "int4"},
	"regproc":     {"oid", "int8", "int4"},
	"bool":        {"int4"},
	"name":        {"text", "varchar", "bpchar"},
	"text":        {"name", "char"},
	"varchar":     {"name", "char"},
	"bpchar":      {"name", "char"},
	"char":        {"int4"},
	"date":        {"timestamp", "timestamptz"},
	"timestamp":   {"date", "time", "timestamptz"},
	"timestamptz": {"date", "time", "timestamp", "timetz"},
	"time":        {"interval", "timetz"},
	"timetz":      {"time"},
	"interval":    {"time"},
	"inet":        {"cidr"},
	"cidr":        {"inet"},
	"macaddr":     {"macaddr8"},
	"money":       {"numeric"},
	"bit":         {"varbit"},
	"varbit":      {"bit"},
	"jsonb":       {"json"},
	"xid8":        {"xid"},
}

// CastTotal says whether a built-in cast between two types, named as in
// pg_type, can never fail on a value. Every type can be cast to text.
func CastTotal(from, to string) bool {
	switch {
	case from == "":
		return false
	case isString(to) && from != "unknown":
		return true
	case strings.HasPrefix(from, arrayPrefix) && strings.HasPrefix(to, arrayPrefix):
		return CastTotal(from[len(arrayPrefix):], to[len(arrayPrefix):])
	case from == to:
		return from != "numeric" // with a type modifier it can overflow
	}
	return slices.Contains(castFamilies[from], to)
}

// CastKeepsText says whether a built-in cast leaves a value's text as it was.
func CastKeepsText(from, to string) bool {
	switch {
	case from == "" || to == "" || from == "unknown":
		return false
	case from == to:
		return true
	case isString(to):
		return textKept(from)
	}
	return integerWidens(from, to)
}

// textKept says whether a type's cast to text gives what the type's output
// function gives.
func textKept(from string) bool {
	switch from {
	case "text", "varchar", "bpchar", "name", "int2", "int4", "int8", "numeric", "float4", "float8", "date", "time",
		"timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "xml", "money", "macaddr", "macaddr8":
		return true
	}
	return false // bool prints t but casts to true, inet leaves out /32
}

func integerWidens(from, to string) bool {
	widths := []string{"int2", "int4", "int8", "numeric"}
	i, j := slices.Index(widths, from), slices.Index(widths, to)
	return i >= 0 && i < j
}

func isString(typ string) bool { return typ == "text" || typ == "varchar" || typ == "bpchar" }
