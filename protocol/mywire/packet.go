package mywire

import (
	"errors"
	"fmt"
	"io"

	"sqlveil/protocol"
)

const (
	headerSize = 4 // three bytes of length, one of sequence

	// maxPart is the largest body that one header can announce. A packet of as
	// much or more goes on in the next part, and ends with one that is shorter.
	maxPart = 1<<24 - 1

	// MaxBody is the largest packet that a server takes (max_allowed_packet).
	MaxBody = 1 << 30
)

// ErrSequence says that a packet does not have the number that its place in the
// conversation gives it.
var ErrSequence = errors.New("packet out of order")

// A Packet is one message, however many parts it came in.
type Packet struct {
	Seq  uint8
	Body []byte
}

// A Header is what is known of a packet before its body is read.
type Header struct {
	Seq   uint8
	Size  int  // of its first part; more follow when it is the largest possible
	First byte // of the body; 0 when that is empty
}

// A Conn reads and writes the packets of one connection, which take turns and
// are numbered through. For each that arrives, call Next and then one of Body,
// CopyTo, PassRows and RewriteRows, or none of them to drop it.
type Conn struct {
	conn  *protocol.Conn
	seq   uint8 // of the next packet, in either direction
	head  Header
	left  int    // bytes of the current part, header included, that are not consumed
	whole bool   // none of the current packet has been consumed
	more  bool   // the current part is not the last
	large []byte // the body of a packet that does not fit the buffer
	start int    // where the packet between Begin and End starts
}

// NewConn returns a Conn whose next packet has the number 0.
func NewConn(c *protocol.Conn) *Conn { return &Conn{conn: c} }

// Transport returns the connection underneath, for TLS and deadlines.
func (c *Conn) Transport() *protocol.Conn { return c.conn }

// Restart begins a command: the next packet has the number 0.
func (c *Conn) Restart() { c.seq = 0 }

// Next drops what is left of the packet before and waits for the start of the
// next. It fails with io.EOF when the peer leaves between two packets.
func (c *Conn) Next() (Header, error) {
	if err := c.drop(); err != nil {
		return Header{}, err
	}
	if err := c.part(); err != nil {
		return Header{}, err
	}
	c.whole = true
	return c.head, nil
}

// part waits for the header of a part.
func (c *Conn) part() error {
	b, err := c.conn.Peek(headerSize)
	if err != nil {
		return err
	}
	h := Header{Size: int(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16), Seq: b[3]}
	if h.Size > 0 {
		if b, err = c.conn.Peek(headerSize + 1); err != nil {
			return truncated(err)
		}
		h.First = b[headerSize]
	}
	// A server that ends a session of its own accord does not know whose turn it is.
	if h.Seq != c.seq && h.First != firstError {
		return c.outOfOrder(h.Seq)
	}
	c.seq = h.Seq + 1
	c.head, c.left, c.more = h, headerSize+h.Size, h.Size == maxPart
	return nil
}

// outOfOrder is kept out of part, on whose stack idle sessions wait.
//
//go:noinline
func (c *Conn) outOfOrder(got uint8) error {
	return fmt.Errorf("%w: %d instead of %d", ErrSequence, got, c.seq)
}

// Body waits for the whole body of the current packet and returns it. It is
// valid until the next call of Next. A body of more than limit bytes fails with
// [protocol.ErrTooLarge].
func (c *Conn) Body(limit int) ([]byte, error) {
	if c.large != nil {
		return c.large, nil
	}
	if !c.whole {
		panic("mywire: Body of a packet that was passed on")
	}
	if c.head.Size > limit {
		return nil, tooLarge(limit)
	}
	if c.left <= protocol.BufferSize {
		b, err := c.conn.Peek(c.left)
		if err != nil {
			return nil, truncated(err)
		}
		return b[headerSize:], nil
	}
	c.large = protocol.BorrowLarge()
	err := c.parts(func(b []byte) error {
		if len(c.large)+len(b) > limit {
			return tooLarge(limit)
		}
		c.large = append(c.large, b...)
		return nil
	})
	return c.large, err
}

func tooLarge(limit int) error {
	return fmt.Errorf("%w: more than %d bytes", protocol.ErrTooLarge, limit)
}

// Packet is Next and Body.
func (c *Conn) Packet(limit int) (Packet, error) {
	h, err := c.Next()
	if err != nil {
		return Packet{}, err
	}
	body, err := c.Body(limit)
	return Packet{h.Seq, body}, err
}

