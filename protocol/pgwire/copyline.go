package pgwire

import "bytes"

// rewriteLine rewrites the cells of a line whose columns have rewriters, and
// copies what is between them in one piece. In a plain line nothing is in quotes
// or escaped, so that every delimiter ends a cell.
func (c *Copy) rewriteLine(dst, line []byte, plain bool) ([]byte, error) {
	text := line[:len(line)-1]
	if c.cells.columns == 0 && len(text) > 0 {
		return dst, c.miscount()
	}
	at, kept := 0, 0 // cells begin at text[at:], text[:kept] has been dealt with
	for i := range c.cells.steps {
		step := &c.cells.steps[i]
		if at = c.pastCells(text, at, step.over, plain); at < 0 {
			return dst, c.miscount()
		}
		next := c.pastCells(text, at, 1, plain)
		if next < 0 {
			return dst, c.miscount()
		}
		dst = append(dst, text[kept:at]...)
		kept = next - 1
		if c.options.CSV {
			dst = c.appendCSV(dst, text[at:kept], step)
		} else {
			dst = c.appendText(dst, text[at:kept], step)
		}
		at = next
	}
	if !c.endsWith(text, at, plain) {
		return dst, c.miscount()
	}
	return append(dst, line[kept:]...), nil
}

// pastCells returns where the cell behind the n cells that begin at text[at:]
// begins: past the end of text behind the last cell of a line. It returns -1 when
// there are less than n.
func (c *Copy) pastCells(text []byte, at, n int, plain bool) int {
	for ; n > 0; n-- {
		if at > len(text) {
			return -1
		}
		size := c.cellSize(text[at:], plain)
		if size < 0 {
			return -1
		}
		at += size + 1
	}
	return at
}

// cellSize returns where the first cell of text ends, -1 when it does not.
func (c *Copy) cellSize(text []byte, plain bool) int {
	switch {
	case plain:
		if end := bytes.IndexByte(text, c.options.Delimiter); end >= 0 {
			return end
		}
		return len(text)
	case c.options.CSV:
		return c.endOfCSV(text)
	}
	return c.endOfText(text)
}

// endsWith says whether the columns behind the last that is rewritten are what
// remains of a line.
func (c *Copy) endsWith(text []byte, at int, plain bool) bool {
	n := c.cells.behind
	if plain && n > 0 && at <= len(text) {
		return bytes.Count(text[at:], c.delimiter[:]) == n-1
	}
	return c.cells.columns == 0 || c.pastCells(text, at, n, plain) == len(text)+1
}
