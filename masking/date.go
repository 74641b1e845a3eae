package masking

import "bytes"

// A date mask keeps the period that a date or time lies in, written as the
// first moment of it: 1990-05-17 becomes 1990-01-01. What already is the first
// moment is withheld, because it would be returned as it is.
type date struct{ to period }

// period is how much of a date remains.
type period uint8

const (
	year period = iota
	quarter
	month
	day
	hour
)

var periodNames = [...]string{year: "year", quarter: "quarter", month: "month", day: "day", hour: "hour"}

func newDate(o *options) Mask {
	word := o.word("to", periodNames[:]...)
	for p, name := range periodNames {
		if name == word {
			return date{to: period(p)}
		}
	}
	return Redact
}

func (date) Name() string { return "date" }

func (m date) Append(dst, text []byte, t Type) ([]byte, bool) {
	switch t.Kind {
	case KindTime, KindTimeTZ:
		if c, ok := parseClock(text); ok && m.to == hour {
			return c.appendHour(dst), true
		}
	case KindDate, KindTimestamp, KindTimestampTZ, KindText:
		if at, ok := parseMoment(bytes.TrimSpace(text)); ok {
			return m.appendStart(dst, at), true
		}
	}
	return Neutral(dst, t)
}

// A wholeDate is a date mask for dates, with a time or without.
type wholeDate struct {
	date
	timed bool
}

func (m date) shortcut(t Type) shortcut {
	switch t.Kind {
	case KindDate, KindTimestamp, KindTimestampTZ:
		return &wholeDate{date: m, timed: t.Kind != KindDate}
	}
	return nil
}

// try implements [shortcut]. The first moment of a period that exists does so too.
func (m *wholeDate) try(dst, text []byte) ([]byte, bool) {
	at, ok := parseMoment(text)
	if !ok || (at.separator != 0) != m.timed {
		return dst, false
	}
	start := len(dst)
	dst = m.appendStart(dst, at)
	return dst, !bytes.Equal(dst[start:], text)
}

// appendStart appends the first moment of the period that at lies in, in the
// form that at has: with a time and a zone or without.
func (m date) appendStart(dst []byte, at moment) []byte {
	mm, dd := at.month, at.day
	switch m.to {
	case year:
		mm, dd = 1, 1
	case quarter:
		mm, dd = (mm-1)/3*3+1, 1
	case month:
		dd = 1
	}
	dst = append(dst, at.year...)
	dst = appendTwo(append(dst, '-'), mm)
	dst = appendTwo(append(dst, '-'), dd)
	if at.separator != 0 {
		dst = append(dst, at.separator)
		if m.to != hour {
			at.clock.hour = 0
		}
		dst = at.clock.appendHour(dst)
	}
	if at.before {
		dst = append(dst, beforeChrist...)
	}
	return dst
}

func appendTwo(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}

// A moment is a date, with a time of the day or without, in ISO 8601 form as
// both databases print it. Years are kept as text; PostgreSQL's have up to seven
// digits and end in " BC" before Christ.
type moment struct {
	year       []byte
	month, day int
	separator  byte // before the time, 0 without one
	clock      clock
	before     bool
}

const beforeChrist = " BC"

// parseMoment reads the whole of text; ok is false when any of it is something
// else (infinity, other date styles, MySQL's zero dates).
func parseMoment(text []byte) (at moment, ok bool) {
	text, at.before = bytes.CutSuffix(text, []byte(beforeChrist))
	dash := bytes.IndexByte(text, '-')
	if dash < 4 || dash > 7 || len(text) < dash+6 || text[dash+3] != '-' {
		return at, false
	}
	at.year = text[:dash]
	var months, days bool
	at.month, months = twoDigits(text[dash+1:])
	at.day, days = twoDigits(text[dash+4:])
	if !allDigits(at.year) || !months || !days || !at.exists() {
		return at, false
	}
	rest := text[dash+6:]
	if len(rest) == 0 {
		return at, true
	}
	if at.separator = rest[0]; at.separator != ' ' && at.separator != 'T' {
		return at, false
	}
	at.clock, ok = parseClock(rest[1:])
	return at, ok
}

// exists reports whether the calendar has the day.
func (at moment) exists() bool {
	n := 0
	for _, c := range at.year {
		n = n*10 + int(c-'0')
	}
	if n == 0 || at.month < 1 || at.month > 12 || at.day < 1 {
		return false
	}
	if at.before {
		n = 1 - n // 1 BC is the astronomers' year 0, a leap year
	}
	return at.day <= daysIn(at.month, n)
}

func daysIn(month, year int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// A clock is a time of the day; zone is what follows it ("+08", "+05:30", "Z").
type clock struct {
	hour int
	zone []byte
}

// parseClock reads 12:34:56.789+08, seconds, fraction and zone being optional.
func parseClock(text []byte) (c clock, ok bool) {
	const shape = "00:00"
	if len(text) < len(shape) || text[2] != ':' {
		return c, false
	}
	hours, hoursOK := twoDigits(text)
	minutes, minutesOK := twoDigits(text[3:])
	if !hoursOK || !minutesOK || hours > 24 || minutes > 59 {
		return c, false
	}
	rest := text[len(shape):]
	if len(rest) > 0 && rest[0] == ':' {
		if seconds, secondsOK := twoDigits(rest[1:]); !secondsOK || seconds > 60 {
			return c, false
		}
		rest = rest[3:]
		if len(rest) > 0 && rest[0] == '.' {
			rest = bytes.TrimLeft(rest[1:], "0123456789")
		}
	}
	return clock{hour: hours, zone: rest}, isZone(rest)
}

// isZone reports whether text is a distance from UTC, in PostgreSQL's forms
// (+08, +05:30, and +08:05:43 for the times before zones), or nothing.
func isZone(text []byte) bool {
	if len(text) == 0 || string(text) == "Z" {
		return true
	}
	if text[0] != '+' && text[0] != '-' {
		return false
	}
	for fields := 1; fields <= 3; fields++ {
		if _, ok := twoDigits(text[1:]); !ok {
			return false
		}
		if text = text[3:]; len(text) == 0 {
			return true
		}
		if text[0] != ':' {
			return false
		}
	}
	return false
}

func (c clock) appendHour(dst []byte) []byte {
	dst = appendTwo(dst, c.hour)
	dst = append(dst, ":00:00"...)
	return append(dst, c.zone...)
}

// twoDigits reads the number that the first two bytes of text are.
func twoDigits(text []byte) (int, bool) {
	if len(text) < 2 || !isDigit(text[0]) || !isDigit(text[1]) {
		return 0, false
	}
	return int(text[0]-'0')*10 + int(text[1]-'0'), true
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if !isDigit(c) {
			return false
		}
	}
	return len(text) > 0
}
