package pgwire

import (
	"bytes"

	"sqlveil/protocol"
)

// maxDimensions is the most that an array has (MAXDIM).
const maxDimensions = 6

// appendBinaryArray rewrites the elements of an array in the binary format:
// dimensions, whether there are NULLs, the OID of the elements' type, length and
// lower bound of each dimension, the elements.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/arrayfuncs.c (array_send)
func (c *Cell) appendBinaryArray(dst, array []byte) ([]byte, bool) {
	in := protocol.Over(array)
	count, ok := arrayLength(&in)
	if !ok {
		return dst, false
	}
	start := len(dst)
	dst = append(dst, array[:len(array)-in.Len()]...)
	for range count {
		size := in.Int32()
		if size == null {
			dst = appendValue(dst, nil)
			continue
		}
		element := in.Take(int(size))
		if in.Err() != nil {
			return dst, false
		}
		if dst, ok = appendRewritten(dst, element, (*elementCell)(c)); !ok {
			protocol.PutUint32(dst[start+lengthSize:], 1) // now there is a NULL
		}
	}
	return dst, in.End() == nil
}

// appendEmptyArray appends an array without elements, of the type of the given one.
func (c *Cell) appendEmptyArray(dst, array []byte) ([]byte, bool) {
	switch in := protocol.Over(array); c.codec.Format {
	case TextFormat:
		return append(dst, "{}"...), true
	case BinaryFormat:
		in.Take(2 * lengthSize) // dimensions, whether there are NULLs
		element := in.Take(lengthSize)
		if in.Err() != nil {
			return dst, false
		}
		return append(append(dst, make([]byte, 2*lengthSize)...), element...), true
	}
	return dst, false
}

// arrayLength reads the header of an array and returns how many elements follow.
func arrayLength(in *protocol.Cursor) (int, bool) {
	dimensions, hasNull := in.Uint32(), in.Uint32()
	in.Uint32() // type of the elements
	if dimensions > maxDimensions || hasNull > 1 || in.Err() != nil {
		return 0, false
	}
	if dimensions == 0 {
		return 0, in.End() == nil
	}
	count := int64(1)
	most := int64(in.Len() / lengthSize)
	for range dimensions {
		n := int64(in.Int32())
		in.Int32() // lower bound
		if n < 0 || n > most {
			return 0, false
		}
		if count *= n; count > most {
			return 0, false
		}
	}
	return int(count), in.Err() == nil && int(count) <= in.Len()/lengthSize
}

// elementCell is a Cell seen from within an array.
type elementCell Cell

// AppendCell implements [CellRewriter].
func (c *elementCell) AppendCell(dst, element []byte) ([]byte, bool) {
	return (*Cell)(c).appendScalar(dst, element)
}

// appendTextArray rewrites the elements of an array in the text format. Braces,
// commas and explicit bounds stay as they are.
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
func (c *Cell) appendTextArray(dst, array []byte) ([]byte, bool) {
	if len(array) > 0 && array[0] == '[' {
		bounds := bytes.IndexByte(array, '=')
		if bounds < 0 || !isBounds(array[:bounds]) {
			return dst, false
		}
		dst, array = append(dst, array[:bounds+1]...), array[bounds+1:]
	}
	depth, element := 0, false // whether an element must not come next
	for {
		if len(array) == 0 {
			return dst, false
		}
		b := array[0]
		switch {
		case b == '{' && !element && depth < maxDimensions:
			depth++
		case b == '}' && depth > 0:
			depth, element = depth-1, true
		case b == ',' && element:
			element = false
		case b == '{' || b == '}' || b == ',' || element || depth == 0:
			return dst, false
		default:
			rest, ok := c.takeElement(array)
			if !ok {
				return dst, false
			}
			dst = c.appendTextElement(dst, array[:len(array)-len(rest)])
			array, element = rest, true
			continue
		}
		dst, array = append(dst, b), array[1:]
		if depth == 0 {
			return dst, len(array) == 0
		}
	}
}

// isBounds says whether text has nothing but what "[1:3][0:1]" has.
func isBounds(text []byte) bool {
	for _, b := range text {
		if (b < '0' || b > '9') && b != '[' && b != ']' && b != ':' && b != '-' && b != '+' {
			return false
		}
	}
	return true
}

// takeElement leaves the first element of text in c.text, without quotes and
// escapes, and returns what follows it.
func (c *Cell) takeElement(text []byte) (rest []byte, ok bool) {
	c.text = c.text[:0]
	if text[0] != '"' {
		for len(text) > 0 && text[0] != ',' && text[0] != '}' {
			if text[0] == '{' || text[0] == '"' || text[0] == '\\' {
				return nil, false // the server quotes these
			}
			c.text, text = append(c.text, text[0]), text[1:]
		}
		return text, true
	}
	for text = text[1:]; len(text) > 0; text = text[1:] {
		switch text[0] {
		case '"':
			return text[1:], true
		case '\\':
			if text = text[1:]; len(text) == 0 {
				return nil, false
			}
		}
		c.text = append(c.text, text[0])
	}
	return nil, false
}

// appendTextElement appends the masked form of the element in c.text, which
// stood as quoted in the array.
func (c *Cell) appendTextElement(dst, quoted []byte) []byte {
	if string(quoted) == "NULL" {
		return append(dst, quoted...)
	}
	var ok bool
	if c.masked, ok = c.mask.Append(c.masked[:0], c.text); !ok {
		return append(dst, "NULL"...)
	}
	return appendQuoted(dst, c.masked)
}

// appendQuoted appends an element as the server prints it.
func appendQuoted(dst, element []byte) []byte {
	if !needsQuotes(element) {
		return append(dst, element...)
	}
	dst = append(dst, '"')
	for _, b := range element {
		if b == '"' || b == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}

func needsQuotes(element []byte) bool {
	return len(element) == 0 || bytes.ContainsAny(element, "{},\"\\ \t\n\r\v\f") || bytes.EqualFold(element, []byte("NULL"))
}

// DecodeNames returns the elements of an array of names or texts in the binary
// format, none of which may be NULL.
func DecodeNames(array []byte) ([]string, error) {
	in := protocol.Over(array)
	count, ok := arrayLength(&in)
	if !ok {
		return nil, failed("array", protocol.ErrMalformed)
	}
	names := make([]string, count)
	for i := range names {
		names[i] = string(in.Take(int(in.Int32())))
	}
	return names, failed("array", in.End())
}
