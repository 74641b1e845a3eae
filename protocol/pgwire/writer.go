package pgwire

import (
	"fmt"

	"sqlveil/protocol"
)

// A Writer writes messages to a connection, which gathers them until Flush or
// until the paired reader waits.
type Writer struct {
	conn  *protocol.Conn
	start int // where the message between Begin and End starts
}

// NewWriter returns a Writer to c.
func NewWriter(c *protocol.Conn) *Writer { return &Writer{conn: c} }

// Conn returns the connection that is written.
func (w *Writer) Conn() *protocol.Conn { return w.conn }

// Pass writes a message as it came.
func (w *Writer) Pass(f Frame) error {
	if len(f.Body) > MaxBody {
		return fmt.Errorf("message %q: %w", f.Type, protocol.ErrTooLarge)
	}
	if len(f.Body) > protocol.BufferSize {
		var head [headerSize]byte
		head[0] = f.Type
		protocol.PutUint32(head[1:], uint32(len(f.Body)+lengthSize))
		if _, err := w.conn.Write(head[:]); err != nil {
			return err
		}
		_, err := w.conn.Write(f.Body)
		return err
	}
	dst, err := w.Begin(f.Type, len(f.Body))
	if err != nil {
		return err
	}
	return w.End(append(dst, f.Body...))
}

// Begin starts a message of ours whose body has about size bytes. Append the
// body to what it returns and pass that to End; not calling End drops the
// message.
func (w *Writer) Begin(letter byte, size int) ([]byte, error) {
	dst, err := w.conn.Reserve(headerSize + size)
	if err != nil {
		return nil, err
	}
	w.start = len(dst)
	return append(dst, letter, 0, 0, 0, 0), nil
}

// End completes the message that Begin started.
func (w *Writer) End(dst []byte) error {
	size := len(dst) - w.start - 1
	if size-lengthSize > MaxBody {
		return fmt.Errorf("message %q: %w", dst[w.start], protocol.ErrTooLarge)
	}
	protocol.PutUint32(dst[w.start+1:], uint32(size))
	return w.conn.Commit(dst)
}

// Write writes complete messages, as the Append functions of this package make
// them.
func (w *Writer) Write(messages []byte) error {
	_, err := w.conn.Write(messages)
	return err
}

// Flush sends what was gathered.
func (w *Writer) Flush() error { return w.conn.Flush() }
