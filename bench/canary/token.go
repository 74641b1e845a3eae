package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"sqlveil/protocol"
)

// A token is a value that nothing but one protected cell holds.
type token struct {
	literal string    // as SQL writes it
	texts   []string  // how it may look where values are text
	binary  [][]byte  // and where they are binary
	day     time.Time // the day that it is, or is on; mostly none
	clock   string    // the time of day or the interval that it is; mostly none
}

func newToken(literal string, texts []string, binary [][]byte) token {
	return token{literal: literal, texts: texts, binary: binary}
}

// Tokens are written with few characters, so that a piece of one cannot be
// anything else by chance: words of letters that are rare in English, hardly
// more so in SQL, and absent from hexadecimal, a digit among them that base32
// lacks; numbers of sevens and nines.
const (
	rareLetters = "jkqvwxz"
	rareDigits  = "89"
)

// word is a token of n letters and digits.
func word(r *rand.Rand, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = rareLetters[r.IntN(len(rareLetters))]
		if i%3 == 2 {
			out[i] = rareDigits[r.IntN(len(rareDigits))]
		}
	}
	return string(out)
}

// digits is a token of n sevens and nines, never three of one in a row as a
// fraction may have.
func digits(r *rand.Rand, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = "79"[r.IntN(2)]
		if i > 1 && out[i-1] == out[i-2] {
			out[i] = '7' + '9' - out[i-1]
		}
	}
	return string(out)
}

// makers make a token for a column of a type.
var makers = map[string]func(*rand.Rand) token{
	"text":        func(r *rand.Rand) token { return wordToken(word(r, 14)) },
	"handle":      func(r *rand.Rand) token { return wordToken(word(r, 14)) },
	"varchar(60)": func(r *rand.Rand) token { return mailToken(word(r, 12)) },
	"char(18)":    func(r *rand.Rand) token { return wordToken(word(r, 18)) },
	"varchar(20)": func(r *rand.Rand) token { return wordToken(digits(r, 14)) },
	"int":         func(r *rand.Rand) token { return integerToken("1"+digits(r, 9), 4) },
	"bigint":      func(r *rand.Rand) token { return integerToken(digits(r, 15), 8) },
	"numeric(18,2)": func(r *rand.Rand) token {
		return numericToken(digits(r, 12), digits(r, 2))
	},
	"float8":      func(r *rand.Rand) token { return floatToken(digits(r, 9), digits(r, 4)) },
	"date":        dateToken,
	"time":        timeToken,
	"timestamp":   func(r *rand.Rand) token { return momentToken(r, "") },
	"timestamptz": func(r *rand.Rand) token { return momentToken(r, "+00") },
	"interval":    intervalToken,
	"uuid":        uuidToken,
	"inet":        func(r *rand.Rand) token { return networkToken(r, "") },
	"cidr":        func(r *rand.Rand) token { return networkToken(r, "/128") },
	"macaddr":     macToken,
	"bytea":       byteaToken,
	"jsonb":       documentToken,
	"json":        documentToken,
	"xml":         xmlToken,
	"text[]":      textsToken,
	"int[]":       intsToken,
	"int8range":   rangeToken,
	"address":     rowToken,
	"tsvector":    vectorToken,
}

// tokenOf makes a token for a column.
func tokenOf(r *rand.Rand, c column) token { return makers[c.sql](r) }

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func wordToken(w string) token { return newToken(quote(w), []string{w}, nil) }

func mailToken(w string) token { return newToken(quote(w+"@example.com"), []string{w}, nil) }

// integerToken is a whole number of size bytes.
func integerToken(text string, size int) token {
	return newToken(text, []string{text}, [][]byte{sized(size, number(text))})
}

func number(digits string) int64 {
	n := int64(0)
	for _, d := range digits {
		n = n*10 + int64(d-'0')
	}
	return n
}

// sized is a whole number as a cell, an element or a field has it: behind its length.
func sized(size int, n int64) []byte {
	out := protocol.AppendUint32(nil, uint32(size))
	if size == 4 {
		return protocol.AppendUint32(out, uint32(n))
	}
	return protocol.AppendUint64(out, uint64(n))
}

// numericToken is a number with two places behind the point. Its binary form is
// a run of digits to base 10000, aligned at the point.
func numericToken(whole, fraction string) token {
	var groups []byte
	padded := whole + fraction + "00"
	for i := 0; i < len(padded); i += 4 {
		groups = protocol.AppendUint16(groups, uint16(number(padded[i:i+4])))
	}
	return newToken(whole+"."+fraction, []string{whole}, [][]byte{groups})
}

func floatToken(whole, fraction string) token {
	f := float64(number(whole)) + float64(number(fraction))/1e4
	return newToken(whole+"."+fraction, []string{whole}, [][]byte{sized(8, int64(math.Float64bits(f)))})
}

// epoch is where PostgreSQL counts from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// farDay is a day that no calendar of ours speaks of, and that no date mask
// gives: it is late in the year, and not the first of the month.
func farDay(r *rand.Rand) time.Time {
	return time.Date(3100+r.IntN(5800), time.Month(10+r.IntN(3)), 2+r.IntN(26), 0, 0, 0, 0, time.UTC)
}

