package protocol

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A Cursor reads the fields of one message body from front to back. The first
// failure sticks: later reads return zero values and [Cursor.Err] tells.
// Integers are big-endian unless the name ends in LE.
type Cursor struct {
	rest []byte
	err  error
}

// Over returns a Cursor at the start of body.
func Over(body []byte) Cursor { return Cursor{rest: body} }

// Err returns the first failure, or nil.
func (c *Cursor) Err() error { return c.err }

// End returns the first failure; bytes that were not read are one too.
func (c *Cursor) End() error {
	if c.err == nil && len(c.rest) > 0 {
		c.Fail(fmt.Sprintf("%d bytes too many", len(c.rest)))
	}
	return c.err
}

// Fail records a failure that the caller found, unless there was one before.
func (c *Cursor) Fail(why string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrMalformed, why)
	}
	c.rest = nil
}

// Len returns how many bytes are left.
func (c *Cursor) Len() int { return len(c.rest) }

// Rest returns what is left and moves to the end.
func (c *Cursor) Rest() []byte {
	b := c.rest
	c.rest = nil
	return b
}

// Take returns the next n bytes.
func (c *Cursor) Take(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.Fail("a length exceeds the message")
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// Uint8 reads one byte.
func (c *Cursor) Uint8() byte {
	if len(c.rest) < 1 {
		c.Fail("cut off")
		return 0
	}
	v := c.rest[0]
	c.rest = c.rest[1:]
	return v
}

// Uint16 reads two bytes.
func (c *Cursor) Uint16() uint16 {
	if len(c.rest) < 2 {
		c.Fail("cut off")
		return 0
	}
	v := binary.BigEndian.Uint16(c.rest)
	c.rest = c.rest[2:]
	return v
}

// Uint32 reads four bytes.
func (c *Cursor) Uint32() uint32 {
	if len(c.rest) < 4 {
		c.Fail("cut off")
		return 0
	}
	v := binary.BigEndian.Uint32(c.rest)
	c.rest = c.rest[4:]
	return v
}

// Uint64 reads eight bytes.
func (c *Cursor) Uint64() uint64 {
	if len(c.rest) < 8 {
		c.Fail("cut off")
		return 0
	}
	v := binary.BigEndian.Uint64(c.rest)
	c.rest = c.rest[8:]
	return v
}

// Int16 reads two bytes as a signed number.
func (c *Cursor) Int16() int16 { return int16(c.Uint16()) }

// Int32 reads four bytes as a signed number.
func (c *Cursor) Int32() int32 { return int32(c.Uint32()) }

// Int64 reads eight bytes as a signed number.
func (c *Cursor) Int64() int64 { return int64(c.Uint64()) }

// Count reads a 16-bit count of elements that take at least size bytes each, and
// fails when so many cannot follow. What it returns is safe to allocate for.
func (c *Cursor) Count(size int) int {
	n := int(c.Uint16())
	if n*size > len(c.rest) {
		c.Fail("a count exceeds the message")
		return 0
	}
	return n
}

// CString reads up to a zero byte and over it.
func (c *Cursor) CString() []byte {
	i := bytes.IndexByte(c.rest, 0)
	if i < 0 {
		c.Fail("a string without end")
		return nil
	}
	s := c.rest[:i:i]
	c.rest = c.rest[i+1:]
	return s
}

// Uint16LE reads two bytes, the low one first.
func (c *Cursor) Uint16LE() uint16 {
	b := c.Take(2)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint16(b)
}

// Uint24LE reads three bytes, the low one first.
func (c *Cursor) Uint24LE() uint32 {
	b := c.Take(3)
	if b == nil {
		return 0
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
}

// Uint32LE reads four bytes, the low one first.
func (c *Cursor) Uint32LE() uint32 {
	b := c.Take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// Uint64LE reads eight bytes, the low one first.
func (c *Cursor) Uint64LE() uint64 {
	b := c.Take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// First bytes of a length-encoded integer that are not its value.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html
const (
	lenencNull = 0xfb
	lenenc16   = 0xfc
	lenenc24   = 0xfd
	lenenc64   = 0xfe
	lenencBad  = 0xff
)

// Lenenc reads a length-encoded integer. The bytes that stand for NULL and for
// an error packet in the same place are failures.
func (c *Cursor) Lenenc() uint64 {
	switch first := c.Uint8(); first {
	case lenencNull, lenencBad:
		c.Fail("not a length-encoded integer")
		return 0
	case lenenc16:
		return uint64(c.Uint16LE())
	case lenenc24:
		return uint64(c.Uint24LE())
	case lenenc64:
		return c.Uint64LE()
	default:
		return uint64(first)
	}
}

// LenencString reads a string that its length-encoded length precedes.
func (c *Cursor) LenencString() []byte {
	n := c.Lenenc()
	if n > uint64(len(c.rest)) {
		c.Fail("a length exceeds the message")
		return nil
	}
	return c.Take(int(n))
}

// LenencNullable is LenencString for a place where NULL may stand.
func (c *Cursor) LenencNullable() (s []byte, null bool) {
	if len(c.rest) > 0 && c.rest[0] == lenencNull {
		c.rest = c.rest[1:]
		return nil, true
	}
	return c.LenencString(), false
}

// LenencCount reads a length-encoded count of elements that take at least size
// bytes each, and fails when so many cannot follow.
func (c *Cursor) LenencCount(size int) int {
	n := c.Lenenc()
	if n > uint64(len(c.rest)/max(size, 1)) {
		c.Fail("a count exceeds the message")
		return 0
	}
	return int(n)
}
