package pgwire

import "bytes"

// A scanner reads the text of dates, times and intervals.
type scanner struct{ rest []byte }

func (s *scanner) done() bool { return len(s.rest) == 0 }

// at says whether b comes next.
func (s *scanner) at(b byte) bool { return len(s.rest) > 0 && s.rest[0] == b }

// skip reads b if it comes next.
func (s *scanner) skip(b byte) bool {
	if !s.at(b) {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// word reads w if it comes next.
func (s *scanner) word(w string) bool {
	if len(s.rest) < len(w) || string(s.rest[:len(w)]) != w {
		return false
	}
	s.rest = s.rest[len(w):]
	return true
}

// sign reads a sign and says whether it is a minus.
func (s *scanner) sign() bool {
	if s.skip('-') {
		return true
	}
	s.skip('+')
	return false
}

// infinity returns 1 or -1 when an infinity comes next, else 0.
func (s *scanner) infinity() int {
	switch {
	case s.word("infinity"):
		return 1
	case s.word("-infinity"):
		return -1
	default:
		return 0
	}
}

// number reads one digit or more, up to most.
func (s *scanner) number(most int) (int64, bool) {
	var n int64
	i := 0
	for i < len(s.rest) && s.rest[i] >= '0' && s.rest[i] <= '9' {
		if i == most {
			return 0, false
		}
		n = 10*n + int64(s.rest[i]-'0')
		i++
	}
	s.rest = s.rest[i:]
	return n, i > 0
}

// day reads a date, without its era.
func (s *scanner) day() (year, month, day int64, ok bool) {
	year, ok = s.number(7)
	ok = ok && s.skip('-')
	if ok {
		month, ok = s.number(2)
		ok = ok && s.skip('-')
	}
	if ok {
		day, ok = s.number(2)
	}
	ok = ok && year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31
	return year, month, day, ok
}

// endDay reads what may stand behind a date, which must be the end, and returns
// the number of the day, if there is such a day.
func (s *scanner) endDay(year, month, day, maxYear int64) (int64, bool) {
	if s.word(" BC") || s.word("BC") {
		year = 1 - year
	}
	if !s.done() || year > maxYear {
		return 0, false
	}
	days := daysOf(year, month, day)
	_, _, same := civil(days)
	return days, same == day && days >= minDay // and February has no 30th
}

// time reads a time of day.
func (s *scanner) time() (micros int64, ok bool) {
	hours, ok := s.number(2)
	if !ok {
		return 0, false
	}
	micros, ok = s.clock(hours)
	return micros, ok && micros <= microsPerDay
}

// clock reads ":MM:SS" and a fraction behind hours.
func (s *scanner) clock(hours int64) (micros int64, ok bool) {
	if !s.skip(':') {
		return 0, false
	}
	minutes, ok := s.number(2)
	if !ok || minutes > 59 || !s.skip(':') {
		return 0, false
	}
	seconds, ok := s.number(2)
	if !ok || seconds > 59 {
		return 0, false
	}
	fraction, ok := s.fraction()
	return ((hours*60+minutes)*60+seconds)*microsPerSecond + fraction, ok
}

// fraction reads a point and up to six digits, if they come next.
func (s *scanner) fraction() (micros int64, ok bool) {
	if !s.skip('.') {
		return 0, true
	}
	before := len(s.rest)
	micros, ok = s.number(6)
	for range 6 - (before - len(s.rest)) {
		micros *= 10
	}
	return micros, ok
}

// zone reads an offset from UTC, in seconds towards the east.
func (s *scanner) zone() (int32, bool) {
	if s.skip('Z') {
		return 0, true
	}
	if !s.at('+') && !s.at('-') {
		return 0, false
	}
	negative := s.sign()
	seconds, ok := s.number(2)
	seconds *= 3600
	for scale := int64(60); ok && scale > 0 && s.skip(':'); scale /= 60 {
		var n int64
		n, ok = s.number(2)
		seconds += n * scale
	}
	if negative {
		seconds = -seconds
	}
	return int32(seconds), ok && seconds >= -maxZone && seconds <= maxZone
}

// unit reads the unit behind a number of an interval and returns its singular.
func (s *scanner) unit() string {
	s.skip(' ')
	end := bytes.IndexByte(s.rest, ' ')
	if end < 0 {
		end = len(s.rest)
	}
	word := string(s.rest[:end])
	s.rest = s.rest[end:]
	switch word {
	case "year", "years":
		return "year"
	case "mon", "mons", "month", "months":
		return "mon"
	case "day", "days":
		return "day"
	default:
		return ""
	}
}
