package mywire

import (
	"fmt"

	"sqlveil/protocol"
)

// TextRows rewrite the cells of some columns of rows of COM_QUERY, and leave the
// others as they are.
type TextRows struct {
	columns int    // in all
	steps   []step // those that are rewritten
}

// NewTextRows returns the TextRows for rows of as many columns as there are
// rewriters; a nil rewriter leaves its column as it is.
func NewTextRows(columns []CellRewriter) *TextRows {
	return &TextRows{columns: len(columns), steps: stepsTo(columns)}
}

// Rewrite appends a row, as a body, to dst, rewritten. It fails when the row does not
// have as many columns as there are rewriters.
func (r *TextRows) Rewrite(dst, body []byte) ([]byte, error) {
	next, at, kept := 0, 0, 0 // column next begins at body[at:], body[:kept] has been dealt with
	for i := range r.steps {
		step := &r.steps[i]
		at = pastText(body, at, step.number-next)
		start, end, ok := textCell(body, at)
		if !ok {
			return dst, errTextRow
		}
		if body[at] != textNull {
			dst = append(dst, body[kept:at+1]...) // with a length that is written over
			if dst, ok = appendRewritten(dst, body[start:end:end], step.column); !ok {
				dst[len(dst)-1] = textNull
			}
			kept = end
		}
		next, at = step.number+1, end
	}
	if pastText(body, at, r.columns-next) != len(body) {
		return dst, errTextRow
	}
	return append(dst, body[kept:]...), nil
}

var errTextRow = fmt.Errorf("text row: %w", protocol.ErrMalformed)

// pastText returns where the n cells end that begin at body[at:], something beyond
// body when they are cut off.
func pastText(body []byte, at, n int) int {
	for ; n > 0; n-- {
		if at >= len(body) {
			return len(body) + 1
		}
		size := int(body[at])
		if size < textNull {
			at += 1 + size
			continue
		}
		_, end, ok := textCell(body, at)
		if !ok {
			return len(body) + 1
		}
		at = end
	}
	return at
}
