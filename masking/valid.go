package masking

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// valid reports whether text is a value of type t that the column can hold. It
// knows the forms that masks produce and refuses the others.
func valid(text []byte, t Type) bool {
	switch t.Kind {
	case KindText:
		return isUTF8(text) && bytes.IndexByte(text, 0) < 0 && (t.Length <= 0 || utf8.RuneCount(text) <= t.Length)
	case KindInteger:
		return isInteger(text, t)
	case KindNumeric:
		return isNumeric(text, t)
	case KindFloat:
		_, ok := parseFloat(text, t.Bits)
		return ok
	case KindUUID:
		return isUUID(text)
	case KindBool, KindInet, KindMAC, KindInterval:
		return string(text) == neutrals[t.Kind]
	case KindJSON:
		return isJSON(text)
	case KindBytes:
		return isHexBytes(text) && (t.Length <= 0 || len(text) <= t.Length)
	}
	return isTemporal(text, t.Kind)
}

// isASCII reports whether no byte of text is part of a longer character. For the
// short values of a database it is cheaper than [utf8.Valid].
func isASCII(text []byte) bool {
	var all byte
	for _, b := range text {
		all |= b
	}
	return all < utf8.RuneSelf
}

// isUTF8 is [utf8.Valid], faster for what is mostly ASCII.
func isUTF8(text []byte) bool { return isASCII(text) || utf8.Valid(text) }

func isTemporal(text []byte, kind Kind) bool {
	switch kind {
	case KindDate:
		at, ok := parseMoment(text)
		return ok && at.separator == 0
	case KindTimestamp, KindTimestampTZ:
		at, ok := parseMoment(text)
		return ok && at.separator != 0
	case KindTime, KindTimeTZ:
		_, ok := parseClock(text)
		return ok
	}
	return false
}

// maxInteger is one more than the largest value of an integer type; the
// smallest is its negative when the type has a sign.
func maxInteger(t Type) uint64 {
	bits := t.Bits
	if bits <= 0 || bits > 64 {
		bits = 64
	}
	if !t.Unsigned {
		bits--
	}
	if bits == 64 {
		return math.MaxUint64
	}
	return 1 << bits
}

func isInteger(text []byte, t Type) bool {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	d, ok := parseDecimal(text)
	if !ok || d.scale > 0 || d.negative || negative && t.Unsigned {
		return false
	}
	if negative {
		return d.digits <= maxInteger(t)
	}
	return d.digits < maxInteger(t)
}

func isNumeric(text []byte, t Type) bool {
	d, ok := parseDecimal(text)
	if !ok || t.Precision == 0 {
		return ok
	}
	if d.scale > max(t.Scale, 0) {
		return false
	}
	whole := min(max(t.Precision-t.Scale, 0), mostDigits)
	return d.digits/powersOf10[d.scale] < powersOf10[whole]
}

// isUUID reports whether text is a UUID in the form that PostgreSQL prints.
func isUUID(text []byte) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range text {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isHexBytes(text []byte) bool {
	digits, ok := bytes.CutPrefix(text, []byte(neutralBytes))
	if !ok || len(digits)%2 != 0 {
		return false
	}
	for _, c := range digits {
		if !isHex(c) {
			return false
		}
	}
	return true
}
