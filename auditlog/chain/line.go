package chain

import (
	"bytes"
	"encoding/hex"
	"errors"
	"time"
)

// ErrNotRecord says that a line is not one that this program writes.
var ErrNotRecord = errors.New("not a record")

// A Line is what the chain needs to know of a line. Its slices alias the line.
type Line struct {
	Seq  uint64
	Time []byte // as it stands
	Kind []byte
	Prev Digest
	MAC  MAC
}

// Parse reads a line, without its line end. It relies on the fixed order of
// the members and on nothing in between, so it costs little and cannot be
// misled by what a caller may put into a string.
func Parse(line []byte) (Line, error) {
	var l Line
	rest, ok := bytes.CutPrefix(line, []byte(`{"v":1,"seq":`))
	if !ok || len(line) < tailLength {
		return l, ErrNotRecord
	}
	if l.Seq, rest, ok = number(rest); !ok {
		return l, ErrNotRecord
	}
	for _, name := range []string{"ts", "node", "boot", "kind"} {
		var value []byte
		if value, rest, ok = member(rest, name); !ok {
			return l, ErrNotRecord
		}
		switch name {
		case "ts":
			l.Time = value
		case "kind":
			l.Kind = value
		}
	}
	return l, l.tail(line[len(line)-tailLength:])
}

// When returns the time of the record.
func (l *Line) When() (time.Time, error) {
	return time.Parse(time.RFC3339Nano, string(l.Time))
}

func (l *Line) tail(tail []byte) error {
	prev := tail[len(beforePrev):][:2*len(Digest{})]
	mac := tail[len(tail)-len(lineEnd)-2*len(MAC{}):][:2*len(MAC{})]
	good := bytes.HasPrefix(tail, []byte(beforePrev)) &&
		bytes.HasSuffix(tail, []byte(lineEnd)) &&
		string(tail[len(beforePrev)+len(prev):][:len(beforeMAC)]) == beforeMAC &&
		lowerHex(prev) && lowerHex(mac)
	if !good {
		return ErrNotRecord
	}
	if _, err := hex.Decode(l.Prev[:], prev); err != nil {
		return ErrNotRecord
	}
	if _, err := hex.Decode(l.MAC[:], mac); err != nil {
		return ErrNotRecord
	}
	return nil
}

// lowerHex keeps a line from having two spellings.
func lowerHex(s []byte) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func number(s []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(s) && i < 19 && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + uint64(s[i]-'0')
	}
	return n, s[i:], i > 0 && s[0] != '0'
}

// member reads `,"name":"value"`, the value being a JSON string.
func member(s []byte, name string) (value, rest []byte, ok bool) {
	prefix := len(`,"`) + len(name) + len(`":"`)
	if len(s) < prefix || s[0] != ',' || s[1] != '"' || string(s[2:2+len(name)]) != name || string(s[prefix-3:prefix]) != `":"` {
		return nil, nil, false
	}
	for i := prefix; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[prefix:i], s[i+1:], true
		}
	}
	return nil, nil, false
}
