package mywire

// A TextMask makes another text of a value's text form; see [Codec]. When it
// returns false the value becomes NULL.
type TextMask interface {
	Append(dst, text []byte) (out []byte, ok bool)
}

// A Cell is the [CellRewriter] that applies a TextMask to the values of one
// column. What is not a value of the column's type becomes NULL, before and
// behind the mask. A Cell belongs to one session: it keeps two buffers.
type Cell struct {
	codec        Codec
	mask         TextMask
	text, masked []byte
}

// NewCell returns a Cell for a column.
func NewCell(codec Codec, mask TextMask) *Cell { return &Cell{codec: codec, mask: mask} }

// maxScratch is the largest buffer that a Cell keeps.
const maxScratch = 256 << 10

// AppendCell implements [CellRewriter].
func (c *Cell) AppendCell(dst, cell []byte) (out []byte, ok bool) {
	if cap(c.text) > maxScratch || cap(c.masked) > maxScratch {
		c.text, c.masked = nil, nil
	}
	if c.text, ok = c.codec.AppendText(c.text[:0], cell); !ok {
		return dst, false
	}
	if c.masked, ok = c.mask.Append(c.masked[:0], c.text); !ok {
		return dst, false
	}
	return c.codec.AppendValue(dst, c.masked)
}
