package mywire

import (
	"fmt"

	"sqlveil/protocol"
)

// A CellRewriter changes the cells of one column.
type CellRewriter interface {
	// AppendCell appends what takes the place of cell, which is not NULL and
	// stands as its row has it, without the length. When it returns false the
	// cell becomes NULL, and what it appended is dropped.
	AppendCell(dst, cell []byte) (out []byte, ok bool)
}

// RewriteTextRow appends a row of COM_QUERY to dst, as a body, with the cells of
// some columns rewritten; a nil rewriter leaves its column as it is. It fails
// when the row does not have as many columns as there are rewriters.
func RewriteTextRow(dst, body []byte, columns []CellRewriter) ([]byte, error) {
	at, kept := 0, 0 // body[:kept] has been dealt with
	for _, column := range columns {
		start, end, ok := textCell(body, at)
		if !ok {
			return dst, errTextRow
		}
		if column != nil && body[at] != textNull {
			dst = append(dst, body[kept:at]...)
			dst = appendRewritten(dst, body[start:end:end], column)
			kept = end
		}
		at = end
	}
	if at < len(body) {
		return dst, errTextRow
	}
	return append(dst, body[kept:]...), nil
}

var errTextRow = fmt.Errorf("text row: %w", protocol.ErrMalformed)

// textCell returns where the cell is whose length stands at a place of a row of
// COM_QUERY; NULL is empty. It returns false for what is cut off.
func textCell(body []byte, at int) (start, end int, ok bool) {
	if at >= len(body) {
		return 0, 0, false
	}
	if size := int(body[at]); size < textNull {
		end = at + 1 + size
		return at + 1, end, end <= len(body)
	}
	c := protocol.Over(body[at:])
	cell, _ := c.LenencNullable()
	end = len(body) - c.Len()
	return end - len(cell), end, c.Err() == nil
}

// textNull is NULL in the place of a length.
const textNull = 0xfb

func appendRewritten(dst, cell []byte, column CellRewriter) []byte {
	start := len(dst)
	out, ok := column.AppendCell(append(dst, textNull), cell)
	if !ok {
		return out[:start+1]
	}
	return measured(out, start)
}

// measured puts the length of dst[start+1:] at start, where it has been given
// one byte.
func measured(dst []byte, start int) []byte {
	size := len(dst) - start - 1
	if size < textNull {
		dst[start] = byte(size)
		return dst
	}
	var room [9]byte
	length := protocol.AppendLenenc(room[:0], uint64(size))
	if extra := len(length) - 1; extra > 0 {
		dst = append(dst, room[:extra]...)
		copy(dst[start+len(length):], dst[start+1:start+1+size])
	}
	copy(dst[start:], length)
	return dst
}

// DecodeTextRow appends the cells of a row of COM_QUERY to dst; nil is NULL.
func DecodeTextRow(dst [][]byte, body []byte, columns int) ([][]byte, error) {
	c := protocol.Over(body)
	for range columns {
		cell, _ := c.LenencNullable()
		dst = append(dst, cell)
	}
	return dst, failed("text row", c.End())
}

const (
	binaryRow = 0x00 // the first byte

	// nullOffset is how many bits the bitmap of NULLs has before the first column.
	nullOffset = 2
)

// RewriteBinaryRow is RewriteTextRow for rows of COM_STMT_EXECUTE and
// COM_STMT_FETCH. What a rewriter makes must have the size of its type if that
// has one; else it becomes NULL.
func RewriteBinaryRow(dst, body []byte, types []FieldType, columns []CellRewriter) ([]byte, error) {
	at := 1 + (len(types)+nullOffset+7)/8
	if len(columns) != len(types) || len(body) < at || body[0] != binaryRow {
		return dst, errBinaryRow
	}
	bitmap, nulls, kept := rowNulls(body[1:at]), len(dst)+1, 0 // body[:kept] has been dealt with
	for i, t := range types {
		if bitmap.has(i) {
			continue
		}
		start, end, ok := binaryValue(body, at, t)
		if !ok {
			return dst, errBinaryRow
		}
		if column := columns[i]; column != nil {
			dst = append(dst, body[kept:at]...)
			kept = end
			if dst, ok = appendBinary(dst, body[start:end:end], t, column); !ok {
				rowNulls(dst[nulls:]).set(i)
			}
		}
		at = end
	}
	if at < len(body) {
		return dst, errBinaryRow
	}
	return append(dst, body[kept:]...), nil
}

var errBinaryRow = fmt.Errorf("binary row: %w", protocol.ErrMalformed)

// binaryValue returns where the value is that stands at a place of a binary row,
// without its length. It returns false for what is cut off.
func binaryValue(body []byte, at int, t FieldType) (start, end int, ok bool) {
	switch t.shape() {
	case shapeFixed:
		start, end = at, at+t.width()
	case shapePacked:
		if at >= len(body) {
			return 0, 0, false
		}
		start, end = at+1, at+1+int(body[at])
	case shapeString:
		start, end, ok = textCell(body, at)
		return start, end, ok && body[at] != textNull
	default:
		start, end = at, at
	}
	return start, end, end <= len(body)
}

// rowNulls is the bitmap of a row's NULLs, which begins with two bits of none.
type rowNulls []byte

func (n rowNulls) has(column int) bool {
	return n[(column+nullOffset)/8]>>((column+nullOffset)%8)&1 != 0
}

func (n rowNulls) set(column int) { n[(column+nullOffset)/8] |= 1 << ((column + nullOffset) % 8) }

// binaryHead reads what precedes the values.
func binaryHead(c *protocol.Cursor, columns int) rowNulls {
	if c.Uint8() != binaryRow {
		c.Fail("no binary row")
	}
	return c.Take((columns + nullOffset + 7) / 8)
}

// takeValue reads one value and returns it without its length.
func takeValue(c *protocol.Cursor, t FieldType) []byte {
	switch t.shape() {
	case shapeFixed:
		return c.Take(t.width())
	case shapePacked:
		return c.Take(int(c.Uint8()))
	case shapeString:
		return c.LenencString()
	default:
		return nil
	}
}

// appendBinary appends a rewritten value, with its length if it has one.
func appendBinary(dst, cell []byte, t FieldType, column CellRewriter) ([]byte, bool) {
	start := len(dst)
	if t.shape() == shapeFixed {
		out, ok := column.AppendCell(dst, cell)
		if !ok || len(out) != start+t.width() {
			return out[:start], false
		}
		return out, true
	}
	out, ok := column.AppendCell(append(dst, 0), cell)
	if !ok {
		return out[:start], false
	}
	return measured(out, start), true
}

// DecodeBinaryRow appends the values of a binary row to dst; nil is NULL.
func DecodeBinaryRow(dst [][]byte, body []byte, types []FieldType) ([][]byte, error) {
	c := protocol.Over(body)
	bitmap := binaryHead(&c, len(types))
	for i, t := range types {
		switch {
		case c.Err() != nil || bitmap.has(i):
			dst = append(dst, nil)
		default:
			dst = append(dst, takeValue(&c, t))
		}
	}
	return dst, failed("binary row", c.End())
}
