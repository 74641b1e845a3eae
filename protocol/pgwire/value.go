package pgwire

import "sqlveil/protocol"

// A Codec converts the values of one result column between what stands on the
// wire and PostgreSQL's text form, in which masks see them. In the text format
// they are the same; what comes out of the binary format is as the server prints
// it with DateStyle ISO, IntervalStyle postgres, TimeZone UTC and bytea_output hex.
//
// It converts single values; [Cell] does arrays too.
type Codec struct {
	Type   Type
	Format int16
}

// AppendText appends the text form of a value to dst. It returns false for
// anything that is not a value of the type.
func (c Codec) AppendText(dst, value []byte) ([]byte, bool) {
	if c.Format == TextFormat {
		return append(dst, value...), c.Type.form != formNone
	}
	if c.Format != BinaryFormat {
		return dst, false
	}
	in := protocol.Over(value)
	out, ok := c.Type.form.decode(dst, &in)
	return out, ok && in.End() == nil
}

// AppendValue appends the value with this text form to dst. It returns false when
// the text is not one of the type's.
func (c Codec) AppendValue(dst, text []byte) ([]byte, bool) {
	switch c.Format {
	case TextFormat:
		return append(dst, text...), c.Type.form != formNone
	case BinaryFormat:
		return c.Type.form.encode(dst, text)
	default:
		return dst, false
	}
}

// Plain says whether the values of the column are single ones, each its own text.
func (c Codec) Plain() bool { return c.Type.form != formNone && !c.Type.Array && c.same() }

// same says whether a value is its own text.
func (c Codec) same() bool {
	return c.Format == TextFormat || c.Format == BinaryFormat && c.Type.form == formText
}

// decode appends the text of a value in the binary format.
func (f form) decode(dst []byte, in *protocol.Cursor) ([]byte, bool) {
	switch f {
	case formText:
		return append(dst, in.Rest()...), true
	case formJSONB:
		version := in.Uint8()
		return append(dst, in.Rest()...), version == jsonbVersion
	case formChar:
		return decodeChar(dst, in.Uint8())
	case formBool:
		return decodeBool(dst, in.Uint8())
	case formInt2, formInt4, formInt8, formOID, formMoney:
		return f.decodeInteger(dst, in)
	case formFloat4:
		return appendFloat4(dst, in.Uint32()), true
	case formFloat8:
		return appendFloat8(dst, in.Uint64()), true
	case formNumeric:
		return decodeNumeric(dst, in)
	case formBytea:
		return appendHex(append(dst, `\x`...), in.Rest()), true
	case formUUID:
		return decodeUUID(dst, in.Take(uuidSize))
	case formInet, formCIDR:
		return decodeInet(dst, in, f == formCIDR)
	case formMAC:
		return decodeMAC(dst, in.Take(6))
	case formMAC8:
		return decodeMAC(dst, in.Take(8))
	default:
		return f.decodeInstant(dst, in)
	}
}

// encode appends the value whose text this is, in the binary format.
func (f form) encode(dst, text []byte) ([]byte, bool) {
	switch f {
	case formText:
		return append(dst, text...), true
	case formJSONB:
		return append(append(dst, jsonbVersion), text...), true
	case formChar:
		return encodeChar(dst, text)
	case formBool:
		return encodeBool(dst, text)
	case formInt2, formInt4, formInt8, formOID, formMoney:
		return f.encodeInteger(dst, text)
	case formFloat4, formFloat8:
		return f.encodeFloat(dst, text)
	case formNumeric:
		return encodeNumeric(dst, text)
	case formBytea:
		return encodeBytea(dst, text)
	case formUUID:
		return encodeUUID(dst, text)
	case formInet, formCIDR:
		return encodeInet(dst, text, f == formCIDR)
	case formMAC:
		return encodeMAC(dst, text, 6)
	case formMAC8:
		return encodeMAC(dst, text, 8)
	default:
		return f.encodeInstant(dst, text)
	}
}

// jsonbVersion is the first byte of a jsonb.
const jsonbVersion = 1

// decodeChar appends a "char": nothing for zero, an octal escape for what is not
// ASCII (since PostgreSQL 15; before, the byte itself).
func decodeChar(dst []byte, b byte) ([]byte, bool) {
	switch {
	case b == 0:
		return dst, true
	case b < 0x80:
		return append(dst, b), true
	default:
		return append(dst, '\\', '0'+b>>6, '0'+b>>3&7, '0'+b&7), true
	}
}

func encodeChar(dst, text []byte) ([]byte, bool) {
	switch {
	case len(text) == 0:
		return append(dst, 0), true
	case len(text) == 1:
		return append(dst, text[0]), true
	case len(text) == 4:
		if b, ok := octal(text); ok {
			return append(dst, b), true
		}
	}
	return dst, false
}

// octal reads a backslash and three octal digits.
func octal(text []byte) (byte, bool) {
	if len(text) < 4 || text[0] != '\\' {
		return 0, false
	}
	n := 0
	for _, d := range text[1:4] {
		if d < '0' || d > '7' {
			return 0, false
		}
		n = n<<3 | int(d-'0')
	}
	return byte(n), n < 256
}

func decodeBool(dst []byte, b byte) ([]byte, bool) {
	if b > 1 {
		return dst, false
	}
	return append(dst, "ft"[b]), true
}

func encodeBool(dst, text []byte) ([]byte, bool) {
	switch string(text) {
	case "t", "true", "1", "on", "yes":
		return append(dst, 1), true
	case "f", "false", "0", "off", "no":
		return append(dst, 0), true
	default:
		return dst, false
	}
}

const hexDigits = "0123456789abcdef"

func appendHex(dst, b []byte) []byte {
	for _, v := range b {
		dst = append(dst, hexDigits[v>>4], hexDigits[v&15])
	}
	return dst
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

// appendUnhex appends the bytes that an even number of digits stands for.
func appendUnhex(dst, digits []byte) ([]byte, bool) {
	if len(digits)%2 != 0 {
		return dst, false
	}
	for i := 0; i < len(digits); i += 2 {
		high, low := unhex(digits[i]), unhex(digits[i+1])
		if high > 15 || low > 15 {
			return dst, false
		}
		dst = append(dst, high<<4|low)
	}
	return dst, true
}

// encodeBytea reads either of the two text forms of a bytea.
// https://www.postgresql.org/docs/current/datatype-binary.html
func encodeBytea(dst, text []byte) ([]byte, bool) {
	if len(text) >= 2 && text[0] == '\\' && text[1] == 'x' {
		return appendUnhex(dst, text[2:])
	}
	for len(text) > 0 {
		switch {
		case text[0] != '\\':
			dst, text = append(dst, text[0]), text[1:]
		case len(text) > 1 && text[1] == '\\':
			dst, text = append(dst, '\\'), text[2:]
		default:
			b, ok := octal(text)
			if !ok {
				return dst, false
			}
			dst, text = append(dst, b), text[4:]
		}
	}
	return dst, true
}
