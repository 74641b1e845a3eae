package pgwire

import (
	"errors"
	"fmt"

	"sqlveil/protocol"
)

// A Rewrite appends what takes the place of the body of a message to dst.
type Rewrite func(dst, body []byte) ([]byte, error)

// spare is by how much a body may grow before the buffer that it is written to
// does.
const spare = 1 << 10

// RewriteRun passes the current message on with its body rewritten, and with it
// every message of the same type that follows whole in the buffer. A body that
// becomes empty is not passed on. It returns how many messages it rewrote and how
// many bytes their bodies had; when it fails those have been passed on.
func (r *Reader) RewriteRun(w *Writer, rewrite Rewrite) (count, bytes int64, err error) {
	body, err := r.Body(r.head.Size)
	if err != nil {
		return 0, 0, err
	}
	rest, end := r.behind(), r.left
	dst, err := w.conn.Reserve(headerSize + len(body) + spare)
	for err == nil {
		start, room := len(dst), cap(dst)
		var out []byte
		if out, err = rewrite(append(dst, r.head.Type, 0, 0, 0, 0), body); err == nil {
			out, err = sealed(out, start)
		}
		if err != nil {
			return count, bytes, errors.Join(err, w.conn.Commit(dst))
		}
		dst = out
		count++
		bytes += int64(len(body))
		size, more := whole(rest, r.head.Type)
		if !more {
			r.left = end
			r.consume(end)
			return count, bytes, w.conn.Commit(dst)
		}
		end += headerSize + size
		body, rest = rest[headerSize:headerSize+size:headerSize+size], rest[headerSize+size:]
		if cap(dst) != room || room-len(dst) < headerSize+size+spare {
			if err = w.conn.Commit(dst); err == nil {
				dst, err = w.conn.Reserve(headerSize + size + spare)
			}
		}
	}
	return count, bytes, err
}

// behind returns what is buffered behind the current message.
func (r *Reader) behind() []byte {
	if r.large != nil {
		return nil // what is buffered is not looked at before the message is dropped
	}
	return r.conn.Buffered()[r.left:]
}

// whole returns the size of the body of the message that data begins with, if it is
// of this type and all there.
func whole(data []byte, letter byte) (size int, ok bool) {
	if len(data) < headerSize || data[0] != letter {
		return 0, false
	}
	size = int(protocol.Uint32At(data[1:])) - lengthSize
	return size, uint(size) <= uint(len(data)-headerSize)
}

// sealed puts the length of the message that begins at start, and ends with dst,
// where it belongs; a message without a body is taken away.
func sealed(dst []byte, start int) ([]byte, error) {
	size := len(dst) - start - headerSize
	switch {
	case size == 0:
		return dst[:start], nil
	case size > MaxBody:
		return nil, fmt.Errorf("message %q: %w", dst[start], protocol.ErrTooLarge)
	}
	protocol.PutUint32(dst[start+1:], uint32(size+lengthSize))
	return dst, nil
}