// parts consumes the rest of the current packet and calls f with each piece of
// its body.
func (c *Conn) parts(f func(piece []byte) error) error {
	for {
		if c.whole {
			c.consume(headerSize)
		}
		for c.left > 0 {
			b := c.conn.Buffered()
			if len(b) == 0 {
				if err := c.conn.Fill(); err != nil {
					return truncated(err)
				}
				continue
			}
			b = b[:min(len(b), c.left)]
			if err := f(b); err != nil {
				return err
			}
			c.consume(len(b))
		}
		if !c.more {
			return nil
		}
		if err := c.part(); err != nil {
			return truncated(err)
		}
		c.whole = true
	}
}

func (c *Conn) consume(n int) {
	c.conn.Skip(n)
	c.left -= n
	c.whole = false
}

// Discard consumes what is left of the current packet, whose body is not valid any
// more.
func (c *Conn) Discard() error { return c.drop() }

// drop consumes what is left of the current packet.
func (c *Conn) drop() error {
	if c.large != nil {
		protocol.ReturnLarge(c.large)
		c.large = nil
	}
	if c.left == 0 && !c.more {
		return nil
	}
	return c.parts(func([]byte) error { return nil })
}

// CopyTo passes the current packet on under to's own numbers, in bounded memory.
func (c *Conn) CopyTo(to *Conn) error {
	if c.large != nil || c.left <= protocol.BufferSize {
		body, err := c.Body(MaxBody)
		if err != nil {
			return err
		}
		return to.Write(body)
	}
	for {
		if err := to.header(c.head.Size); err != nil {
			return err
		}
		more := c.more
		c.more = false // one part at a time
		err := c.parts(func(b []byte) error {
			_, err := to.conn.Write(b)
			return err
		})
		if err != nil || !more {
			return err
		}
		if err := c.part(); err != nil {
			return truncated(err)
		}
		c.whole = true
	}
}

// header writes the header of a part.
func (c *Conn) header(size int) error {
	dst, err := c.conn.Reserve(headerSize)
	if err != nil {
		return err
	}
	dst = append(protocol.AppendUint24LE(dst, uint32(size)), c.seq)
	c.seq++
	return c.conn.Commit(dst)
}

// PassRows passes the current packet on, which is a row, and with it every row
// that follows in the buffer, of which only the headers and first bytes are
// looked at. It returns how many there were and how many bytes their bodies had.
func (c *Conn) PassRows(to *Conn) (count, bytes int64, err error) {
	b := c.conn.Buffered()
	if c.large != nil || !c.whole || c.left > len(b) {
		return 1, int64(c.head.Size), c.CopyTo(to)
	}
	end := 0
	for size := c.head.Size; ; {
		b[end+3] = to.seq // the buffer is ours, and the numbers may differ
		to.seq++
		count++
		bytes += int64(size)
		end += headerSize + size
		var more bool
		if size, more = c.wholeRow(b[end:]); !more {
			break
		}
		c.seq++
	}
	_, err = to.conn.Write(b[:end])
	c.passed(end)
	return count, bytes, err
}

// Write writes one packet.
func (c *Conn) Write(body []byte) error {
	if len(body) >= protocol.BufferSize {
		return c.writeParts(body)
	}
	dst, err := c.Begin(len(body))
	if err != nil {
		return err
	}
	return c.End(append(dst, body...))
}

// writeParts writes a packet that may need several parts.
func (c *Conn) writeParts(body []byte) error {
	for {
		part := body[:min(len(body), maxPart)]
		if err := c.header(len(part)); err != nil {
			return err
		}
		if _, err := c.conn.Write(part); err != nil {
			return err
		}
		if body = body[len(part):]; len(part) < maxPart {
			return nil
		}
	}
}

// Begin starts a packet of ours whose body has about size bytes. Append the body
// to what it returns and pass that to End; not calling End drops the packet.
func (c *Conn) Begin(size int) ([]byte, error) {
	dst, err := c.conn.Reserve(headerSize + size)
	if err != nil {
		return nil, err
	}
	c.start = len(dst)
	return append(dst, 0, 0, 0, 0), nil
}

// End completes the packet that Begin started.
func (c *Conn) End(dst []byte) error {
	size := len(dst) - c.start - headerSize
	if size >= maxPart {
		body := append([]byte(nil), dst[c.start+headerSize:]...)
		if err := c.conn.Commit(dst[:c.start]); err != nil {
			return err
		}
		return c.writeParts(body)
	}
	protocol.PutUint24LE(dst[c.start:], uint32(size))
	dst[c.start+3] = c.seq
	c.seq++
	return c.conn.Commit(dst)
}

// Flush sends what was gathered.
func (c *Conn) Flush() error { return c.conn.Flush() }

// truncated is the error of a stream that ends in mid-packet.
func truncated(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
