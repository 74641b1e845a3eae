package pgwire

import (
	"bytes"
	"strings"
)

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
	endOf := c.endOfPlain
	if bytes.IndexByte(line, '\\') >= 0 {
		endOf = c.endOfText
	}
	return c.rewriteLine(dst, line, endOf, c.appendText)
}

// rewriteLine rewrites the cells of a line whose columns have rewriters, and
// copies what is between them in one piece. endOf returns where the first cell
// of a line ends, -1 when it does not; cell appends a rewritten cell of a column.
func (c *Copy) rewriteLine(dst, line []byte, endOf func([]byte) int, cell func(dst, cell []byte, column int) []byte) ([]byte, error) {
	text := line[:len(line)-1]
	if len(c.columns) == 0 && len(text) > 0 {
		return dst, c.miscount()
	}
	at, kept := 0, 0 // line[:kept] has been dealt with, cells begin at line[at:]
	for i, column := range c.columns {
		size := endOf(text[at:])
		end := at + size
		if size < 0 || (end == len(text)) != (i == len(c.columns)-1) {
			return dst, c.miscount()
		}
		if column != nil {
			dst = append(dst, line[kept:at]...)
			dst = cell(dst, text[at:end], i)
			kept = end
		}
		at = end + 1
	}
	return append(dst, line[kept:]...), nil
}

// endOfPlain returns where the first cell of a line without backslashes ends.
func (c *Copy) endOfPlain(line []byte) int {
	if end := bytes.IndexByte(line, c.options.Delimiter); end >= 0 {
		return end
	}
	return len(line)
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

// appendText appends a rewritten cell of the text format.
func (c *Copy) appendText(dst, cell []byte, column int) []byte {
	if bytes.Equal(cell, c.options.Null) && c.nullIsNull() {
		return append(dst, cell...)
	}
	if bytes.IndexByte(cell, '\\') >= 0 {
		c.cell = appendUnescaped(c.cell[:0], cell)
		cell = c.cell
	}
	var ok bool
	if c.out, ok = c.columns[column].AppendCell(c.out[:0], cell); !ok {
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
			if n := strings.IndexByte(copyLetters, b); n >= 0 {
				b = copyControls[n]
			}
		}
		dst = append(dst, b)
	}
	return dst
}

// appendEscaped appends text, what is between two escapes in one piece.
func (c *Copy) appendEscaped(dst, text []byte) []byte {
	kept := 0 // text[:kept] has been appended
	for i, b := range text {
		if b > '\r' && b != '\\' && b != c.options.Delimiter {
			continue
		}
		n := strings.IndexByte(copyControls, b)
		switch {
		case n >= 0:
			b = copyLetters[n]
		case b != '\\' && b != c.options.Delimiter:
			continue
		}
		dst = append(append(dst, text[kept:i]...), '\\', b)
		kept = i + 1
	}
	return append(dst, text[kept:]...)
}
