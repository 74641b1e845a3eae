package pgwire

import (
	"bytes"
	"math"

	"sqlveil/protocol"
)

// A numeric is digits to the base 10,000, the weight of the first of them, a
// sign, and how many decimal digits behind the point are shown.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/numeric.c (numeric_send)
const (
	numericPositive = 0x0000
	numericNegative = 0x4000
	numericNaN      = 0xc000
	numericInf      = 0xd000
	numericNegInf   = 0xf000

	// numericInfScale is what PostgreSQL 14 and later send behind an infinity,
	// which has no scale: a bit of its header.
	numericInfScale = 0x20

	numericBase     = 10_000
	numericDigits   = 4      // decimal digits in one digit
	maxNumericScale = 0x3fff // of what is shown
)

func decodeNumeric(dst []byte, in *protocol.Cursor) ([]byte, bool) {
	count, weight := int(in.Uint16()), int(in.Int16())
	sign, scale := in.Uint16(), int(in.Uint16())
	digits := in.Take(2 * count)
	if in.Err() != nil || scale > maxNumericScale {
		return dst, false
	}
	n := numeric{digits: digits, weight: weight}
	switch sign {
	case numericNaN:
		return append(dst, "NaN"...), true
	case numericInf:
		return append(dst, "Infinity"...), true
	case numericNegInf:
		return append(dst, "-Infinity"...), true
	case numericPositive, numericNegative:
	default:
		return dst, false
	}
	zero, ok := n.check(scale)
	if !ok || zero && sign == numericNegative {
		return dst, false
	}
	if sign == numericNegative {
		dst = append(dst, '-')
	}
	return n.append(dst, scale), true
}

// numeric gives the digits of a number by their weight.
type numeric struct {
	digits []byte // two bytes each
	weight int    // of the first
}

// at returns the digit of this weight; what is not there is zero.
func (n numeric) at(weight int) int {
	i := 2 * (n.weight - weight)
	if i < 0 || i >= len(n.digits) {
		return 0
	}
	return int(protocol.Uint16At(n.digits[i:]))
}

// check says whether the number is zero, and whether its digits are digits that
// all show with this scale.
func (n numeric) check(scale int) (zero, ok bool) {
	zero = true
	for i := 0; i < len(n.digits); i += 2 {
		d := int(protocol.Uint16At(n.digits[i:]))
		if d == 0 {
			continue
		}
		zero = false
		places := numericDigits * (i/2 - n.weight) // behind the point
		for rest := d; rest%10 == 0; rest /= 10 {
			places--
		}
		if d >= numericBase || places > scale {
			return false, false
		}
	}
	return zero, true
}

func (n numeric) append(dst []byte, scale int) []byte {
	start := len(dst)
	for w := n.weight; w >= 0; w-- {
		dst = append4(dst, n.at(w))
	}
	zeros := start
	for zeros < len(dst) && dst[zeros] == '0' {
		zeros++
	}
	dst = append(dst[:start], dst[zeros:]...)
	if len(dst) == start {
		dst = append(dst, '0')
	}
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	end := len(dst) + scale
	for w := -1; len(dst) < end; w-- {
		dst = append4(dst, n.at(w))
	}
	return dst[:end]
}

func append4(dst []byte, d int) []byte {
	return append(dst, '0'+byte(d/1000), '0'+byte(d/100%10), '0'+byte(d/10%10), '0'+byte(d%10))
}

func encodeNumeric(dst, text []byte) ([]byte, bool) {
	sign := uint16(numericPositive)
	switch {
	case string(text) == "NaN":
		return appendNumericHead(dst, 0, 0, numericNaN, 0), true
	case string(text) == "Infinity":
		return appendNumericHead(dst, 0, 0, numericInf, numericInfScale), true
	case string(text) == "-Infinity":
		return appendNumericHead(dst, 0, 0, numericNegInf, numericInfScale), true
	case len(text) > 0 && text[0] == '-':
		sign, text = numericNegative, text[1:]
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	if !decimal(whole) || !decimal(fraction) || len(whole)+len(fraction) == 0 {
		return dst, false
	}
	whole = bytes.TrimLeft(whole, "0")
	if len(fraction) > maxNumericScale || len(whole) > numericDigits*(math.MaxInt16+1) {
		return dst, false
	}
	return appendNumeric(dst, whole, fraction, sign), true
}

// appendNumeric appends a number from its decimal digits before and behind the
// point.
func appendNumeric(dst, whole, fraction []byte, sign uint16) []byte {
	start := len(dst)
	dst = appendNumericHead(dst, 0, 0, 0, 0)
	head := len(dst)
	weight := (len(whole)+numericDigits-1)/numericDigits - 1
	short := (weight+1)*numericDigits - len(whole) // zeros that the first digit lacks
	for i := -short; i < len(whole); i += numericDigits {
		dst = protocol.AppendUint16(dst, digitOf(whole, i))
	}
	for i := 0; i < len(fraction); i += numericDigits {
		dst = protocol.AppendUint16(dst, digitOf(fraction, i))
	}
	dst, weight = trimNumeric(dst, head, weight)
	count := (len(dst) - head) / 2
	if count == 0 {
		weight, sign = 0, numericPositive
	}
	appendNumericHead(dst[:start], count, weight, sign, len(fraction))
	return dst
}

// digitOf packs the four decimal digits at i; those outside of text are zero.
func digitOf(text []byte, i int) uint16 {
	var d uint16
	for j := i; j < i+numericDigits; j++ {
		d *= 10
		if j >= 0 && j < len(text) {
			d += uint16(text[j] - '0')
		}
	}
	return d
}

// trimNumeric drops zero digits from both ends of dst[head:].
func trimNumeric(dst []byte, head, weight int) ([]byte, int) {
	zeros := 0
	for head+2*zeros < len(dst) && dst[head+2*zeros] == 0 && dst[head+2*zeros+1] == 0 {
		zeros++
	}
	dst = append(dst[:head], dst[head+2*zeros:]...)
	for len(dst) > head && dst[len(dst)-1] == 0 && dst[len(dst)-2] == 0 {
		dst = dst[:len(dst)-2]
	}
	return dst, weight - zeros
}

func appendNumericHead(dst []byte, count, weight int, sign uint16, scale int) []byte {
	dst = protocol.AppendUint16(dst, uint16(count))
	dst = protocol.AppendUint16(dst, uint16(weight))
	dst = protocol.AppendUint16(dst, sign)
	return protocol.AppendUint16(dst, uint16(scale))
}

// decimal says whether text has nothing but digits.
func decimal(text []byte) bool {
	for _, d := range text {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}
