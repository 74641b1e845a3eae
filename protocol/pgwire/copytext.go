package pgwire

import "bytes"

// findText returns the size of the line at the start of held, with its end.
func (c *Copy) findText(held []byte) (int, error) {
	i := bytes.IndexByte(held[c.scanned:], '\n')
	if i < 0 {
		c.scanned = len(held)
		return 0, nil
	}
	return c.scanned + i + 1, nil
}

// rewriteText rewrites a line of the text format.
func (c *Copy) rewriteText(dst, line []byte) ([]byte, error) {
	line = line[:len(line)-1]
	for i, column := range c.columns {
		end := c.endOfText(line)
		last := end == len(line)
		if last != (i == len(c.columns)-1) {
			return dst, c.miscount()
		}
		dst = c.appendText(dst, line[:end], column)
		if last {
			return append(dst, '\n'), nil
		}
		dst, line = append(dst, c.options.Delimiter), line[end+1:]
	}
	if len(line) > 0 {
		return dst, c.miscount()
	}
	return append(dst, '\n'), nil // a table without columns
}

// endOfText returns where the first cell of line ends: at a delimiter that no
// backslash precedes.
func (c *Copy) endOfText(line []byte) int {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case c.options.Delimiter:
			return i
		case '\\':
			i++
		}
	}
	return len(line)
}

// appendText appends a cell of the text format.
func (c *Copy) appendText(dst, cell []byte, column CellRewriter) []byte {
	if column == nil || bytes.Equal(cell, c.options.Null) && c.nullIsNull() {
		return append(dst, cell...)
	}
	c.cell = appendUnescaped(c.cell[:0], cell)
	var ok bool
	if c.out, ok = column.AppendCell(c.out[:0], c.cell); !ok {
		return append(dst, c.options.Null...)
	}
	return c.appendEscaped(dst, c.out)
}

// nullIsNull says whether a cell that looks like NULL is NULL, or at worst empty.
// Text does not tell a value from the word that the client chose for NULL; if
// such a value were left as it is, COPY ... (NULL 'guess') would find it. Only a
// backslash can make a word that no value looks like.
func (c *Copy) nullIsNull() bool {
	return len(c.options.Null) == 0 || string(c.options.Null) == `\N`
}

// The characters that the text format escapes by a letter.
const (
	copyLetters  = "bfnrtv"
	copyControls = "\b\f\n\r\t\v"
)

func appendUnescaped(dst, cell []byte) []byte {
	for i := 0; i < len(cell); i++ {
		b := cell[i]
		if b == '\\' && i+1 < len(cell) {
			i++
			b = cell[i]
			if n := bytes.IndexByte([]byte(copyLetters), b); n >= 0 {
				b = copyControls[n]
			}
		}
		dst = append(dst, b)
	}
	return dst
}

func (c *Copy) appendEscaped(dst, text []byte) []byte {
	for _, b := range text {
		switch n := bytes.IndexByte([]byte(copyControls), b); {
		case n >= 0:
			dst = append(dst, '\\', copyLetters[n])
		case b == '\\' || b == c.options.Delimiter:
			dst = append(dst, '\\', b)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}
