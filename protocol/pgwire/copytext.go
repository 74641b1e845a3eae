package pgwire

import (
	"bytes"
	"strings"
)

// asText makes c one of the text format.
func (c *Copy) asText() {
	c.find, c.rewrite, c.nulls = c.findText, c.rewriteLine, c.nullIsNull()
	c.special = newByteSet([2]byte{'\\', c.options.Delimiter}, copyControls)
}

// findText returns the size of the line at the start of held, with its end.
func (c *Copy) findText(held []byte) (int, error) {
	i := bytes.IndexByte(held[c.scanned:], '\n')
	if i < 0 {
		c.scanned = len(held)
		return 0, nil
	}
	return c.scanned + i + 1, nil
}

// endOfText returns where the first cell of line ends: at a delimiter that no
// backslash precedes.
func (c *Copy) endOfText(line []byte) int {
	end := indexFrom(line, 0, c.options.Delimiter)
	for at := 0; ; {
		escape := bytes.IndexByte(line[at:end], '\\')
		if escape < 0 {
			return end
		}
		if at = min(at+escape+2, len(line)); at > end { // the delimiter is what is escaped
			end = indexFrom(line, at, c.options.Delimiter)
		}
	}
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

// unescaped returns what a cell holds.
func (c *Copy) unescaped(cell []byte) []byte {
	if bytes.IndexByte(cell, '\\') < 0 {
		return cell
	}
	c.cell = appendUnescaped(c.cell[:0], cell)
	return c.cell
}

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
		if !c.special.has[b] {
			continue
		}
		if n := strings.IndexByte(copyControls, b); n >= 0 {
			b = copyLetters[n]
		}
		dst = append(append(dst, text[kept:i]...), '\\', b)
		kept = i + 1
	}
	return append(dst, text[kept:]...)
}
