package mywire

import "sqlveil/protocol"

// A Column is ColumnDefinition41. It names the table column that it was selected
// from, and that one's table before any alias.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html
type Column struct {
	Database      []byte
	Table         []byte // the alias
	OriginalTable []byte // empty for what is computed
	Name          []byte // the alias
	OriginalName  []byte
	Collation     uint16
	Length        uint32 // in bytes
	Type          FieldType
	Flags         uint16
	Decimals      uint8
	Default       []byte // in answers to COM_FIELD_LIST; nil is NULL
	Extended      []byte // more of the type, where [CapMariaDBExtendedMetadata] is agreed
}

// Flags of a column.
const (
	FlagNotNull  uint16 = 1 << 0
	FlagUnsigned uint16 = 1 << 5
	FlagBinary   uint16 = 1 << 7
	FlagEnum     uint16 = 1 << 8
	FlagSet      uint16 = 1 << 11
)

const (
	// fixedFields is the size of what follows the names, which stands behind it.
	fixedFields = 12

	// fixedFieldsKept is how much of that has a meaning.
	fixedFieldsKept = 10
)

// DecodeColumn decodes a column as it is without MariaDB's extension; its slices
// alias body.
func DecodeColumn(body []byte) (Column, error) { return DecodeColumnAs(body, 0) }

// DecodeColumnAs decodes a column of a session with these capabilities.
// https://mariadb.com/docs/server/reference/clientserver-protocol/4-server-response-packets/result-set-packets
func DecodeColumnAs(body []byte, agreed Capabilities) (Column, error) {
	c := protocol.Over(body)
	c.LenencString() // the catalog, always "def"
	col := Column{
		Database: c.LenencString(), Table: c.LenencString(), OriginalTable: c.LenencString(),
		Name: c.LenencString(), OriginalName: c.LenencString(),
	}
	if agreed.Has(CapMariaDBExtendedMetadata) {
		col.Extended = c.LenencString()
	}
	if c.Lenenc() != fixedFields {
		c.Fail("fixed fields of another size")
	}
	col.Collation, col.Length = c.Uint16LE(), c.Uint32LE()
	col.Type, col.Flags, col.Decimals = FieldType(c.Uint8()), c.Uint16LE(), c.Uint8()
	c.Take(fixedFields - fixedFieldsKept)
	if c.Len() > 0 {
		col.Default, _ = c.LenencNullable()
	}
	return col, failed("column", c.End())
}

// Append appends the column as a body, without its default and MariaDB's extension.
func (col *Column) Append(dst []byte) []byte { return col.AppendAs(dst, 0) }

// AppendAs appends the column for a session with these capabilities, without its
// default.
func (col *Column) AppendAs(dst []byte, agreed Capabilities) []byte {
	dst = protocol.AppendLenencString(dst, "def")
	for _, name := range [][]byte{col.Database, col.Table, col.OriginalTable, col.Name, col.OriginalName} {
		dst = protocol.AppendLenencString(dst, name)
	}
	if agreed.Has(CapMariaDBExtendedMetadata) {
		dst = protocol.AppendLenencString(dst, col.Extended)
	}
	dst = protocol.AppendUint16LE(append(dst, fixedFields), col.Collation)
	dst = protocol.AppendUint32LE(dst, col.Length)
	dst = protocol.AppendUint16LE(append(dst, byte(col.Type)), col.Flags)
	return append(dst, col.Decimals, 0, 0)
}
