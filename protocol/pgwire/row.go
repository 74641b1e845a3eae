package pgwire

import "sqlveil/protocol"

// A FieldDescription is one column of a RowDescription.
type FieldDescription struct {
	Name         []byte // aliases the message
	TableOID     uint32 // 0 when the column is not one of a table
	Attribute    int16  // its number in the table, 0 likewise
	TypeOID      uint32
	TypeSize     int16
	TypeModifier int32
	Format       int16 // text in the description of a statement, where it is not decided yet
}

// fieldSize is the least that a column of a RowDescription takes.
const fieldSize = 1 + 18

// DecodeRowDescription appends the columns of a RowDescription to dst.
func DecodeRowDescription(dst []FieldDescription, body []byte) ([]FieldDescription, error) {
	c := protocol.Over(body)
	for range c.Count(fieldSize) {
		dst = append(dst, FieldDescription{
			Name:         c.CString(),
			TableOID:     c.Uint32(),
			Attribute:    c.Int16(),
			TypeOID:      c.Uint32(),
			TypeSize:     c.Int16(),
			TypeModifier: c.Int32(),
			Format:       c.Int16(),
		})
	}
	return dst, failed("RowDescription", c.End())
}

// DecodeParameterDescription appends the type OIDs of a ParameterDescription to dst.
func DecodeParameterDescription(dst []uint32, body []byte) ([]uint32, error) {
	c := protocol.Over(body)
	for range c.Count(4) {
		dst = append(dst, c.Uint32())
	}
	return dst, failed("ParameterDescription", c.End())
}

// DecodeDataRow appends the cells of a DataRow to dst; nil is NULL.
func DecodeDataRow(dst [][]byte, body []byte) ([][]byte, error) {
	c := protocol.Over(body)
	dst = decodeValues(&c, dst)
	return dst, failed("DataRow", c.End())
}
