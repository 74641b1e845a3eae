package pgwire

import (
	"fmt"

	"sqlveil/protocol"
)

// CopyOptions are the options of a COPY ... TO STDOUT that decide how its rows
// look. Bytes that are zero and a nil Null have the defaults of the format.
// https://www.postgresql.org/docs/current/sql-copy.html
type CopyOptions struct {
	Binary    bool
	CSV       bool
	Header    bool   // the first row holds the names of the columns
	Delimiter byte   // tab, in CSV a comma
	Null      []byte // \N, in CSV nothing
	Quote     byte   // a double quote
	Escape    byte   // the same as Quote
	Quoted    []bool // the columns that are always in quotes; missing ones are not
}

// quotes says whether a column is always in quotes.
func (o *CopyOptions) quotes(column int) bool { return column < len(o.Quoted) && o.Quoted[column] }

func (o *CopyOptions) fill() {
	if o.Delimiter == 0 {
		o.Delimiter = '\t'
		if o.CSV {
			o.Delimiter = ','
		}
	}
	if o.Null == nil {
		o.Null = []byte(`\N`)
		if o.CSV {
			o.Null = []byte{}
		}
	}
	if o.Quote == 0 {
		o.Quote = '"'
	}
	if o.Escape == 0 {
		o.Escape = o.Quote
	}
}

// A Copy rewrites the cells of rows that a COPY sends. The protocol lets a row
// be anywhere in the stream of CopyData; servers send one row in each.
type Copy struct {
	options   CopyOptions
	cells     *Cells
	last      int    // how many columns there are up to the last that is rewritten
	spans     []span // of the cells of the line at hand
	limit     int
	find      func(held []byte) (size int, err error)
	rewrite   func(dst, row []byte) ([]byte, error) // one row, with its end
	delimiter [1]byte
	special   byteSet // bytes that do not stand for themselves in a cell
	nulls     bool    // a cell that looks like NULL is taken for it
	header    bool    // the header is still to come
	ended     bool    // binary: the trailer has come
	rows      int64

	held    []byte // the start of a row whose end has not come
	scanned int    // how much of held has been searched for the end
	quotes  bool   // CSV: whether held[:scanned] has a quote
	quoted  bool   // CSV: whether it ends within quotes
	cell    []byte // the cell at hand, without quotes and escapes
	out     []byte // and its rewritten form
}

// A span is where a cell stands in its line.
type span struct{ start, size int }

// NewCopy returns a Copy whose columns are rewritten as [Cells] do; the
// rewriters see the text format, or the binary format where the options say so.
// A row of more than limit bytes is an error.
func NewCopy(options CopyOptions, columns []CellRewriter, limit int) *Copy {
	options.fill()
	c := &Copy{options: options, cells: NewCells(columns), spans: make([]span, len(columns)), limit: limit, header: options.Header}
	if n := len(c.cells.steps); n > 0 {
		c.last = c.cells.steps[n-1].number + 1
	}
	c.delimiter[0] = options.Delimiter
	switch {
	case options.Binary:
		c.header, c.find, c.rewrite = true, c.findTuple, c.cells.Rewrite
	case options.CSV:
		c.asCSV()
	default:
		c.asText()
	}
	return c
}

// Rows returns how many rows have been rewritten.
func (c *Copy) Rows() int64 { return c.rows }

// Rewrite appends the rows that data completes to dst, rewritten. What follows
// the last of them is held back until more comes.
func (c *Copy) Rewrite(dst, data []byte) ([]byte, error) {
	if len(c.held) > 0 {
		c.held = append(c.held, data...)
		dst, rest, err := c.each(dst, c.held)
		c.held = c.held[:copy(c.held, rest)]
		return dst, err
	}
	dst, rest, err := c.each(dst, data)
	c.held = append(c.held[:0], rest...)
	return dst, err
}

