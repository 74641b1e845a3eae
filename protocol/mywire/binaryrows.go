package mywire

import (
	"fmt"

	"sqlveil/protocol"
)

// BinaryRows are TextRows for rows of COM_STMT_EXECUTE and COM_STMT_FETCH. What a
// rewriter makes must have the size of its type if that has one; else it becomes
// NULL.
type BinaryRows struct {
	fields []field
	steps  []step // the columns that are rewritten
	head   int    // the size of what precedes the values
}

// A field is how a column stands in a row.
type field struct {
	shape shape
	width int  // of a value, where the shape has none of its own
	null  int  // the byte of the row that says whether there is a value
	bit   byte // in that byte
}

// NewBinaryRows returns the BinaryRows for rows of these types; there are as many
// columns, and a nil rewriter leaves its column as it is.
func NewBinaryRows(types []FieldType, columns []CellRewriter) *BinaryRows {
	r := &BinaryRows{fields: make([]field, len(types)), steps: stepsTo(columns), head: 1 + (len(types)+nullOffset+7)/8}
	for i, t := range types {
		place := i + nullOffset
		r.fields[i] = field{shape: t.shape(), null: 1 + place/8, bit: 1 << (place % 8)}
		if t.shape() == shapeFixed {
			r.fields[i].width = t.width()
		}
	}
	return r
}

// Rewrite is that of TextRows.
func (r *BinaryRows) Rewrite(dst, body []byte) ([]byte, error) {
	if len(body) < r.head || body[0] != binaryRow {
		return dst, errBinaryRow
	}
	row := len(dst)
	next, at, kept := 0, r.head, 0 // column next begins at body[at:], body[:kept] has been dealt with
	for i := range r.steps {
		step := &r.steps[i]
		at = r.past(body, at, next, step.number)
		next = step.number + 1
		f := &r.fields[step.number]
		if body[f.null]&f.bit != 0 {
			continue
		}
		start, end, ok := f.value(body, at)
		if !ok {
			return dst, errBinaryRow
		}
		dst = append(dst, body[kept:at]...)
		if dst, ok = f.append(dst, body[start:end:end], step.column); !ok {
			dst[row+f.null] |= f.bit
		}
		kept, at = end, end
	}
	if r.past(body, at, next, len(r.fields)) != len(body) {
		return dst, errBinaryRow
	}
	return append(dst, body[kept:]...), nil
}

var errBinaryRow = fmt.Errorf("binary row: %w", protocol.ErrMalformed)

// past returns where the columns before to end, of which column from begins at
// body[at:], something beyond body when they are cut off.
func (r *BinaryRows) past(body []byte, at, from, to int) int {
	for ; from < to; from++ {
		f := &r.fields[from]
		switch {
		case body[f.null]&f.bit != 0:
		case f.shape < shapePacked:
			at += f.width
		case at >= len(body):
			return len(body) + 1
		case f.shape == shapePacked || body[at] < textNull:
			at += 1 + int(body[at])
		default:
			_, end, ok := f.value(body, at)
			if !ok {
				return len(body) + 1
			}
			at = end
		}
	}
	return at
}

// value returns where the value is that stands at a place of a row, without its
// length. It returns false for what is cut off.
func (f *field) value(body []byte, at int) (start, end int, ok bool) {
	switch {
	case f.shape < shapePacked:
		return at, at + f.width, at+f.width <= len(body)
	case at >= len(body):
		return 0, 0, false
	case f.shape == shapePacked:
		end = at + 1 + int(body[at])
		return at + 1, end, end <= len(body)
	}
	start, end, ok = textCell(body, at)
	return start, end, ok && body[at] != textNull
}

// append appends a rewritten value, with its length if it has one. It returns false
// for NULL, and dst as it was.
func (f *field) append(dst, cell []byte, column CellRewriter) ([]byte, bool) {
	start := len(dst)
	if f.shape < shapePacked {
		out, ok := column.AppendCell(dst, cell)
		if !ok || len(out) != start+f.width {
			return out[:start], false
		}
		return out, true
	}
	out, ok := appendRewritten(append(dst, 0), cell, column)
	if !ok {
		return out[:start], false
	}
	return out, true
}
