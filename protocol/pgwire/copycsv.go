package pgwire

import "bytes"

// findCSV returns the size of the line at the start of held that does not end
// within quotes, with its end.
func (c *Copy) findCSV(held []byte) (int, error) {
	o := &c.options
	if !c.quoted {
		end := bytes.IndexByte(held[c.scanned:], '\n')
		if end >= 0 && bytes.IndexByte(held[c.scanned:c.scanned+end], o.Quote) < 0 {
			return c.scanned + end + 1, nil
		}
	}
	for c.scanned < len(held) {
		b := held[c.scanned]
		switch {
		case b == '\n' && !c.quoted:
			return c.scanned + 1, nil
		case c.quoted && b == o.Escape && o.Escape != o.Quote:
			if c.scanned+1 == len(held) {
				return 0, nil // what it escapes has not come
			}
			if next := held[c.scanned+1]; next == o.Quote || next == o.Escape {
				c.scanned++
			}
		case b == o.Quote:
			c.quoted = !c.quoted // a doubled quote leaves and enters again
		}
		c.scanned++
	}
	return 0, nil
}

// rewriteCSV rewrites a line of the CSV format, which may hold line ends.
func (c *Copy) rewriteCSV(dst, line []byte) ([]byte, error) {
	return c.rewriteLine(dst, line, c.endOfCSV, c.appendCSV)
}

// endOfCSV returns where the first cell of line ends, -1 when its quotes are not
// as the server sets them.
func (c *Copy) endOfCSV(line []byte) int {
	o := &c.options
	if len(line) == 0 || line[0] != o.Quote {
		end := bytes.IndexByte(line, o.Delimiter)
		if end < 0 {
			end = len(line)
		}
		if bytes.IndexByte(line[:end], o.Quote) >= 0 {
			return -1
		}
		return end
	}
	for i := 1; i < len(line); i++ {
		switch {
		case c.escapes(line[i:]):
			i++
		case line[i] != o.Quote:
		case i+1 == len(line) || line[i+1] == o.Delimiter:
			return i + 1
		default:
			return -1
		}
	}
	return -1
}

// escapes says whether quoted text goes on with an escaped character.
func (c *Copy) escapes(text []byte) bool {
	o := &c.options
	return len(text) > 1 && text[0] == o.Escape && (text[1] == o.Quote || text[1] == o.Escape)
}

// unquoted returns what a cell holds, without quotes and escapes.
func (c *Copy) unquoted(cell []byte) []byte {
	c.cell = c.cell[:0]
	for i := 1; i < len(cell)-1; i++ {
		if c.escapes(cell[i : len(cell)-1]) {
			i++
		}
		c.cell = append(c.cell, cell[i])
	}
	return c.cell
}

// appendCSV appends a rewritten cell of the CSV format. The server puts quotes
// around a value that looks like NULL, so without them it is NULL. The new cell
// has quotes where the server would set them around the new value: those of the
// old cell would tell what is in it.
func (c *Copy) appendCSV(dst, cell []byte, column int) []byte {
	o := &c.options
	switch {
	case len(cell) > 0 && cell[0] == o.Quote:
		cell = c.unquoted(cell)
	case bytes.Equal(cell, o.Null):
		return append(dst, cell...)
	}
	var ok bool
	if c.out, ok = c.columns[column].AppendCell(c.out[:0], cell); !ok {
		return append(dst, o.Null...)
	}
	if !c.needsQuotes(c.out) && !o.quotes(column) {
		return append(dst, c.out...)
	}
	dst = append(dst, o.Quote)
	for _, b := range c.out {
		if b == o.Quote || b == o.Escape {
			dst = append(dst, o.Escape)
		}
		dst = append(dst, b)
	}
	return append(dst, o.Quote)
}

func (c *Copy) needsQuotes(text []byte) bool {
	for _, b := range text {
		if b == c.options.Delimiter || b == c.options.Quote || b == '\n' || b == '\r' {
			return true
		}
	}
	return bytes.Equal(text, c.options.Null) || len(c.columns) == 1 && string(text) == `\.`
}
