package mywire

import (
	"errors"

	"sqlveil/protocol"
)

// A Rewrite appends to dst what takes the place of the body of a row.
type Rewrite func(dst, body []byte) ([]byte, error)

// spare is how much longer than it was a row may become without its buffer having to
// grow, which is no more than a matter of speed.
const spare = 1 << 10

// RewriteRows passes the current packet on, which is a row, with its body rewritten,
// and with it every row that follows whole in the buffer. It returns how many there
// were and how many bytes their bodies had. A body of more than limit bytes fails
// with [protocol.ErrTooLarge] before anything was passed on; when rewriting fails the
// rows before have been.
func (c *Conn) RewriteRows(to *Conn, limit int, rewrite Rewrite) (count, bytes int64, err error) {
	body, err := c.Body(limit)
	if err != nil {
		return 0, 0, err
	}
	var rest []byte
	end := c.left
	if c.large == nil {
		rest = c.conn.Buffered()[end:]
	}
	dst, err := to.conn.Reserve(headerSize + len(body) + spare)
	for err == nil {
		room := cap(dst)
		if dst, err = to.rewritten(dst, body, rewrite); err != nil {
			return count, bytes, err
		}
		count++
		bytes += int64(len(body))
		size, more := c.wholeRow(rest)
		if !more {
			c.passed(end)
			return count, bytes, to.conn.Commit(dst)
		}
		c.seq++
		end += headerSize + size
		body, rest = rest[headerSize:headerSize+size:headerSize+size], rest[headerSize+size:]
		if cap(dst) != room || room-len(dst) < headerSize+size+spare {
			if err = to.conn.Commit(dst); err == nil {
				dst, err = to.conn.Reserve(headerSize + size + spare)
			}
		}
	}
	return count, bytes, err
}

// rewritten appends the packet of a rewritten row to what waits to be flushed. When
// that fails, what was there before is committed.
func (c *Conn) rewritten(dst, body []byte, rewrite Rewrite) ([]byte, error) {
	start := len(dst)
	out, err := rewrite(append(dst, 0, 0, 0, 0), body)
	if err != nil {
		return nil, errors.Join(err, c.conn.Commit(dst))
	}
	size := len(out) - start - headerSize
	if size < maxPart {
		protocol.PutUint24LE(out[start:], uint32(size))
		out[start+3] = c.seq
		c.seq++
		return out, nil
	}
	c.start = start
	if err := c.End(out); err != nil {
		return nil, err
	}
	return c.conn.Reserve(0)
}

// wholeRow returns the size of the body of the packet that data begins with, if it is
// a row and all there.
func (c *Conn) wholeRow(data []byte) (size int, ok bool) {
	if len(data) <= headerSize {
		return 0, false
	}
	size = int(uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16)
	return size, size > 0 && size <= len(data)-headerSize && IsRow(data[headerSize], size) && data[3] == c.seq
}

// passed notes that end bytes of what is buffered have been dealt with, from the
// current packet on.
func (c *Conn) passed(end int) {
	if c.large == nil {
		c.left = end
		c.consume(end)
	}
}
