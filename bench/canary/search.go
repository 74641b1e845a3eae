package main

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The sizes of the pieces that are searched for: six bytes of a token, and what
// six bytes become in base64 and in hexadecimal.
const (
	pieceSize  = 6
	base64Size = 8
	hexSize    = 12
)

// A search finds pieces of tokens in what a client received: as they are, in
// either case, backwards, in hexadecimal, in base64, digested, binary.
type search struct {
	pieces [hexSize + 1]map[string]string // by size: the folded piece to what it is of
	filter [1 << 16]uint64                // a bit for the hash of the first six bytes of every piece
}

// A finding is a piece of a token that was found.
type finding struct {
	What string // whose token, and in which spelling
	Text string // the piece with some of what is around it
}

func newSearch() *search {
	s := new(search)
	for _, size := range []int{pieceSize, base64Size, hexSize} {
		s.pieces[size] = make(map[string]string)
	}
	return s
}

// add makes the search find a token.
func (s *search) add(of string, t token) {
	for _, text := range t.texts {
		plain := []byte(text)
		s.addPieces(pieceSize, plain, of)
		s.addPieces(pieceSize, backwards(plain), of+" backwards")
		s.addPieces(hexSize, hex.AppendEncode(nil, plain), of+" in hexadecimal")
		s.addPieces(hexSize, hex.AppendEncode(nil, bytes.ToUpper(plain)), of+" in hexadecimal")
		s.addBase64(plain, of)
		md5Sum, shaSum := md5.Sum(plain), sha256.Sum256(plain)
		for _, sum := range [][]byte{md5Sum[:], shaSum[:]} {
			s.addPiece(sum[:hexSize], of+" digested")
			s.addPiece(hex.AppendEncode(nil, sum)[:hexSize], of+" digested")
		}
	}
	s.addDay(t.day, of)
	if t.clock != "" { // its end, with all of the fraction: the rest any clock may show
		s.addPiece([]byte(t.clock[len(t.clock)-hexSize:]), of)
	}
	for _, binary := range t.binary {
		s.addBinary(binary, of+" in binary")
	}
}

// dayLayouts are the formats that SQL has at hand for a day.
var dayLayouts = []string{"2006-01-02", "20060102", "01/02/2006", "02/01/2006", "02.01.2006", "01-02-2006", "02-01-2006", "Jan 02 2006"}

// addDay adds a day as people and clocks write it. A piece must have the whole
// year, which is what makes it a token.
func (s *search) addDay(day time.Time, of string) {
	if day.IsZero() {
		return
	}
	for _, layout := range dayLayouts {
		text := day.Format(layout)
		for i := 0; i+base64Size <= len(text); i++ {
			if piece := text[i : i+base64Size]; strings.Contains(piece, day.Format("2006")) {
				s.addPiece([]byte(piece), of)
			}
		}
	}
	const julian1970 = 2440588
	s.addPieces(base64Size, []byte(fmt.Sprint(day.Unix())), of+" in seconds")
	for _, days := range []int64{day.Unix() / 86400, day.Unix()/86400 + julian1970} {
		s.addPieces(pieceSize, []byte(fmt.Sprint(days)), of+" in days")
	}
}

// addBinary adds the binary form of a value. A number is found whole, with the
// length before it; a part of one could be anything.
func (s *search) addBinary(binary []byte, of string) {
	switch {
	case len(binary) >= hexSize && binary[0] == 0:
		s.addPiece(binary[:hexSize], of)
	case binary[0] == 0:
		s.addPiece(binary[:base64Size], of)
	default:
		s.addPieces(pieceSize, binary, of)
	}
}

// addBase64 adds what the bytes become at each place in a group of three. Only
// whole groups are the same whatever stands around them.
func (s *search) addBase64(plain []byte, of string) {
	for skip := range 3 {
		whole := plain[skip:]
		encoded := base64.StdEncoding.EncodeToString(whole[:len(whole)/3*3])
		for i := 0; i+base64Size <= len(encoded); i += 4 {
			s.addPiece([]byte(encoded[i:i+base64Size]), of+" in base64")
		}
	}
}

func (s *search) addPieces(size int, text []byte, of string) {
	for i := 0; i+size <= len(text); i++ {
		s.addPiece(text[i:i+size], of)
	}
}

func (s *search) addPiece(piece []byte, of string) {
	piece = fold(piece)
	s.pieces[len(piece)][string(piece)] = of
	h := pieceHash(piece)
	s.filter[h>>6] |= 1 << (h & 63)
}

// pieceHash is a hash of the first six bytes, of 22 bits.
func pieceHash(b []byte) uint64 {
	v := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40
	return v * 0x9e3779b97f4a7c15 >> 42
}

// find returns what is found in data, one finding for each kind. A piece that is
// digits alone counts when wordy is false, and by the rule of [wholeNumber].
func (s *search) find(data []byte, wordy bool) []finding {
	folded := fold(data)
	var found []finding
	for i := 0; i+pieceSize <= len(folded); i++ {
		if h := pieceHash(folded[i:]); s.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, size := range []int{pieceSize, base64Size, hexSize} {
			if i+size > len(folded) {
				break
			}
			of, ok := s.pieces[size][string(folded[i:i+size])]
			if !ok || allDigits(folded[i:i+size]) && (wordy || size == pieceSize && !s.wholeNumber(folded, i)) {
				continue
			}
			if !slices.ContainsFunc(found, func(f finding) bool { return f.What == of }) {
				found = append(found, finding{of, fmt.Sprintf("%q", data[max(0, i-20):min(len(data), i+40)])})
			}
		}
	}
	return found
}

// wholeNumber says whether six digits of a token at i are there for a reason:
// as part of eight that are a token's, or as all digits of a number. Fractions
// of a second have six digits too and are none.
func (s *search) wholeNumber(data []byte, i int) bool {
	from, to := i, i+pieceSize
	for to < len(data) && isDigit(data[to]) && s.pieces[pieceSize][string(data[to+1-pieceSize:to+1])] != "" {
		to++
	}
	if to-from >= base64Size {
		return true
	}
	before := from == 0 || !isWord(data[from-1]) && data[from-1] != '.'
	return before && (to == len(data) || !isWord(data[to]))
}

func isWord(b byte) bool { return isDigit(b) || 'a' <= b && b <= 'z' }

// fold makes capital letters of ASCII small; other bytes stay, whatever they mean.
func fold(data []byte) []byte {
	out := slices.Clone(data)
	for i, b := range out {
		if 'A' <= b && b <= 'Z' {
			out[i] = b + 'a' - 'A'
		}
	}
	return out
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

func backwards(text []byte) []byte {
	out := slices.Clone(text)
	slices.Reverse(out)
	return out
}
