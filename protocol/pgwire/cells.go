package pgwire

import (
	"fmt"

	"sqlveil/protocol"
)

// A CellRewriter changes the cells of one column.
type CellRewriter interface {
	// AppendCell appends what takes the place of cell, which is not NULL and in
	// the format of its column. When it returns false the cell becomes NULL, and
	// what it appended is dropped.
	AppendCell(dst, cell []byte) (out []byte, ok bool)
}

// Cells rewrite the cells of some columns of a row and leave the others as they
// are.
type Cells struct {
	columns int    // in all
	steps   []step // to each column that is rewritten
	behind  int    // columns behind the last of them
}

// A step leads over some columns to one that is rewritten.
type step struct {
	over   int
	column CellRewriter
	number int // of the column, from 0
}

// NewCells returns the Cells for rows of as many columns as there are rewriters; a
// nil rewriter leaves its column as it is.
func NewCells(columns []CellRewriter) *Cells {
	c := &Cells{columns: len(columns)}
	next := 0
	for i, column := range columns {
		if column != nil {
			c.steps = append(c.steps, step{over: i - next, column: column, number: i})
			next = i + 1
		}
	}
	c.behind = len(columns) - next
	return c
}

// Rewrite appends the body of a DataRow to dst, rewritten. It fails when the row
// does not have as many columns as there are rewriters.
//
// It is the one decoder without a Cursor: it runs for every cell of a result,
// and checks the same things in a fraction of the time.
func (c *Cells) Rewrite(dst, body []byte) ([]byte, error) {
	if len(body) < 2 || int(protocol.Uint16At(body)) != c.columns {
		return dst, fmt.Errorf("DataRow: %w: not %d columns", protocol.ErrMalformed, c.columns)
	}
	at, kept := 2, 0 // body[:at] has been read, body[:kept] been dealt with
	for i := range c.steps {
		step := &c.steps[i]
		if at = pastCells(body, at, step.over); at < 0 || at > len(body)-lengthSize {
			return dst, errCutOff
		}
		size := int(int32(protocol.Uint32At(body[at:])))
		at += lengthSize
		if size == null {
			continue
		}
		if uint(size) > uint(len(body)-at) { // or negative
			return dst, errCutOff
		}
		if kept == at-lengthSize { // the column before it is masked too
			dst = append(dst, 0, 0, 0, 0)
		} else {
			dst = append(dst, body[kept:at]...) // with a length that is written over
		}
		kept = at + size
		start := len(dst)
		out, ok := step.column.AppendCell(dst, body[at:kept:kept])
		if size = len(out) - start; !ok {
			out, size = out[:start], null
		}
		protocol.PutUint32(out[start-lengthSize:], uint32(size))
		dst, at = out, kept
	}
	if pastCells(body, at, c.behind) != len(body) {
		return dst, errCutOff
	}
	return append(dst, body[kept:]...), nil
}

var errCutOff = fmt.Errorf("DataRow: %w: its cells do not end where it does", protocol.ErrMalformed)

// pastCells returns where the n cells end that begin at body[at:], -1 when they end
// beyond it. Inlined, its variables would not fit the registers.
//
//go:noinline
func pastCells(body []byte, at, n int) int {
	for ; n > 0; n-- {
		if at > len(body)-lengthSize {
			return -1
		}
		size := int(int32(protocol.Uint32At(body[at:])))
		at += lengthSize
		if uint(size) <= uint(len(body)-at) {
			at += size
		} else if size != null {
			return -1
		}
	}
	return at
}

// appendRewritten appends a rewritten cell behind its length, and returns false
// when it is NULL.
func appendRewritten(dst, cell []byte, column CellRewriter) ([]byte, bool) {
	start := len(dst) + lengthSize
	out := appendInPlace(append(dst, 0, 0, 0, 0), cell, column)
	return out, int32(protocol.Uint32At(out[start-lengthSize:])) != null
}

// appendInPlace appends a rewritten cell and puts its length into the last bytes of
// dst.
func appendInPlace(dst, cell []byte, column CellRewriter) []byte {
	start := len(dst)
	out, ok := column.AppendCell(dst, cell)
	size := len(out) - start
	if !ok {
		out, size = out[:start], null
	}
	protocol.PutUint32(out[start-lengthSize:], uint32(size))
	return out
}
