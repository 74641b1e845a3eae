package pgwire

import "bytes"

// rewriteLine rewrites the cells of a line whose columns have rewriters, and copies
// what is between them in one piece.
func (c *Copy) rewriteLine(dst, line []byte) ([]byte, error) {
	text, plain := line[:len(line)-1], c.isPlain(line)
	if plain && !c.locatePlain(text) || !plain && !c.locate(text) {
		return dst, c.miscount()
	}
	kept := 0 // line[:kept] has been dealt with
	for i := range c.cells.steps {
		step := &c.cells.steps[i]
		cell := c.spans[step.number]
		dst = append(dst, line[kept:cell.start]...)
		kept = cell.start + cell.size
		dst = c.appendCell(dst, line[cell.start:kept:kept], step, plain)
	}
	return append(dst, line[kept:]...), nil
}

// isPlain says whether nothing in a line is in quotes or escaped, so that every
// delimiter ends a cell.
func (c *Copy) isPlain(line []byte) bool {
	if c.options.CSV {
		return !c.quotes
	}
	return bytes.IndexByte(line, '\\') < 0
}

// locatePlain notes where the cells of a plain line are, as far as they matter, and
// returns false when there are not as many as columns.
func (c *Copy) locatePlain(text []byte) bool {
	if bytes.Count(text, c.delimiter[:]) != len(c.spans)-1 {
		return len(c.spans) == 0 && len(text) == 0
	}
	at := 0
	for i := range c.spans[:c.last] {
		size := bytes.IndexByte(text[at:], c.options.Delimiter)
		if size < 0 {
			size = len(text) - at
		}
		c.spans[i] = span{at, size}
		at += size + 1
	}
	return true
}

// locate is locatePlain for any line.
func (c *Copy) locate(text []byte) bool {
	at := 0
	for i := range c.spans {
		if at > len(text) {
			return false
		}
		size := c.cellSize(text[at:])
		if size < 0 {
			return false
		}
		c.spans[i] = span{at, size}
		at += size + 1
	}
	return at == len(text)+1
}

// cellSize returns where the first cell of text ends, -1 when it does not.
func (c *Copy) cellSize(text []byte) int {
	if c.options.CSV {
		return c.endOfCSV(text)
	}
	return c.endOfText(text)
}

// appendCell appends a rewritten cell, escaped or in quotes where the server would
// have it so: what the old cell had would tell what was in it.
func (c *Copy) appendCell(dst, cell []byte, step *step, plain bool) []byte {
	if c.nulls && bytes.Equal(cell, c.options.Null) {
		return append(dst, cell...)
	}
	if !plain {
		cell = c.value(cell)
	}
	start := len(dst)
	out, ok := step.column.AppendCell(dst, cell)
	switch {
	case !ok:
		return append(out[:start], c.options.Null...)
	case c.options.CSV && c.needsQuotes(out[start:], step.number):
		c.out = append(c.out[:0], out[start:]...)
		return c.appendQuoted(out[:start], c.out)
	case !c.options.CSV && !c.special.misses(out[start:]):
		c.out = append(c.out[:0], out[start:]...)
		return c.appendEscaped(out[:start], c.out)
	}
	return out
}

// value returns what a cell holds, without quotes and escapes.
func (c *Copy) value(cell []byte) []byte {
	if c.options.CSV {
		return c.unquoted(cell)
	}
	return c.unescaped(cell)
}
