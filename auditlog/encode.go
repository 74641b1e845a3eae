package auditlog

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of one record, so that no statement makes a line that nobody can
// read. What is over is cut, and the record says how much.
const (
	maxText    = 64 << 10 // bytes of Statement.Text
	maxString  = 4 << 10  // bytes of any other string
	maxObjects = 1000
	maxMasks   = 2000
	maxKeys    = 200
	maxSealed  = 512 << 10
)

// AppendJSON appends e as one JSON object, without a line end and without what
// only a [Log] can add: its number, its node and its place in the chain.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"v":1,"ts":"`...)
	dst = appendTime(dst, e.Time)
	dst = append(dst, `",`...)
	return append(appendBody(dst, e), '}')
}

// appendBody appends the members that a session supplies, from "kind" on.
func appendBody(dst []byte, e *Event) []byte {
	dst = append(dst, `"kind":`...)
	dst = appendString(dst, string(e.Kind), maxString)
	dst = appendUint(dst, `,"ref":`, e.Ref)
	if e.Origin != nil {
		dst = append(dst, e.Origin...)
	} else {
		dst = AppendOrigin(dst, e)
	}
	dst = appendStatement(dst, &e.Statement)
	dst = appendObjects(dst, e.Objects)
	dst = appendDecision(dst, &e.Decision)
	dst = appendResult(dst, &e.Result)
	dst = appendSubjects(dst, &e.Subjects)
	dst = appendGap(dst, &e.Gap)
	return appendDetail(dst, e.Detail)
}

// AppendOrigin appends what says where an event comes from, for Event.Origin.
func AppendOrigin(dst []byte, e *Event) []byte {
	dst = appendSession(dst, &e.Session)
	dst = appendWho(dst, &e.Who)
	dst = appendWhy(dst, &e.Why)
	return appendDatabase(dst, &e.Database)
}

func appendSession(dst []byte, s *Session) []byte {
	dst, start := open(dst, `,"sess":{`)
	dst = appendMember(dst, start, `"id":`, s.ID)
	dst = appendMember(dst, start, `"listener":`, s.Listener)
	dst = appendMember(dst, start, `"proto":`, s.Protocol)
	dst = appendMember(dst, start, `"tls":`, s.TLS)
	dst = appendMember(dst, start, `"client":`, s.Client)
	dst = appendMember(dst, start, `"app":`, s.Application)
	dst = appendMember(dst, start, `"cert":`, s.Certificate)
	return shut(dst, start, `,"sess":{`)
}

func appendWho(dst []byte, w *Who) []byte {
	dst, start := open(dst, `,"who":{`)
	dst = appendMember(dst, start, `"login":`, w.Login)
	dst = appendMember(dst, start, `"role":`, w.Role)
	dst = appendMember(dst, start, `"person":`, w.Person)
	dst = appendTrue(dst, start, `"verified":true`, w.Verified)
	return shut(dst, start, `,"who":{`)
}

func appendWhy(dst []byte, w *Why) []byte {
	dst, start := open(dst, `,"why":{`)
	dst = appendMember(dst, start, `"purpose":`, w.Purpose)
	dst = appendMember(dst, start, `"ticket":`, w.Ticket)
	return shut(dst, start, `,"why":{`)
}

func appendDatabase(dst []byte, d *Database) []byte {
	dst, start := open(dst, `,"db":{`)
	dst = appendMember(dst, start, `"server":`, d.Server)
	dst = appendMember(dst, start, `"engine":`, d.Engine)
	dst = appendMember(dst, start, `"database":`, d.Name)
	return shut(dst, start, `,"db":{`)
}