// each rewrites every complete row of data and returns what is left.
func (c *Copy) each(dst, data []byte) (out, rest []byte, err error) {
	for len(data) > 0 {
		size, err := c.find(data)
		if err != nil {
			return dst, nil, failed("COPY", err)
		}
		if size == 0 {
			break
		}
		if dst, err = c.row(dst, data[:size]); err != nil {
			return dst, nil, failed("COPY", err)
		}
		data = data[size:]
		c.scanned, c.quotes, c.quoted = 0, false, false
	}
	if len(data) > c.limit {
		return dst, nil, fmt.Errorf("COPY: %w: a row of more than %d bytes", protocol.ErrTooLarge, c.limit)
	}
	return dst, data, nil
}

// row rewrites one row, but leaves a header as it is.
func (c *Copy) row(dst, row []byte) ([]byte, error) {
	if c.header {
		c.header = false
		return append(dst, row...), nil
	}
	if c.options.Binary && len(row) == len(copyTrailer) {
		c.ended = true
		return append(dst, row...), nil
	}
	c.rows++
	return c.rewrite(dst, row)
}

// End fails when the stream did not end with a row, at CopyDone.
func (c *Copy) End() error {
	if len(c.held) > 0 || c.options.Binary && !c.ended {
		return fmt.Errorf("COPY: %w: it ends within a row", protocol.ErrMalformed)
	}
	return nil
}

func (c *Copy) miscount() error {
	return fmt.Errorf("%w: a row does not have %d columns", protocol.ErrMalformed, len(c.spans))
}

// The binary format: a signature, flags, an extension that is skipped, rows of
// the form of a DataRow, and a trailer in the place of the next count.
const (
	copySignature = "PGCOPY\n\xff\r\n\x00"
	copyTrailer   = "\xff\xff"
	copyHead      = len(copySignature) + 8

	// copyCritical are the flags that a reader must know; there are none.
	copyCritical = 0xffff << 16
)

// findTuple returns the size of the header, row or trailer at the start of held,
// 0 when it is not all there.
func (c *Copy) findTuple(held []byte) (int, error) {
	switch {
	case c.ended:
		return 0, fmt.Errorf("%w: bytes behind the trailer", protocol.ErrMalformed)
	case c.header:
		return findCopyHead(held)
	case len(held) < len(copyTrailer):
		return 0, nil
	case string(held[:len(copyTrailer)]) == copyTrailer:
		return len(copyTrailer), nil
	case len(held) < c.scanned: // what was missing at the last attempt has not come
		return 0, nil
	}
	if n := int(protocol.Uint16At(held)); n != len(c.spans) {
		return 0, fmt.Errorf("%w: %d columns, %d expected", protocol.ErrMalformed, n, len(c.spans))
	}
	end := 2
	for range c.spans {
		if len(held) < end+lengthSize {
			c.scanned = end + lengthSize
			return 0, nil
		}
		size := int(int32(protocol.Uint32At(held[end:])))
		if size < null || size > c.limit {
			return 0, fmt.Errorf("%w: a cell of %d bytes", protocol.ErrTooLarge, size)
		}
		if end += lengthSize + max(size, 0); len(held) < end {
			c.scanned = end
			return 0, nil
		}
	}
	return end, nil
}

func findCopyHead(held []byte) (int, error) {
	n := min(len(held), len(copySignature))
	if string(held[:n]) != copySignature[:n] {
		return 0, fmt.Errorf("%w: no signature", protocol.ErrMalformed)
	}
	if len(held) < copyHead {
		return 0, nil
	}
	flags := protocol.Uint32At(held[len(copySignature):])
	extension := protocol.Uint32At(held[len(copySignature)+4:])
	if flags&copyCritical != 0 || extension > maxStartup {
		return 0, fmt.Errorf("%w: a header of a later version", protocol.ErrMalformed)
	}
	if size := copyHead + int(extension); len(held) >= size {
		return size, nil
	}
	return 0, nil
}
