package pgwire

import (
	"bytes"
	"math"

	"sqlveil/protocol"
)

const (
	microsPerSecond = 1_000_000
	secondsPerDay   = 86_400
	microsPerDay    = secondsPerDay * microsPerSecond

	// epochDays is the day from which the server counts, 2000-01-01, counted
	// from 0000-03-01 of the same calendar.
	epochDays = 730_425

	// The last years of a date and of a timestamp, and the first day of both.
	// https://www.postgresql.org/docs/current/datatype-datetime.html
	maxDateYear      = 5_874_897
	maxTimestampYear = 294_276
	minDay           = -2_451_545 // 4714-11-24 BC, where Julian days begin
)

func (f form) decodeInstant(dst []byte, in *protocol.Cursor) ([]byte, bool) {
	switch f {
	case formDate:
		return decodeDate(dst, in.Int32())
	case formTime:
		return decodeTime(dst, in.Int64())
	case formTimeTZ:
		dst, ok := decodeTime(dst, in.Int64())
		dst, okZone := decodeZone(dst, in.Int32())
		return dst, ok && okZone
	case formTimestamp, formTimestampTZ:
		return decodeTimestamp(dst, in.Int64(), f == formTimestampTZ)
	case formInterval:
		return decodeInterval(dst, in.Int64(), in.Int32(), in.Int32()), true
	default:
		return dst, false
	}
}

func (f form) encodeInstant(dst, text []byte) ([]byte, bool) {
	s := scanner{text}
	switch f {
	case formDate:
		return encodeDate(dst, &s)
	case formTime:
		micros, ok := s.time()
		return protocol.AppendUint64(dst, uint64(micros)), ok && s.done()
	case formTimeTZ:
		micros, ok := s.time()
		zone, okZone := s.zone()
		dst = protocol.AppendUint64(dst, uint64(micros))
		return protocol.AppendUint32(dst, uint32(-zone)), ok && okZone && s.done()
	case formTimestamp, formTimestampTZ:
		return encodeTimestamp(dst, &s, f == formTimestampTZ)
	case formInterval:
		return encodeInterval(dst, &s)
	default:
		return dst, false
	}
}

func decodeDate(dst []byte, days int32) ([]byte, bool) {
	switch days {
	case math.MaxInt32:
		return append(dst, "infinity"...), true
	case math.MinInt32:
		return append(dst, "-infinity"...), true
	}
	year, month, day := civil(int64(days))
	dst = appendDay(dst, year, month, day)
	return appendEra(dst, year), days >= minDay && year <= maxDateYear
}

func encodeDate(dst []byte, s *scanner) ([]byte, bool) {
	if infinite := s.infinity(); infinite != 0 {
		return protocol.AppendUint32(dst, uint32(limit(infinite, math.MinInt32, math.MaxInt32))), s.done()
	}
	year, month, day, ok := s.day()
	days, okDay := s.endDay(year, month, day, maxDateYear)
	return protocol.AppendUint32(dst, uint32(days)), ok && okDay
}

// limit returns the low or the high value that stands for an infinity.
func limit(infinite int, low, high int64) int64 {
	if infinite < 0 {
		return low
	}
	return high
}

func decodeTimestamp(dst []byte, micros int64, zoned bool) ([]byte, bool) {
	switch micros {
	case math.MaxInt64:
		return append(dst, "infinity"...), true
	case math.MinInt64:
		return append(dst, "-infinity"...), true
	}
	days, rest := floorDiv(micros, microsPerDay)
	year, month, day := civil(days)
	dst = appendDay(dst, year, month, day)
	dst = appendClock(append(dst, ' '), rest)
	if zoned {
		dst = append(dst, "+00"...)
	}
	return appendEra(dst, year), days >= minDay && year <= maxTimestampYear
}

