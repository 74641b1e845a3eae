package mywire

import "sqlveil/protocol"

// instant is a date with a time, or a time alone, as fields; all zero is a value
// too ("0000-00-00").
type instant struct {
	negative                     bool
	year, month, day             int // day counts whole days of a time alone
	hour, minute, second, micros int
}

// Sizes of a packed value: fields that are zero are left out from behind.
const (
	packedDate     = 4
	packedSeconds  = 7
	packedMicros   = 11
	packedTime     = 8
	packedTimeFull = 12
)

// decodeTime appends a date, a datetime or a time.
func (c Codec) decodeTime(dst []byte, in *protocol.Cursor) ([]byte, bool) {
	if c.field == TypeTime {
		return c.decodeDuration(dst, in)
	}
	var t instant
	switch size := in.Len(); size {
	case 0, packedDate, packedSeconds, packedMicros:
		if size >= packedDate {
			t.year, t.month, t.day = int(in.Uint16LE()), int(in.Uint8()), int(in.Uint8())
		}
		if size >= packedSeconds {
			t.hour, t.minute, t.second = int(in.Uint8()), int(in.Uint8()), int(in.Uint8())
		}
		if size == packedMicros {
			t.micros = int(in.Uint32LE())
		}
	default:
		return dst, false
	}
	if t.year > 9999 || t.month > 12 || t.day > 31 || t.hour > 23 || !t.clockFits() {
		return dst, false
	}
	dst = appendPadded(dst, t.year, 4)
	dst = appendPadded(append(dst, '-'), t.month, 2)
	dst = appendPadded(append(dst, '-'), t.day, 2)
	if c.field == TypeDate {
		return dst, t.hour|t.minute|t.second|t.micros == 0
	}
	return c.appendClock(append(dst, ' '), t), true
}

func (t *instant) clockFits() bool {
	return t.minute < 60 && t.second < 60 && t.micros < 1_000_000
}

// maxHours is the most that a TIME has.
const maxHours = 838

func (c Codec) decodeDuration(dst []byte, in *protocol.Cursor) ([]byte, bool) {
	var t instant
	switch size := in.Len(); size {
	case 0, packedTime, packedTimeFull:
		if size >= packedTime {
			t.negative = in.Uint8() != 0
			t.day = int(in.Uint32LE())
			t.hour, t.minute, t.second = int(in.Uint8()), int(in.Uint8()), int(in.Uint8())
		}
		if size == packedTimeFull {
			t.micros = int(in.Uint32LE())
		}
	default:
		return dst, false
	}
	if t.day > maxHours/24 || t.hour > 23 || !t.clockFits() {
		return dst, false
	}
	t.hour += 24 * t.day
	if t.negative {
		if t.hour|t.minute|t.second|t.micros == 0 {
			return dst, false // there is no minus zero
		}
		dst = append(dst, '-')
	}
	return c.appendClock(dst, t), t.hour <= maxHours
}

// appendClock appends a time with as many digits behind the seconds as the
// column has; where that is not known, as many as it takes.
func (c Codec) appendClock(dst []byte, t instant) []byte {
	dst = appendPadded(dst, t.hour, 2)
	dst = appendPadded(append(dst, ':'), t.minute, 2)
	dst = appendPadded(append(dst, ':'), t.second, 2)
	digits := int(c.decimals)
	if digits > 6 {
		if digits = 6; t.micros == 0 {
			return dst
		}
	}
	if digits == 0 {
		return dst
	}
	dst = appendPadded(append(dst, '.'), t.micros, 6)
	return dst[:len(dst)-6+digits]
}

// appendPadded appends n with zeros in front, at least as wide.
func appendPadded(dst []byte, n, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for ; n > 0 || width > 0; width-- {
		i--
		digits[i] = '0' + byte(n%10)
		n /= 10
	}
	return append(dst, digits[i:]...)
}

// encodeTime reads what decodeTime prints.
func (c Codec) encodeTime(dst, text []byte) ([]byte, bool) {
	s := scanner{text}
	if c.field == TypeTime {
		return encodeDuration(dst, &s)
	}
	var t instant
	ok := s.date(&t)
	if ok && c.field != TypeDate && s.skip(' ') {
		ok = s.clock(&t) && t.hour < 24
	}
	if !ok || len(s.rest) > 0 {
		return dst, false
	}
	clock := t.hour | t.minute | t.second
	if t.year|t.month|t.day|clock|t.micros == 0 {
		return dst, true
	}
	dst = append(protocol.AppendUint16LE(dst, uint16(t.year)), byte(t.month), byte(t.day))
	if clock|t.micros == 0 {
		return dst, true
	}
	dst = append(dst, byte(t.hour), byte(t.minute), byte(t.second))
	if t.micros == 0 {
		return dst, true
	}
	return protocol.AppendUint32LE(dst, uint32(t.micros)), true
}

func encodeDuration(dst []byte, s *scanner) ([]byte, bool) {
	t := instant{negative: s.skip('-')}
	if !s.clock(&t) || t.hour > maxHours || len(s.rest) > 0 {
		return dst, false
	}
	if t.hour|t.minute|t.second|t.micros == 0 {
		return dst, true
	}
	sign := byte(0)
	if t.negative {
		sign = 1
	}
	dst = protocol.AppendUint32LE(append(dst, sign), uint32(t.hour/24))
	dst = append(dst, byte(t.hour%24), byte(t.minute), byte(t.second))
	if t.micros == 0 {
		return dst, true
	}
	return protocol.AppendUint32LE(dst, uint32(t.micros)), true
}

// A scanner reads the text of dates and times.
type scanner struct{ rest []byte }

// skip reads b if it comes next.
func (s *scanner) skip(b byte) bool {
	if len(s.rest) == 0 || s.rest[0] != b {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// number reads at least one digit and at most as many as most.
func (s *scanner) number(n *int, most int) bool {
	i := 0
	for ; i < len(s.rest) && i < most && s.rest[i] >= '0' && s.rest[i] <= '9'; i++ {
		*n = *n*10 + int(s.rest[i]-'0')
	}
	s.rest = s.rest[i:]
	return i > 0
}

// date reads a date; zero is a month and a day too.
func (s *scanner) date(t *instant) bool {
	return s.number(&t.year, 4) && s.skip('-') && s.number(&t.month, 2) && s.skip('-') && s.number(&t.day, 2) &&
		t.month <= 12 && t.day <= 31
}

// clock reads hours, minutes, seconds and perhaps a fraction.
func (s *scanner) clock(t *instant) bool {
	if !s.number(&t.hour, 3) || !s.skip(':') || !s.number(&t.minute, 2) || !s.skip(':') || !s.number(&t.second, 2) {
		return false
	}
	if s.skip('.') {
		before := len(s.rest)
		if !s.number(&t.micros, 6) {
			return false
		}
		for range 6 - (before - len(s.rest)) {
			t.micros *= 10
		}
	}
	return t.clockFits()
}
