package pgwire

import "bytes"

// findCSV returns the size of the line at the start of held that does not end
// within quotes, with its end.
func (c *Copy) findCSV(held []byte) (int, error) {
	o := &c.options
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
	line = line[:len(line)-1]
	for i, column := range c.columns {
		end, quoted, ok := c.takeCSV(line)
		last := end == len(line)
		if !ok || last != (i == len(c.columns)-1) {
			return dst, c.miscount()
		}
		dst = c.appendCSV(dst, line[:end], quoted, column)
		if last {
			return append(dst, '\n'), nil
		}
		dst, line = append(dst, c.options.Delimiter), line[end+1:]
	}
	if len(line) > 0 {
		return dst, c.miscount()
	}
	return append(dst, '\n'), nil
}

// takeCSV leaves the first cell of line in c.cell, without quotes and escapes,
// and returns where it ends.
func (c *Copy) takeCSV(line []byte) (end int, quoted, ok bool) {
	o := &c.options
	c.cell = c.cell[:0]
	if len(line) == 0 || line[0] != o.Quote {
		end = bytes.IndexByte(line, o.Delimiter)
		if end < 0 {
			end = len(line)
		}
		c.cell = append(c.cell, line[:end]...)
		return end, false, bytes.IndexByte(c.cell, o.Quote) < 0
	}
	for i := 1; i < len(line); i++ {
		b := line[i]
		next := i+1 < len(line) && (line[i+1] == o.Quote || line[i+1] == o.Escape)
		switch {
		case b == o.Escape && next:
			i++
			b = line[i]
		case b == o.Quote:
			end = i + 1
			return end, true, end == len(line) || line[end] == o.Delimiter
		}
		c.cell = append(c.cell, b)
	}
	return len(line), true, false
}

// appendCSV appends a cell of the CSV format; c.cell is its content. The server
// puts quotes around a value that looks like NULL, so without them it is NULL.
func (c *Copy) appendCSV(dst, cell []byte, quoted bool, column CellRewriter) []byte {
	o := &c.options
	if column == nil || !quoted && bytes.Equal(cell, o.Null) {
		return append(dst, cell...)
	}
	var ok bool
	if c.out, ok = column.AppendCell(c.out[:0], c.cell); !ok {
		return append(dst, o.Null...)
	}
	if !quoted && !c.needsQuotes(c.out) {
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
