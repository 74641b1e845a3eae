package masking

import "strconv"

// A decimal is a number as databases print it without an exponent:
// digits / 10^scale. It holds what fits in 18 digits.
type decimal struct {
	negative bool
	digits   uint64
	scale    int
}

// mostDigits is how many digits a decimal may have, so that none overflows.
const mostDigits = 18

var powersOf10 = func() (p [mostDigits + 1]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// parseDecimal reads -123.45; ok is false for anything else and for more digits
// than a decimal holds.
func parseDecimal(text []byte) (d decimal, ok bool) {
	if len(text) > 0 && text[0] == '-' {
		d.negative, text = true, text[1:]
	}
	seen, point := 0, false
	for i, c := range text {
		switch {
		case c == '.' && !point && i > 0 && i < len(text)-1:
			point = true
		case isDigit(c) && (d.digits > 0 || c != '0' || point):
			if d.digits >= powersOf10[mostDigits-1] || d.scale >= mostDigits {
				return decimal{}, false
			}
			d.digits = d.digits*10 + uint64(c-'0')
			seen++
			if point {
				d.scale++
			}
		case c == '0':
			seen++
		default:
			return decimal{}, false
		}
	}
	return d, seen > 0
}

// rescale gives d a scale that is not smaller than its own.
func (d decimal) rescale(scale int) (decimal, bool) {
	for d.scale < scale {
		if d.digits >= powersOf10[mostDigits-1] {
			return decimal{}, false
		}
		d.digits *= 10
		d.scale++
	}
	return d, true
}

// trimScale takes zeros off the end until the scale is not larger than the one
// given, as far as there are any.
func (d decimal) trimScale(scale int) decimal {
	for d.scale > scale && d.digits%10 == 0 {
		d.digits /= 10
		d.scale--
	}
	return d
}

func (d decimal) append(dst []byte) []byte {
	if d.negative && d.digits > 0 {
		dst = append(dst, '-')
	}
	unit := powersOf10[d.scale]
	dst = strconv.AppendUint(dst, d.digits/unit, 10)
	if d.scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	fraction := d.digits % unit
	for pad := unit / 10; pad > fraction && pad > 1; pad /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, fraction, 10)
}
