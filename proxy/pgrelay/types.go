package pgrelay

import (
	"strconv"
	"strings"

	"sqlveil/protocol/pgwire"
)

// typmodHeader is what PostgreSQL adds to the modifier of varchar and numeric.
const typmodHeader = 4

// typeOIDs are the OIDs of the types whose values can be masked, by the names that
// format_type prints.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_type.dat
var typeOIDs = map[string]uint32{
	"boolean": 16, "bytea": 17, `"char"`: 18, "name": 19, "bigint": 20, "smallint": 21, "integer": 23, "text": 25, "oid": 26,
	"json": 114, "xml": 142, "real": 700, "double precision": 701, "money": 790, "macaddr8": 774, "cidr": 650, "macaddr": 829,
	"inet": 869, "character": 1042, "bpchar": 1042, "character varying": 1043, "date": 1082, "time without time zone": 1083,
	"timestamp without time zone": 1114, "timestamp with time zone": 1184, "interval": 1186, "time with time zone": 1266,
	"numeric": 1700, "uuid": 2950, "jsonb": 3802, "citext": 25,
}

// typeNamed returns the type with the name that format_type prints, such as
// character varying(20), numeric(10,2) or timestamp(3) with time zone. A type that
// is not known is the zero Type, whose values can only become NULL.
func typeNamed(name string) pgwire.Type {
	base, array := strings.CutSuffix(name, "[]")
	modifier := int32(-1)
	if before, rest, found := strings.Cut(base, "("); found {
		inside, after, _ := strings.Cut(rest, ")")
		base = before + after
		modifier = modifierOf(inside)
	}
	t := pgwire.TypeOf(typeOIDs[base], modifier)
	if array {
		t = pgwire.ArrayOf(t)
	}
	return t
}

// modifierOf makes a type modifier of a length, or of a precision and a scale.
func modifierOf(inside string) int32 {
	first, second, two := strings.Cut(inside, ",")
	n, err := strconv.Atoi(first)
	if err != nil {
		return -1
	}
	if !two {
		return int32(n) + typmodHeader
	}
	scale, err := strconv.Atoi(second)
	if err != nil {
		return -1
	}
	return int32(n)<<16 | int32(scale)&0x7ff + typmodHeader
}
