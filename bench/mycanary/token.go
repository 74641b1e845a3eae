package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"sqlveil/protocol"
)

// A token is what one protected cell holds and nothing else does.
type token struct {
	sql    string   // as a statement writes it
	pieces [][]byte // as a client might receive it, each long enough to be no chance
}

// pieceSize is how many bytes of a token are too many.
const pieceSize = 6

// letters are rare in SQL and in English; with the digits between them they are
// neither hexadecimal nor base64 of anything else.
const (
	letters = "jkqvwxz"
	digits  = "79"
)

func word(r *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = letters[r.IntN(len(letters))]
		if i%3 == 2 {
			out[i] = digits[r.IntN(len(digits))]
		}
	}
	return out
}

// number has no long run of a digit, as fractions have.
func number(r *rand.Rand, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = digits[r.IntN(len(digits))]
		if i >= 3 && out[i] == out[i-1] && out[i] == out[i-2] && out[i] == out[i-3] {
			out[i] ^= digits[0] ^ digits[1]
		}
	}
	return string(out)
}

func windows(text []byte, size int) [][]byte {
	var out [][]byte
	for i := 0; i+size <= len(text); i++ {
		out = append(out, text[i:i+size])
	}
	return out
}

// textToken is a word: in either case, backwards, in hexadecimal, in base64.
func textToken(r *rand.Rand, around string) token {
	w := word(r, 12)
	back := slices.Clone(w)
	slices.Reverse(back)
	t := token{sql: "'" + fmt.Sprintf(around, w) + "'"}
	for _, spelling := range [][]byte{w, bytes.ToUpper(w), back} {
		t.pieces = append(t.pieces, windows(spelling, pieceSize)...)
	}
	for _, spelling := range [][]byte{w, bytes.ToUpper(w)} {
		encoded := hex.AppendEncode(nil, spelling)
		t.pieces = append(t.pieces, windows(encoded, 2*pieceSize)...)
		t.pieces = append(t.pieces, windows(bytes.ToUpper(encoded), 2*pieceSize)...)
	}
	for skip := range 3 {
		encoded := base64.StdEncoding.AppendEncode(nil, w[skip:skip+(len(w)-skip)/3*3])
		for i := 0; i+8 <= len(encoded); i += 4 {
			t.pieces = append(t.pieces, encoded[i:i+8])
		}
	}
	return t
}

// wholeToken is a number of some digits, found by its text and its binary form.
func wholeToken(r *rand.Rand, n int) token {
	text := "1" + number(r, n-1)
	value := int64(0)
	for _, d := range text {
		value = value*10 + int64(d-'0')
	}
	t := token{sql: text, pieces: windows([]byte(text), 8)}
	if n > 9 {
		t.pieces = append(t.pieces, protocol.AppendUint64LE(nil, uint64(value)))
	}
	return t
}

func decimalToken(r *rand.Rand) token {
	text := number(r, 12)
	return token{sql: text + "." + number(r, 2), pieces: windows([]byte(text), 8)}
}

func floatToken(r *rand.Rand) token {
	text := number(r, 9)
	value := 0.0
	for _, d := range text {
		value = value*10 + float64(d-'0')
	}
	return token{sql: text + ".5", pieces: append(windows([]byte(text), 8), protocol.AppendUint64LE(nil, math.Float64bits(value+0.5)))}
}

// dayToken is a day far from any that masks and functions make.
func dayToken(r *rand.Rand, clock string) token {
	day := time.Date(3100+r.IntN(5800), time.Month(10+r.IntN(3)), 2+r.IntN(26), 0, 0, 0, 0, time.UTC)
	year, month, date := day.Date()
	size := byte(4)
	if clock != "" {
		size = 7
	}
	binary := append(protocol.AppendUint16LE([]byte{size}, uint16(year)), byte(month), byte(date))
	return token{
		sql:    "'" + day.Format(time.DateOnly) + clock + "'",
		pieces: [][]byte{[]byte(day.Format(time.DateOnly)), []byte(day.Format("20060102")), binary},
	}
}

// A sighting finds tokens in what a client received.
type sighting struct {
	sizes  map[int]map[string]string // by size: the piece to whose it is
	starts [1 << 16]bool             // the first two bytes of every piece
}

func newSighting() *sighting { return &sighting{sizes: map[int]map[string]string{}} }

// add makes a token found; of says whose it is.
func (s *sighting) add(of string, t token) {
	for _, p := range t.pieces {
		if s.sizes[len(p)] == nil {
			s.sizes[len(p)] = map[string]string{}
		}
		s.sizes[len(p)][string(p)] = of
		s.starts[int(p[0])<<8|int(p[1])] = true
	}
}

// repeats says whether a piece is of the statement itself. One that begins or ends
// with a length, which may look like a digit, is of it without that.
func repeats(statement, piece []byte) bool {
	n := len(piece)
	return bytes.Contains(statement, piece[1:]) || bytes.Contains(statement, piece[:n-1])
}

// find returns the first token of which a piece is in data and not in the
// statement: what a client sent, an error or a column's name may repeat.
func (s *sighting) find(data, statement []byte) (of string, found bool) {
	for i := 0; i+pieceSize < len(data); i++ {
		if !s.starts[int(data[i])<<8|int(data[i+1])] {
			continue
		}
		for size, pieces := range s.sizes {
			if i+size > len(data) {
				continue
			}
			piece := data[i : i+size]
			if of, ok := pieces[string(piece)]; ok && !repeats(bytes.ToLower(statement), bytes.ToLower(piece)) {
				return fmt.Sprintf("%s: %q in %q", of, piece, data[max(0, i-20):min(len(data), i+size+20)]), true
			}
		}
	}
	return "", false
}
