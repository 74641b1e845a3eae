package pgwire

import (
	"bytes"
	"math"
	"strconv"

	"sqlveil/protocol"
)

// moneyScale is how many digits of a money stand behind its point. It is two in
// nearly every lc_monetary; the wire does not tell.
const moneyScale = 2

func (f form) decodeInteger(dst []byte, in *protocol.Cursor) ([]byte, bool) {
	switch f {
	case formInt2:
		return strconv.AppendInt(dst, int64(in.Int16()), 10), true
	case formInt4:
		return strconv.AppendInt(dst, int64(in.Int32()), 10), true
	case formOID:
		return strconv.AppendUint(dst, uint64(in.Uint32()), 10), true
	case formMoney:
		return appendHundredths(dst, in.Int64()), true
	default:
		return strconv.AppendInt(dst, in.Int64(), 10), true
	}
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

func appendHundredths(dst []byte, n int64) []byte {
	u := uint64(n)
	if n < 0 {
		dst, u = append(dst, '-'), -u
	}
	dst = strconv.AppendUint(dst, u/100, 10)
	return append(dst, '.', '0'+byte(u/10%10), '0'+byte(u%10))
}

func (f form) encodeInteger(dst, text []byte) ([]byte, bool) {
	switch f {
	case formInt2:
		n, err := strconv.ParseInt(string(text), 10, 16)
		return protocol.AppendUint16(dst, uint16(n)), err == nil
	case formInt4:
		n, err := strconv.ParseInt(string(text), 10, 32)
		return protocol.AppendUint32(dst, uint32(n)), err == nil
	case formOID:
		n, err := strconv.ParseUint(string(text), 10, 32)
		return protocol.AppendUint32(dst, uint32(n)), err == nil
	case formMoney:
		n, ok := hundredths(text)
		return protocol.AppendUint64(dst, uint64(n)), ok
	default:
		n, err := strconv.ParseInt(string(text), 10, 64)
		return protocol.AppendUint64(dst, uint64(n)), err == nil
	}
}

// hundredths reads a decimal number with at most two digits behind its point.
func hundredths(text []byte) (int64, bool) {
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	if len(whole)+moneyScale > 20 || len(fraction) > moneyScale {
		return 0, false
	}
	var digits [22]byte
	b := append(append(digits[:0], whole...), fraction...)
	for range moneyScale - len(fraction) {
		b = append(b, '0')
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// Decimal exponents up to which the server prints a float without one.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/common/d2s.c
const (
	fixedFloat4 = 6
	fixedFloat8 = 15
)

func appendFloat4(dst []byte, bits uint32) []byte {
	return appendFloat(dst, float64(math.Float32frombits(bits)), 32, fixedFloat4)
}

func appendFloat8(dst []byte, bits uint64) []byte {
	return appendFloat(dst, math.Float64frombits(bits), 64, fixedFloat8)
}

// appendFloat prints v as the server does: the shortest digits that give v again.
func appendFloat(dst []byte, v float64, bits, fixed int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	case v == 0:
		return strconv.AppendFloat(dst, v, 'f', -1, bits)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'e', -1, bits)
	if onEdge(dst[start:], v, bits) {
		dst = appendLonger(dst[:start], dst[start:], v, bits)
	}
	if e := exponentOf(dst[start:]); e < -4 || e >= fixed {
		return dst
	}
	return strconv.AppendFloat(dst[:start], v, 'f', -1, bits)
}

// maxFloatDigits is how many digits tell any two floats apart.
const maxFloatDigits = 17

// appendLonger prints v with more digits than text, as few as make a difference.
func appendLonger(dst, text []byte, v float64, bits int) []byte {
	digits := 1 // behind the point
	if point := bytes.IndexByte(text, '.'); point >= 0 {
		digits = bytes.IndexByte(text, 'e') - point
	}
	longer := dst
	for ; digits < maxFloatDigits; digits++ {
		longer = strconv.AppendFloat(dst, v, 'e', digits, bits)
		if longer[len(dst)+bytes.IndexByte(longer[len(dst):], 'e')-1] != '0' {
			break
		}
	}
	return longer
}

// onEdge says whether a number printed with an exponent lies exactly between v
// and the next float. It gives v again, since ties go to the even one, but the
// server does not rely on that and prints a digit more.
func onEdge(text []byte, v float64, bits int) bool {
	exact := math.Ldexp(1, 53)
	if bits == 32 {
		exact = math.Ldexp(1, 24)
	}
	if math.Abs(v) < exact {
		return false // what lies between two of these has more digits
	}
	i := bytes.IndexByte(text, 'e')
	var room [48]byte
	above := padded(append(room[:0], text[:i]...), '0')
	above = append(append(above, '1'), text[i:]...)
	if w, err := strconv.ParseFloat(string(above), bits); err == nil && w != v {
		return true
	}
	below := append(room[:0], text[:i]...)
	below[i-1]-- // the shortest digits do not end with a zero
	below = append(padded(below, '9'), text[i:]...)
	w, err := strconv.ParseFloat(string(below), bits)
	return err == nil && w != v
}

// padded makes a mantissa longer than that of any float.
func padded(mantissa []byte, digit byte) []byte {
	if bytes.IndexByte(mantissa, '.') < 0 {
		mantissa = append(mantissa, '.')
	}
	for len(mantissa) < maxFloatDigits+8 {
		mantissa = append(mantissa, digit)
	}
	return mantissa
}

// exponentOf returns the exponent of a number printed with one.
func exponentOf(text []byte) int {
	i := bytes.IndexByte(text, 'e')
	e := 0
	for _, d := range text[i+2:] {
		e = 10*e + int(d-'0')
	}
	if text[i+1] == '-' {
		return -e
	}
	return e
}

// serverNaN is the NaN that a server sends.
const serverNaN = 0x7ff8 << 48

func (f form) encodeFloat(dst, text []byte) ([]byte, bool) {
	bits := 64
	if f == formFloat4 {
		bits = 32
	}
	if bytes.ContainsAny(text, "_xXpP") {
		return dst, false // Go's notation, not SQL's
	}
	v, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return dst, false
	}
	if bits == 32 {
		return protocol.AppendUint32(dst, math.Float32bits(float32(v))), true
	}
	if math.IsNaN(v) {
		return protocol.AppendUint64(dst, serverNaN), true // Go's own has one bit more
	}
	return protocol.AppendUint64(dst, math.Float64bits(v)), true
}