func appendStatement(dst []byte, s *Statement) []byte {
	dst, start := open(dst, `,"stmt":{`)
	dst = appendNumber(dst, start, `"id":`, int64(s.ID))
	dst = appendNumber(dst, start, `"sub":`, int64(s.Sub))
	if len(s.Known) > 0 {
		dst = append(comma(dst, start), s.Known...)
	} else {
		dst = appendKnown(dst, start, s)
	}
	if n := len(s.Sealed); n > 0 && n <= maxSealed {
		dst = append(comma(dst, start), `"sealed":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, s.Sealed)
		dst = append(dst, '"')
	}
	return shut(dst, start, `,"stmt":{`)
}

// AppendKnown appends what all executions of a statement have in common, for
// Statement.Known.
func AppendKnown(dst []byte, s *Statement) []byte { return appendKnown(dst, len(dst), s) }

func appendKnown(dst []byte, start int, s *Statement) []byte {
	dst = appendMember(dst, start, `"protocol":`, s.Protocol)
	dst = appendMember(dst, start, `"command":`, s.Command)
	dst = appendMember(dst, start, `"class":`, s.Class)
	dst = appendMember(dst, start, `"fp":`, s.Fingerprint)
	if s.Text != "" {
		dst = append(comma(dst, start), `"text":`...)
		dst = appendString(dst, s.Text, maxText)
	}
	dst = appendNumber(dst, start, `"cut":`, int64(max(0, len(s.Text)-maxText)))
	dst = appendNumber(dst, start, `"len":`, int64(s.Length))
	return appendMember(dst, start, `"hash":`, s.Hash)
}

func appendObjects(dst []byte, objects []Object) []byte {
	if len(objects) == 0 {
		return dst
	}
	dst = append(dst, `,"obj":[`...)
	for i := range objects[:min(len(objects), maxObjects)] {
		o := &objects[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		start := len(dst)
		dst = appendMember(dst, start, `"column":`, o.Column)
		dst = appendMember(dst, start, `"class":`, o.Class)
		dst = appendMember(dst, start, `"level":`, o.Level)
		dst = appendMember(dst, start, `"in":`, o.In)
		dst = appendMember(dst, start, `"released":`, o.Released)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	return appendUint(dst, `,"obj_more":`, uint64(max(0, len(objects)-maxObjects)))
}

func appendDecision(dst []byte, d *Decision) []byte {
	dst, start := open(dst, `,"decision":{`)
	dst = appendMember(dst, start, `"verdict":`, d.Verdict)
	dst = appendMember(dst, start, `"code":`, d.Code)
	dst = appendMember(dst, start, `"reason":`, d.Reason)
	dst = appendMember(dst, start, `"policy":`, d.Policy)
	if len(d.Masks) > 0 {
		dst = append(comma(dst, start), `"masks":[`...)
		for i := range d.Masks[:min(len(d.Masks), maxMasks)] {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"col":`...)
			dst = appendString(dst, d.Masks[i].Column, maxString)
			dst = append(dst, `,"mask":`...)
			dst = appendString(dst, d.Masks[i].Mask, maxString)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	return shut(dst, start, `,"decision":{`)
}

func appendResult(dst []byte, r *Result) []byte {
	dst, start := open(dst, `,"result":{`)
	dst = appendTrue(dst, start, `"ok":true`, r.OK)
	dst = appendMember(dst, start, `"sqlstate":`, r.SQLState)
	dst = appendMember(dst, start, `"ended":`, r.Ended)
	dst = appendNumber(dst, start, `"rows":`, r.Rows)
	dst = appendNumber(dst, start, `"bytes":`, r.Bytes)
	dst = appendNumber(dst, start, `"us":`, r.Micros)
	dst = appendNumber(dst, start, `"masked_cells":`, r.MaskedCells)
	return shut(dst, start, `,"result":{`)
}

func appendSubjects(dst []byte, s *Subjects) []byte {
	dst, start := open(dst, `,"subj":{`)
	dst = appendNumber(dst, start, `"n":`, int64(s.Count))
	if len(s.Keys) > 0 {
		dst = append(comma(dst, start), `"keys":[`...)
		for i := range s.Keys[:min(len(s.Keys), maxKeys)] {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '"')
			dst = hex.AppendEncode(dst, s.Keys[i][:])
			dst = append(dst, '"')
		}
		dst = append(dst, ']')
	}
	dst = appendNumber(dst, start, `"more":`, int64(s.More+max(0, len(s.Keys)-maxKeys)))
	return shut(dst, start, `,"subj":{`)
}

func appendGap(dst []byte, g *Gap) []byte {
	dst, start := open(dst, `,"gap":{`)
	dst = appendNumber(dst, start, `"from":`, int64(g.From))
	dst = appendNumber(dst, start, `"to":`, int64(g.To))
	dst = appendNumber(dst, start, `"count":`, int64(g.Count))
	dst = appendMoment(dst, start, `"since":"`, g.Since)
	dst = appendMoment(dst, start, `"until":"`, g.Until)
	dst = appendMember(dst, start, `"reason":`, g.Reason)
	return shut(dst, start, `,"gap":{`)
}

func appendDetail(dst []byte, detail []Detail) []byte {
	if len(detail) == 0 {
		return dst
	}
	dst = append(dst, `,"detail":{`...)
	for i := range detail {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, detail[i].Key, maxString)
		dst = append(dst, ':')
		dst = appendString(dst, detail[i].Value, maxText)
	}
	return append(dst, '}')
}

// open begins an object; start tells shut and comma whether anything follows.
func open(dst []byte, prefix string) (out []byte, start int) {
	dst = append(dst, prefix...)
	return dst, len(dst)
}

// shut ends the object that open began, or takes it back when it is empty.
func shut(dst []byte, start int, prefix string) []byte {
	if len(dst) == start {
		return dst[:start-len(prefix)]
	}
	return append(dst, '}')
}

func comma(dst []byte, start int) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return dst
}

func appendMember(dst []byte, start int, key, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(comma(dst, start), key...)
	return appendString(dst, value, maxString)
}

func appendNumber(dst []byte, start int, key string, n int64) []byte {
	if n == 0 {
		return dst
	}
	dst = append(comma(dst, start), key...)
	return strconv.AppendInt(dst, n, 10)
}

func appendTrue(dst []byte, start int, member string, fact bool) []byte {
	if !fact {
		return dst
	}
	return append(comma(dst, start), member...)
}

func appendMoment(dst []byte, start int, key string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	dst = append(comma(dst, start), key...)
	return append(appendTime(dst, t), '"')
}

func appendUint(dst []byte, key string, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, key...), n, 10)
}

