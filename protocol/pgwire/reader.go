package pgwire

import (
	"fmt"
	"io"

	"sqlveil/protocol"
)

// A Reader cuts the stream of a connection into messages. For each, call Next
// and then one of Body, CopyTo and PassRun, or none of them to drop it.
type Reader struct {
	// MaxBody bounds what a message may announce; [MaxBody] when zero.
	MaxBody int

	conn  *protocol.Conn
	head  Header
	left  int    // bytes of the current message, header included, that are not consumed
	whole bool   // none of them has been consumed
	large []byte // the body of a message that does not fit conn's buffer
}

// NewReader returns a Reader of what arrives at c.
func NewReader(c *protocol.Conn) *Reader { return &Reader{conn: c} }

// Conn returns the connection that is read.
func (r *Reader) Conn() *protocol.Conn { return r.conn }

// Next drops what is left of the message before and waits for the header of the
// next. It fails with io.EOF when the peer leaves between two messages.
func (r *Reader) Next() (Header, error) {
	if r.left > 0 || r.large != nil {
		if err := r.drop(); err != nil {
			return Header{}, err
		}
	}
	b, err := r.conn.Peek(headerSize)
	if err != nil {
		return Header{}, err
	}
	size := int(protocol.Uint32At(b[1:])) - lengthSize
	if err := r.check(size); err != nil {
		return Header{}, inMessage(b[0], err)
	}
	r.head = Header{Type: b[0], Size: size}
	r.left, r.whole = headerSize+size, true
	return r.head, nil
}

// inMessage says in which message an error is. It stands apart since Next is on the
// stack of every session that waits, where each byte counts.
func inMessage(letter byte, err error) error { return fmt.Errorf("message %q: %w", letter, err) }

// check bounds the size of a body.
func (r *Reader) check(size int) error {
	limit := r.MaxBody
	if limit == 0 {
		limit = MaxBody
	}
	if size < 0 {
		return fmt.Errorf("%w: its length is less than its own size", protocol.ErrMalformed)
	}
	if size > limit {
		return fmt.Errorf("%w: %d bytes announced, %d allowed", protocol.ErrTooLarge, size, limit)
	}
	return nil
}

// Ready says whether Next would return without waiting, and Body too.
func (r *Reader) Ready() bool {
	b := r.conn.Buffered()
	if r.left >= len(b) {
		return false
	}
	b = b[r.left:]
	return len(b) >= headerSize && int(protocol.Uint32At(b[1:])) < len(b)
}

// Body waits for the whole body of the current message and returns it. It is
// valid until the next call of Next. A body of more than limit bytes is not
// read at all and fails with [protocol.ErrTooLarge].
func (r *Reader) Body(limit int) ([]byte, error) {
	if r.head.Size > limit {
		return nil, fmt.Errorf("message %q: %w: %d bytes, %d allowed", r.head.Type, protocol.ErrTooLarge, r.head.Size, limit)
	}
	if r.large != nil {
		return r.large, nil
	}
	if !r.whole {
		panic("pgwire: Body of a message that was passed on")
	}
	if r.left <= protocol.BufferSize {
		b, err := r.conn.Peek(r.left)
		if err != nil {
			return nil, truncated(err)
		}
		return b[headerSize:], nil
	}
	return r.gather()
}

// Frame is Next and Body.
func (r *Reader) Frame(limit int) (Frame, error) {
	h, err := r.Next()
	if err != nil {
		return Frame{}, err
	}
	body, err := r.Body(limit)
	return Frame{h.Type, body}, err
}

// gather collects a body that is larger than the connection's buffer. It grows
// with what has arrived, not with what was announced.
func (r *Reader) gather() ([]byte, error) {
	r.conn.Skip(headerSize)
	r.left -= headerSize
	r.large, r.whole = protocol.BorrowLarge(), false
	for r.left > 0 {
		b, err := r.chunk()
		if err != nil {
			return nil, err
		}
		r.large = append(r.large, b...)
		r.consume(len(b))
	}
	return r.large, nil
}

// CopyTo passes the current message on as it is, in bounded memory.
func (r *Reader) CopyTo(w *Writer) error {
	if r.large != nil {
		return w.Pass(Frame{r.head.Type, r.large})
	}
	if r.whole && r.left <= protocol.BufferSize {
		if _, err := r.conn.Peek(r.left); err != nil {
			return truncated(err)
		}
	}
	for r.left > 0 {
		b, err := r.chunk()
		if err != nil {
			return err
		}
		if _, err := w.conn.Write(b); err != nil {
			return err
		}
		r.consume(len(b))
	}
	return nil
}

// PassRun passes the current message on, and with it every message of the same
// type that follows in the buffer, of which nothing but the headers is looked
// at. It returns how many there were and how many bytes their bodies had.
func (r *Reader) PassRun(w *Writer) (count, bytes int64, err error) {
	if r.large != nil || !r.whole {
		return 1, int64(r.head.Size), r.CopyTo(w)
	}
	b := r.conn.Buffered()
	end := r.left
	count, bytes = 1, int64(r.head.Size)
	for end+headerSize <= len(b) && b[end] == r.head.Type {
		size := int(protocol.Uint32At(b[end+1:])) - lengthSize
		if size < 0 || size > len(b)-end-headerSize {
			break // not all of it is here, or it is wrong: for Next
		}
		count++
		bytes += int64(size)
		end += headerSize + size
	}
	r.left = end
	return count, bytes, r.CopyTo(w)
}

// drop consumes what is left of the current message.
func (r *Reader) drop() error {
	if r.large != nil {
		protocol.ReturnLarge(r.large)
		r.large = nil
	}
	for r.left > 0 {
		b, err := r.chunk()
		if err != nil {
			return err
		}
		r.consume(len(b))
	}
	return nil
}

// chunk returns some bytes of the current message, waiting if there are none.
func (r *Reader) chunk() ([]byte, error) {
	for len(r.conn.Buffered()) == 0 {
		if err := r.conn.Fill(); err != nil {
			return nil, truncated(err)
		}
	}
	b := r.conn.Buffered()
	return b[:min(len(b), r.left)], nil
}

func (r *Reader) consume(n int) {
	r.conn.Skip(n)
	r.left -= n
	r.whole = false
}

// truncated is the error of a stream that ends in mid-message.
func truncated(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