func encodeTimestamp(dst []byte, s *scanner, zoned bool) ([]byte, bool) {
	if infinite := s.infinity(); infinite != 0 {
		return protocol.AppendUint64(dst, uint64(limit(infinite, math.MinInt64, math.MaxInt64))), s.done()
	}
	year, month, day, ok := s.day()
	var micros int64
	var zone int32
	if ok && (s.skip(' ') || s.skip('T')) && !s.at('B') {
		if micros, ok = s.time(); ok && zoned {
			zone, ok = s.zone()
		}
	}
	days, okDay := s.endDay(year, month, day, maxTimestampYear)
	micros += days*microsPerDay - int64(zone)*microsPerSecond
	return protocol.AppendUint64(dst, uint64(micros)), ok && okDay
}

func decodeTime(dst []byte, micros int64) ([]byte, bool) {
	if micros < 0 || micros > microsPerDay {
		return dst, false
	}
	return appendClock(dst, micros), true
}

// maxZone is the largest offset of a timetz, in seconds.
const maxZone = 16*3600 - 1

// decodeZone appends an offset, which the wire counts towards the west.
func decodeZone(dst []byte, west int32) ([]byte, bool) {
	if west < -maxZone || west > maxZone {
		return dst, false
	}
	sign, offset := byte('+'), -west
	if offset < 0 {
		sign, offset = '-', west
	}
	dst = append2(append(dst, sign), int64(offset/3600))
	if offset%3600 != 0 {
		dst = append2(append(dst, ':'), int64(offset/60%60))
	}
	if offset%60 != 0 {
		dst = append2(append(dst, ':'), int64(offset%60))
	}
	return dst, true
}

// floorDiv divides towards minus infinity, so that the rest is never negative.
func floorDiv(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient, rest = quotient-1, rest+b
	}
	return quotient, rest
}

// A year of the calendar is taken to begin in March, so that the leap day is its
// last; 400 of them are always as long.
const (
	daysPer400Years = 146_097
	daysPer100Years = 36_524
	daysPer4Years   = 1461
)

// civil returns the date of a day counted from 2000-01-01. Year 0 is 1 BC.
func civil(days int64) (year, month, day int64) {
	era, n := floorDiv(days+epochDays, daysPer400Years)
	y := (n - n/(daysPer4Years-1) + n/daysPer100Years - n/(daysPer400Years-1)) / 365
	n -= 365*y + y/4 - y/100
	m := (5*n + 2) / 153 // months from March have 153 days in five
	day = n - (153*m+2)/5 + 1
	year = 400*era + y
	if m >= 10 {
		return year + 1, m - 9, day
	}
	return year, m + 3, day
}

// daysOf is the inverse of civil.
func daysOf(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era, y := floorDiv(year, 400)
	n := 365*y + y/4 - y/100 + (153*(month-3)+2)/5 + day - 1
	return era*daysPer400Years + n - epochDays
}

// appendDay appends a date; the year of one before Christ is counted from there.
func appendDay(dst []byte, year, month, day int64) []byte {
	if year <= 0 {
		year = 1 - year
	}
	if year < 10_000 {
		dst = append4(dst, int(year))
	} else {
		dst = appendInt(dst, year)
	}
	dst = append2(append(dst, '-'), month)
	return append2(append(dst, '-'), day)
}

func appendEra(dst []byte, year int64) []byte {
	if year <= 0 {
		return append(dst, " BC"...)
	}
	return dst
}

// appendClock appends a time of day, without zeros behind its last digit.
func appendClock(dst []byte, micros int64) []byte {
	seconds, fraction := micros/microsPerSecond, micros%microsPerSecond
	dst = append2(dst, seconds/3600)
	dst = append2(append(dst, ':'), seconds/60%60)
	dst = append2(append(dst, ':'), seconds%60)
	if fraction == 0 {
		return dst
	}
	dst = append2(append(dst, '.'), fraction/10_000)
	dst = append4(dst, int(fraction%10_000))
	return bytes.TrimRight(dst, "0")
}

// append2 appends n with at least two digits.
func append2(dst []byte, n int64) []byte {
	if n > 99 {
		return appendInt(dst, n)
	}
	return append(dst, '0'+byte(n/10), '0'+byte(n%10))
}
