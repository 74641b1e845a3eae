package pgwire

import (
	"fmt"

	"sqlveil/protocol"
)

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

// A CellRewriter changes the cells of one column.
type CellRewriter interface {
	// AppendCell appends what takes the place of cell, which is not NULL and in
	// the format of its column. When it returns false the cell becomes NULL, and
	// what it appended is dropped.
	AppendCell(dst, cell []byte) (out []byte, ok bool)
}

// RewriteRow appends the body of a DataRow to dst with the cells of some columns
// rewritten; a nil rewriter leaves its column as it is. It fails when the row
// does not have as many columns as there are rewriters.
//
// It is the one decoder without a Cursor: it runs for every cell of a result,
// and checks the same things in half the time.
func RewriteRow(dst, body []byte, columns []CellRewriter) ([]byte, error) {
	if len(body) < 2 || int(protocol.Uint16At(body)) != len(columns) {
		return dst, fmt.Errorf("DataRow: %w: not %d columns", protocol.ErrMalformed, len(columns))
	}
	at, kept := 2, 0 // body[:at] has been read, body[:kept] been dealt with
	for _, column := range columns {
		if len(body)-at < lengthSize {
			return dst, errCutOff
		}
		size := int(int32(protocol.Uint32At(body[at:])))
		start := at + lengthSize
		if uint(size) > uint(len(body)-start) { // or negative
			if size != null {
				return dst, errCutOff
			}
			at = start
			continue
		}
		if column != nil {
			if kept < at {
				dst = append(dst, body[kept:at]...)
			}
			dst, _ = appendRewritten(dst, body[start:start+size:start+size], column)
			kept = start + size
		}
		at = start + size
	}
	if at < len(body) {
		return dst, fmt.Errorf("DataRow: %w: %d bytes too many", protocol.ErrMalformed, len(body)-at)
	}
	return append(dst, body[kept:]...), nil
}

var errCutOff = fmt.Errorf("DataRow: %w: a length exceeds the message", protocol.ErrMalformed)

// appendRewritten appends a rewritten cell behind its length, and returns false
// when it is NULL.
func appendRewritten(dst, cell []byte, column CellRewriter) ([]byte, bool) {
	start := len(dst) + lengthSize
	out, ok := column.AppendCell(append(dst, 0xff, 0xff, 0xff, 0xff), cell)
	if !ok {
		return out[:start], false
	}
	protocol.PutUint32(out[start-lengthSize:], uint32(len(out)-start))
	return out, true
}
