package masking

import (
	"math"
	"strconv"
)

// A round mask gives a number as a multiple of a step: 5432 becomes 5000. A
// number that already is one is withheld, because it would be returned as it is.
type round struct{ to decimal }

func newRound(o *options) Mask { return round{to: o.decimal("to")} }

func (round) Name() string { return "round" }

func (m round) Append(dst, text []byte, t Type) ([]byte, bool) {
	start := len(dst)
	switch t.Kind {
	case KindInteger, KindNumeric, KindText:
		if value, ok := parseDecimal(text); ok {
			if dst, ok = m.appendRounded(dst, value, t); ok {
				return dst, true
			}
		}
	case KindFloat:
		if out, ok := m.appendFloat(dst, text, t); ok {
			return out, true
		}
	}
	return Neutral(dst[:start], t)
}

// appendRounded appends value rounded half away from zero, or towards zero
// where the type cannot hold that.
func (m round) appendRounded(dst []byte, value decimal, t Type) ([]byte, bool) {
	scale := max(value.scale, m.to.scale)
	v, fits := value.rescale(scale)
	step, stepFits := m.to.rescale(scale)
	if !fits || !stepFits {
		return dst, false
	}
	rest := v.digits % step.digits
	if rest == 0 {
		return dst, false
	}
	down, start := v, len(dst)
	down.digits -= rest
	if rest >= step.digits-rest {
		up := down
		up.digits += step.digits
		if up.digits < powersOf10[mostDigits] {
			dst = up.trimScale(value.scale).append(dst)
			if valid(dst[start:], t) {
				return dst, true
			}
		}
	}
	return down.trimScale(value.scale).append(dst[:start]), true
}

// longestFloat is the longest text that is read as a float.
const longestFloat = 32

func (m round) appendFloat(dst, text []byte, t Type) ([]byte, bool) {
	value, ok := parseFloat(text, t.Bits)
	if !ok {
		return dst, false
	}
	step := float64(m.to.digits) / float64(powersOf10[m.to.scale])
	rounded := math.Round(value/step) * step
	if rounded == value || math.IsInf(rounded, 0) {
		return dst, false
	}
	return strconv.AppendFloat(dst, rounded+0, floatFormat(rounded), -1, floatBits(t.Bits)), true
}

// largestPlain is from where on PostgreSQL prints a float with an exponent.
const largestPlain = 1e15

func floatFormat(f float64) byte {
	if math.Abs(f) < largestPlain {
		return 'f'
	}
	return 'e'
}

func floatBits(bits int) int {
	if bits == 32 {
		return 32
	}
	return 64
}

// parseFloat reads a finite number, written as JSON would have it; so do both
// databases write floats.
func parseFloat(text []byte, bits int) (float64, bool) {
	s := scanner{text: text}
	if len(text) > longestFloat || !s.number() || s.pos < len(text) {
		return 0, false
	}
	value, err := strconv.ParseFloat(string(text), floatBits(bits))
	return value, err == nil
}
