package pgwire

import (
	"math"

	"sqlveil/protocol"
)

// decodeInterval appends an interval as IntervalStyle postgres prints it.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/datetime.c (EncodeInterval)
func decodeInterval(dst []byte, micros int64, days, months int32) []byte {
	switch {
	case micros == math.MaxInt64 && days == math.MaxInt32 && months == math.MaxInt32:
		return append(dst, "infinity"...)
	case micros == math.MinInt64 && days == math.MinInt32 && months == math.MinInt32:
		return append(dst, "-infinity"...)
	}
	p := intervalPrinter{dst: dst, start: len(dst)}
	p.part(int64(months/12), "year")
	p.part(int64(months%12), "mon")
	p.part(int64(days), "day")
	if len(p.dst) == p.start || micros != 0 {
		p.clock(micros)
	}
	return p.dst
}

// intervalPrinter appends the parts of an interval that are not zero.
type intervalPrinter struct {
	dst   []byte
	start int
	minus bool // the part before was negative, so a positive one needs its sign
}

func (p *intervalPrinter) sign(negative bool) {
	if len(p.dst) > p.start {
		p.dst = append(p.dst, ' ')
	}
	switch {
	case negative:
		p.dst = append(p.dst, '-')
	case p.minus:
		p.dst = append(p.dst, '+')
	}
	p.minus = negative
}

func (p *intervalPrinter) part(n int64, unit string) {
	if n == 0 {
		return
	}
	p.sign(n < 0)
	p.dst = append(appendInt(p.dst, max(n, -n)), ' ')
	p.dst = append(p.dst, unit...)
	if n != 1 {
		p.dst = append(p.dst, 's')
	}
}

func (p *intervalPrinter) clock(micros int64) {
	p.sign(micros < 0)
	if micros == math.MinInt64 { // has no positive counterpart
		p.dst = append(p.dst, "2562047788:00:54.775808"...)
		return
	}
	p.dst = appendClock(p.dst, max(micros, -micros))
}

// maxIntervalHours is one more than an interval surely holds.
const maxIntervalHours = math.MaxInt64 / (3600 * microsPerSecond)

// encodeInterval reads what decodeInterval prints.
func encodeInterval(dst []byte, s *scanner) ([]byte, bool) {
	var micros, days, months int64
	if infinite := s.infinity(); infinite != 0 {
		micros = limit(infinite, math.MinInt64, math.MaxInt64)
		days = limit(infinite, math.MinInt32, math.MaxInt32)
		months = days
		return appendInterval(dst, micros, days, months), s.done()
	}
	for more := true; more; more = s.skip(' ') {
		negative := s.sign()
		n, ok := s.number(10)
		if !ok {
			return dst, false
		}
		if s.at(':') && n < maxIntervalHours {
			micros, ok = s.clock(n)
			if negative {
				micros = -micros
			}
			return appendInterval(dst, micros, days, months), ok && s.done()
		}
		if negative {
			n = -n
		}
		switch s.unit() {
		case "year":
			months += 12 * n
		case "mon":
			months += n
		case "day":
			days += n
		default:
			return dst, false
		}
	}
	if !s.done() || !fitsInt32(days) || !fitsInt32(months) {
		return dst, false
	}
	return appendInterval(dst, micros, days, months), true
}

func fitsInt32(n int64) bool { return n >= math.MinInt32 && n <= math.MaxInt32 }

func appendInterval(dst []byte, micros, days, months int64) []byte {
	dst = protocol.AppendUint64(dst, uint64(micros))
	dst = protocol.AppendUint32(dst, uint32(int32(days)))
	return protocol.AppendUint32(dst, uint32(int32(months)))
}
