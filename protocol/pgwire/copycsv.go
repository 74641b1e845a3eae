package pgwire

import "bytes"

// asCSV makes c one of the CSV format.
func (c *Copy) asCSV() {
	c.find, c.rewrite = c.findCSV, c.rewriteLine
	c.nulls = bytes.IndexByte(c.options.Null, c.options.Quote) < 0 // as the server wants it
	c.special = newByteSet([2]byte{c.options.Delimiter, c.options.Quote}, "\n\r")
}

// findCSV returns the size of the line at the start of held that does not end
// within quotes, with its end.
func (c *Copy) findCSV(held []byte) (int, error) {
	o := &c.options
	if o.Escape != o.Quote {
		return c.findEscapedCSV(held)
	}
	end := -1 // of a line, unless it is within quotes; no byte is looked at twice
	for c.scanned < len(held) {
		if !c.quoted && end < c.scanned {
			end = indexFrom(held, c.scanned, '\n')
		}
		stop := len(held)
		if !c.quoted {
			stop = end
		}
		quote := indexFrom(held[:stop], c.scanned, o.Quote)
		switch {
		case quote < stop:
			c.quotes, c.quoted = true, !c.quoted // a doubled quote leaves and enters again
			c.scanned = quote + 1
		case stop < len(held):
			return stop + 1, nil
		default:
			c.scanned = stop
		}
	}
	return 0, nil
}

// indexFrom returns where text has its first b at or behind from, the length of
// text where it has none.
func indexFrom(text []byte, from int, b byte) int {
	if i := bytes.IndexByte(text[from:], b); i >= 0 {
		return from + i
	}
	return len(text)
}

// findEscapedCSV is findCSV where another character than the quote escapes it.
func (c *Copy) findEscapedCSV(held []byte) (int, error) {
	o := &c.options
	for c.scanned < len(held) {
		b := held[c.scanned]
		switch {
		case b == '\n' && !c.quoted:
			return c.scanned + 1, nil
		case c.quoted && b == o.Escape:
			if c.scanned+1 == len(held) {
				return 0, nil // what it escapes has not come
			}
			if next := held[c.scanned+1]; next == o.Quote || next == o.Escape {
				c.scanned++
			}
		case b == o.Quote:
			c.quotes, c.quoted = true, !c.quoted
		}
		c.scanned++
	}
	return 0, nil
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
		if o.Escape == o.Quote { // nothing but a quote matters
			quote := bytes.IndexByte(line[i:], o.Quote)
			if quote < 0 {
				return -1
			}
			i += quote
		}
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
	if len(cell) == 0 || cell[0] != c.options.Quote {
		return cell
	}
	inner := cell[1 : len(cell)-1]
	if bytes.IndexByte(inner, c.options.Escape) < 0 {
		return inner
	}
	c.cell = c.cell[:0]
	for i := 0; i < len(inner); i++ {
		if c.escapes(inner[i:]) {
			i++
		}
		c.cell = append(c.cell, inner[i])
	}
	return c.cell
}

// needsQuotes says whether the server would put quotes around a value. Without them
// what looks like NULL is NULL.
func (c *Copy) needsQuotes(text []byte, column int) bool {
	return !c.special.misses(text) || bytes.Equal(text, c.options.Null) || c.options.quotes(column) ||
		len(c.spans) == 1 && string(text) == `\.`
}

// appendQuoted appends text in quotes.
func (c *Copy) appendQuoted(dst, text []byte) []byte {
	o := &c.options
	dst = append(dst, o.Quote)
	for _, b := range text {
		if b == o.Quote || b == o.Escape {
			dst = append(dst, o.Escape)
		}
		dst = append(dst, b)
	}
	return append(dst, o.Quote)
}