func dateToken(r *rand.Rand) token {
	day := farDay(r)
	return token{literal: quote(day.Format(time.DateOnly)), binary: [][]byte{sized(4, (day.Unix()-epoch.Unix())/86400)}, day: day}
}

func timeToken(r *rand.Rand) token {
	t := time.Date(2000, 1, 1, 10+r.IntN(14), r.IntN(60), r.IntN(60), 0, time.UTC)
	fraction := digits(r, 6)
	micros := (t.Unix()-epoch.Unix())*1e6 + number(fraction)
	text := t.Format("15:04:05.") + fraction
	return token{literal: quote(text), binary: [][]byte{sized(8, micros)}, clock: text}
}

// momentToken is a point of time, with the zone that the session shows.
func momentToken(r *rand.Rand, zone string) token {
	t := farDay(r).Add(time.Duration(3600+r.IntN(80000)) * time.Second)
	fraction := digits(r, 6)
	micros := (t.Unix()-epoch.Unix())*1e6 + number(fraction)
	return token{literal: quote(t.Format("2006-01-02 15:04:05.") + fraction + zone), binary: [][]byte{sized(8, micros)}, day: t}
}

func intervalToken(r *rand.Rand) token {
	hours, minutes, fraction := 7000+r.IntN(2000), 10+r.IntN(50), digits(r, 6)
	text := fmt.Sprintf("%d:%d:07.%s", hours, minutes, fraction)
	micros := (int64(hours)*3600+int64(minutes)*60+7)*1e6 + number(fraction)
	return token{literal: quote(text), binary: [][]byte{protocol.AppendUint64(protocol.AppendUint32(nil, 16), uint64(micros))}, clock: text}
}

// unhex reads digits as hexadecimal ones.
func unhex(text string) []byte {
	out, err := hex.DecodeString(text)
	if err != nil {
		panic(err) // the text is ours
	}
	return out
}

func uuidToken(r *rand.Rand) token {
	d := digits(r, 32)
	text := strings.Join([]string{d[:8], d[8:12], d[12:16], d[16:20], d[20:]}, "-")
	return newToken(quote(text), []string{text}, [][]byte{unhex(d)})
}

// networkToken is an address of IPv6, in which a cidr has a mask.
func networkToken(r *rand.Rand, suffix string) token {
	d := digits(r, 32)
	var groups []string
	for i := 0; i < len(d); i += 4 {
		groups = append(groups, d[i:i+4])
	}
	text := strings.Join(groups, ":")
	return newToken(quote(text+suffix), []string{text}, [][]byte{unhex(d)})
}

func macToken(r *rand.Rand) token {
	d := digits(r, 12)
	text := strings.Join([]string{d[:2], d[2:4], d[4:6], d[6:8], d[8:10], d[10:]}, ":")
	return newToken(quote(text), []string{text}, [][]byte{unhex(d)})
}

func byteaToken(r *rand.Rand) token {
	w := word(r, 14)
	return newToken(quote(`\x`+hex.EncodeToString([]byte(w))), []string{w}, nil)
}

// documentToken is a document with tokens as members and elements; its keys are no secret.
func documentToken(r *rand.Rand) token {
	a, b, c, n := word(r, 12), word(r, 12), word(r, 12), digits(r, 12)
	text := fmt.Sprintf(`{"phone": "%s", "mails": ["%s", {"at": "%s"}], "pay": %s}`, a, b, c, n)
	return newToken(quote(text), []string{a, b, c, n}, nil)
}

func xmlToken(r *rand.Rand) token {
	a, b := word(r, 12), word(r, 12)
	return newToken(quote(fmt.Sprintf(`<who at="%s">%s</who>`, a, b)), []string{a, b}, nil)
}

func textsToken(r *rand.Rand) token {
	a, b := word(r, 12), word(r, 12)
	return newToken(fmt.Sprintf("'{%s,%s}'", a, b), []string{a, b}, nil)
}

func intsToken(r *rand.Rand) token {
	a, b := integerToken("1"+digits(r, 9), 4), integerToken("1"+digits(r, 9), 4)
	return newToken(fmt.Sprintf("'{%s,%s}'", a.literal, b.literal), append(a.texts, b.texts...), append(a.binary, b.binary...))
}

func rangeToken(r *rand.Rand) token {
	low, high := integerToken("7"+digits(r, 14), 8), integerToken("9"+digits(r, 14), 8)
	return newToken(fmt.Sprintf("'[%s,%s)'", low.literal, high.literal), append(low.texts, high.texts...), append(low.binary, high.binary...))
}

func rowToken(r *rand.Rand) token {
	a, n := word(r, 12), integerToken("1"+digits(r, 9), 4)
	return newToken(fmt.Sprintf("ROW('%s', %s)::address", a, n.literal), append(n.texts, a), n.binary)
}

func vectorToken(r *rand.Rand) token {
	w := word(r, 14)
	return newToken(quote("'"+w+"':1"), []string{w}, nil)
}
