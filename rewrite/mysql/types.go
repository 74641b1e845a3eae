package mysql

import "strings"

// typeKind is the family of a value's type: what may be made of it without a
// conversion that can fail or warn depending on the value.
type typeKind uint8

const (
	typeUnknown typeKind = iota
	typeText             // character strings, ENUM, SET
	typeBytes            // binary strings, BIT, geometry, UUID, INET6
	typeInteger
	typeDecimal
	typeFloat
	typeDate // DATE, DATETIME, TIMESTAMP
	typeTime
	typeJSON
)

// number says whether values of the type are numbers.
func (k typeKind) number() bool { return k == typeInteger || k == typeDecimal || k == typeFloat }

// temporal says whether values of the type are dates or times.
func (k typeKind) temporal() bool { return k == typeDate || k == typeTime }

// kindOf is the family of a type in information_schema.COLUMNS.DATA_TYPE.
func kindOf(dataType string) typeKind {
	switch strings.ToLower(dataType) {
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		return typeText
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year":
		return typeInteger
	case "decimal", "numeric":
		return typeDecimal
	case "float", "double", "real":
		return typeFloat
	case "date", "datetime", "timestamp":
		return typeDate
	case "time":
		return typeTime
	case "json":
		return typeJSON
	case "":
		return typeUnknown
	}
	return typeBytes
}