// appendTime appends RFC 3339 in UTC with all six digits of a microsecond.
func appendTime(dst []byte, t time.Time) []byte {
	return appendFraction(appendSecond(dst, t), t)
}

// appendSecond appends what a time begins with, up to its second.
func appendSecond(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	return appendDigits(append(dst, ':'), second, 2)
}

// appendFraction appends the rest of a time.
func appendFraction(dst []byte, t time.Time) []byte {
	return append(appendDigits(append(dst, '.'), t.Nanosecond()/1000, 6), 'Z')
}

// A clock appends times as appendTime does. It keeps the last one up to its second,
// which most times of a busy log share, and which takes a calendar to find.
type clock struct {
	second int64  // since 1970
	text   []byte // of it; nil before the first time
}

func (c *clock) append(dst []byte, t time.Time) []byte {
	if second := t.Unix(); second != c.second || c.text == nil {
		c.second, c.text = second, appendSecond(c.text[:0], t)
	}
	return appendFraction(append(dst, c.text...), t)
}

func appendDigits(dst []byte, n, width int) []byte {
	var digits [8]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[:width]...)
}

// plain says which bytes stand in a JSON string as they are.
var plain = func() (table [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return
}()

// plain8 is plain for eight bytes at once. The tests may take a plain byte next
// to another for one that is not, which costs time only.
func plain8(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	quote, slash := x^ones*'"', x^ones*'\\'
	special := x | (x + ones) | // 0x80 and above, 0x7f
		(x-ones*0x20)&^x | // below 0x20
		(quote-ones)&^quote | (slash-ones)&^slash
	return special&tops == 0
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Control characters and those that
// would turn the reading direction are written as \u escapes, so that neither
// a line nor a terminal can be forged; a byte that is not UTF-8 becomes the
// four characters \xNN. What is over limit is cut.
func appendString(dst []byte, s string, limit int) []byte {
	if len(s) > limit {
		s = s[:runeStart(s, limit)]
	}
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if len(s)-i >= 8 && plain8(s[i:i+8]) {
			i += 8
			continue
		}
		if plain[s[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= 0x80 && (r != utf8.RuneError || size > 1) && !unsafeRune(r) {
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = appendEscaped(dst, r, s[i], size)
		i += size
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// runeStart returns the last position up to i where a rune of s begins.
func runeStart(s string, i int) int {
	for low := max(0, i-utf8.UTFMax); i > low && !utf8.RuneStart(s[i]); i-- {
	}
	return i
}

func appendEscaped(dst []byte, r rune, b byte, size int) []byte {
	switch {
	case r == '"', r == '\\':
		return append(dst, '\\', b)
	case r == utf8.RuneError && size == 1:
		return append(dst, '\\', '\\', 'x', hexDigits[b>>4], hexDigits[b&15])
	case r > 0xffff: // a surrogate pair
		r -= 0x10000
		return appendUnit(appendUnit(dst, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	return appendUnit(dst, r)
}

func appendUnit(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// unsafeRune reports whether r is a control or an invisible format character.
// The ideographs in the middle are passed without a look at the tables.
func unsafeRune(r rune) bool {
	switch {
	case r < 0xa0:
		return true
	case r < 0x2000, r >= 0x3000 && r < 0xd800:
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
