package mywire

import "sqlveil/protocol"

// A CellRewriter changes the cells of one column.
type CellRewriter interface {
	// AppendCell appends what takes the place of cell, which is not NULL and
	// stands as its row has it, without the length. When it returns false the
	// cell becomes NULL, and what it appended is dropped.
	AppendCell(dst, cell []byte) (out []byte, ok bool)
}

// A step is a column that is rewritten.
type step struct {
	column CellRewriter
	number int // of the column, from 0
}

// stepsTo returns the columns that have a rewriter.
func stepsTo(columns []CellRewriter) (steps []step) {
	for i, column := range columns {
		if column != nil {
			steps = append(steps, step{column, i})
		}
	}
	return steps
}

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

// appendRewritten appends a rewritten cell, and puts its length in the place of the
// last byte of dst. It returns false for NULL, and dst as it was.
func appendRewritten(dst, cell []byte, column CellRewriter) ([]byte, bool) {
	start := len(dst)
	out, ok := column.AppendCell(dst, cell)
	switch size := len(out) - start; {
	case !ok:
		return out[:start], false
	case size < textNull:
		out[start-1] = byte(size)
		return out, true
	}
	return measured(out, start-1), true
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

// rowNulls is the bitmap of a row's NULLs, which begins with two bits of none.
type rowNulls []byte

func (n rowNulls) has(column int) bool {
	return n[(column+nullOffset)/8]>>((column+nullOffset)%8)&1 != 0
}

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
