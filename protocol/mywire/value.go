package mywire

import (
	"bytes"
	"math"
	"strconv"

	"sqlveil/protocol"
)

// A Codec converts the values of one result column between what stands in a row
// and the text form in which masks see them: MySQL's, except that bytes are
// shown as PostgreSQL does, \x and hexadecimal digits.
type Codec struct {
	kind     Kind
	field    FieldType
	unsigned bool
	decimals uint8 // digits behind the seconds or the point
	binary   bool
}

// maxDecimals stands for any number of digits behind the point.
const maxDecimals = 31

// NewCodec returns the Codec of a column, for rows of the binary or the text
// protocol.
func NewCodec(col *Column, binary bool) Codec {
	return Codec{col.TypeOf().Kind, col.Type, col.Flags&FlagUnsigned != 0, col.Decimals, binary}
}

// Plain says whether every value of the column is its own text.
func (c Codec) Plain() bool {
	return c.kind != KindOther && c.kind != KindBytes && (!c.binary || c.field.shape() == shapeString)
}

// AppendText appends the text form of a value to dst. It returns false for
// anything that is not a value of the type.
func (c Codec) AppendText(dst, value []byte) ([]byte, bool) {
	switch {
	case c.kind == KindOther:
		return dst, false
	case c.kind == KindBytes:
		return appendHex(dst, value), true
	case c.Plain():
		return append(dst, value...), true
	}
	in := protocol.Over(value)
	switch c.field.shape() {
	case shapePacked:
		dst, ok := c.decodeTime(dst, &in)
		return dst, ok && in.End() == nil
	default:
		dst = c.decodeNumber(dst, &in)
		return dst, in.End() == nil
	}
}

// AppendValue appends the value with this text form to dst. It returns false when
// the text is not one of the type's.
func (c Codec) AppendValue(dst, text []byte) ([]byte, bool) {
	switch {
	case c.kind == KindOther:
		return dst, false
	case c.kind == KindBytes:
		return appendUnhex(dst, text)
	case c.Plain():
		return append(dst, text...), true
	case c.field.shape() == shapePacked:
		return c.encodeTime(dst, text)
	default:
		return c.encodeNumber(dst, text)
	}
}

func (c Codec) decodeNumber(dst []byte, in *protocol.Cursor) []byte {
	switch c.field {
	case TypeTiny:
		return c.appendInteger(dst, uint64(in.Uint8()), 8)
	case TypeYear:
		return appendPadded(dst, int(in.Uint16LE()), 4)
	case TypeShort:
		return c.appendInteger(dst, uint64(in.Uint16LE()), 16)
	case TypeLong, TypeInt24:
		return c.appendInteger(dst, uint64(in.Uint32LE()), 32)
	case TypeLongLong:
		return c.appendInteger(dst, in.Uint64LE(), 64)
	case TypeFloat:
		return c.appendFloat(dst, float64(math.Float32frombits(in.Uint32LE())), 32)
	default:
		return c.appendFloat(dst, math.Float64frombits(in.Uint64LE()), 64)
	}
}

func (c Codec) appendInteger(dst []byte, n uint64, bits int) []byte {
	if c.unsigned {
		return strconv.AppendUint(dst, n, 10)
	}
	return strconv.AppendInt(dst, int64(n)<<(64-bits)>>(64-bits), 10)
}

const (
	// floatDigits is how many digits of a FLOAT a server prints.
	floatDigits = 6

	// plainDigits is how far from the point digits may be before a server prints
	// an exponent.
	// https://github.com/mysql/mysql-server/blob/8.4/strings/dtoa.cc (my_gcvt)
	plainDigits = 15
)

// appendFloat prints v as a server does: with the digits of the column, or else
// as few as give the value again, of a FLOAT at most six.
func (c Codec) appendFloat(dst []byte, v float64, bits int) []byte {
	if c.decimals < maxDecimals {
		return strconv.AppendFloat(dst, v, 'f', int(c.decimals), 64)
	}
	var room [32]byte
	short := strconv.AppendFloat(room[:0], v, 'e', -1, 64)
	if bits == 32 {
		short = strconv.AppendFloat(room[:0], v, 'e', floatDigits-1, 64)
		if rounded, err := strconv.ParseFloat(string(short), 64); err == nil {
			v, short = rounded, strconv.AppendFloat(room[:0], rounded, 'e', -1, 64)
		}
	}
	i := bytes.IndexByte(short, 'e')
	if i < 0 {
		return append(dst, short...) // not a number: no server has one
	}
	exponent, err := strconv.Atoi(string(short[i+1:]))
	if err != nil || exponent >= -plainDigits && exponent < plainDigits {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	return strconv.AppendInt(append(dst, short[:i+1]...), int64(exponent), 10)
}

func (c Codec) encodeNumber(dst, text []byte) ([]byte, bool) {
	if c.field == TypeFloat || c.field == TypeDouble {
		return c.encodeFloat(dst, text)
	}
	bits := c.bits()
	var n uint64
	var err error
	if c.unsigned || c.field == TypeYear {
		n, err = strconv.ParseUint(string(text), 10, bits)
	} else {
		var signed int64
		signed, err = strconv.ParseInt(string(text), 10, bits)
		n = uint64(signed)
	}
	if err != nil {
		return dst, false
	}
	switch c.field.width() {
	case 1:
		return append(dst, byte(n)), true
	case 2:
		return protocol.AppendUint16LE(dst, uint16(n)), true
	case 4:
		return protocol.AppendUint32LE(dst, uint32(n)), true
	default:
		return protocol.AppendUint64LE(dst, n), true
	}
}

// bits is the size of an integer, which may be less than its width.
func (c Codec) bits() int {
	if c.field == TypeInt24 {
		return 24
	}
	return 8 * c.field.width()
}

func (c Codec) encodeFloat(dst, text []byte) ([]byte, bool) {
	for _, b := range text {
		if (b < '0' || b > '9') && b != '.' && b != '-' && b != '+' && b != 'e' && b != 'E' {
			return dst, false // hexadecimal, infinite or no number: Go's, not SQL's
		}
	}
	if c.field == TypeFloat {
		v, err := strconv.ParseFloat(string(text), 32)
		return protocol.AppendUint32LE(dst, math.Float32bits(float32(v))), err == nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	return protocol.AppendUint64LE(dst, math.Float64bits(v)), err == nil
}

const hexDigits = "0123456789abcdef"

func appendHex(dst, b []byte) []byte {
	dst = append(dst, '\\', 'x')
	for _, v := range b {
		dst = append(dst, hexDigits[v>>4], hexDigits[v&15])
	}
	return dst
}

func appendUnhex(dst, text []byte) ([]byte, bool) {
	if len(text) < 2 || text[0] != '\\' || text[1] != 'x' || len(text)%2 != 0 {
		return dst, false
	}
	for i := 2; i < len(text); i += 2 {
		high, low := unhex(text[i]), unhex(text[i+1])
		if high > 15 || low > 15 {
			return dst, false
		}
		dst = append(dst, high<<4|low)
	}
	return dst, true
}

// unhex returns the value of a hexadecimal digit, 16 for anything else.
func unhex(d byte) byte {
	switch {
	case d >= '0' && d <= '9':
		return d - '0'
	case d >= 'a' && d <= 'f':
		return d - 'a' + 10
	case d >= 'A' && d <= 'F':
		return d - 'A' + 10
	default:
		return 16
	}
}
