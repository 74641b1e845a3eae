package pgwire

// A TextMask makes another text of a value's text form; see [Codec]. When it
// returns false the value becomes NULL.
type TextMask interface {
	Append(dst, text []byte) (out []byte, ok bool)
}

// A Cell is the [CellRewriter] that applies a TextMask to the values of one
// column, or to the elements of its arrays. What is not a value of the column's
// type becomes NULL, before and behind the mask. A Cell belongs to one session:
// it keeps two buffers.
type Cell struct {
	codec        Codec
	mask         TextMask
	empties      bool
	text, masked []byte
}

// NewCell returns a Cell for a column.
func NewCell(codec Codec, mask TextMask) *Cell { return &Cell{codec: codec, mask: mask} }

// Empties makes the Cell give an empty array for every array, instead of masking
// its elements, and returns it.
func (c *Cell) Empties() *Cell {
	c.empties = true
	return c
}

// maxScratch is the largest buffer that a Cell keeps.
const maxScratch = 256 << 10

// AppendCell implements [CellRewriter].
func (c *Cell) AppendCell(dst, cell []byte) ([]byte, bool) {
	defer c.trim()
	switch {
	case c.codec.Type.form == formNone:
		return dst, false
	case !c.codec.Type.Array:
		return c.appendScalar(dst, cell)
	case c.empties:
		return c.appendEmptyArray(dst, cell)
	case c.codec.Format == TextFormat:
		return c.appendTextArray(dst, cell)
	case c.codec.Format == BinaryFormat:
		return c.appendBinaryArray(dst, cell)
	default:
		return dst, false
	}
}

func (c *Cell) trim() {
	if cap(c.text) > maxScratch {
		c.text = nil
	}
	if cap(c.masked) > maxScratch {
		c.masked = nil
	}
}

func (c *Cell) appendScalar(dst, value []byte) ([]byte, bool) {
	if c.codec.same() {
		return c.mask.Append(dst, value)
	}
	var ok bool
	if c.text, ok = c.codec.AppendText(c.text[:0], value); !ok {
		return dst, false
	}
	if c.masked, ok = c.mask.Append(c.masked[:0], c.text); !ok {
		return dst, false
	}
	return c.codec.AppendValue(dst, c.masked)
}
