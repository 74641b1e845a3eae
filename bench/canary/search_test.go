package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Every token is found in every spelling, and in nothing that is none.
func TestSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	for kind, make := range makers {
		token := make(r)
		s := newSearch()
		s.add(kind, token)
		found := func(what string, data []byte) {
			if len(s.find(append(append([]byte("some \x00 text"), data...), " and more"...), false)) == 0 {
				t.Errorf("%s: %s is not found in %q", kind, what, data)
			}
		}
		for _, text := range token.texts {
			found("a token", []byte(text))
			found("a token in capitals", []byte(strings.ToUpper(text)))
			found("a token backwards", backwards([]byte(text)))
			found("a token in hexadecimal", hex.AppendEncode(nil, []byte(text)))
			for skip := range 3 {
				found("a token in base64", []byte(base64.StdEncoding.EncodeToString([]byte("xyz"[:skip]+text))))
			}
			if strings.ContainsAny(text, rareLetters) {
				found("a piece", []byte(text[2:2+pieceSize]))
				if spelled := strings.Join(strings.Split(text, ""), "\x00, "); len(s.find(withoutSeparators([]byte(spelled)), true)) == 0 {
					t.Errorf("%s: %q is not found", kind, spelled)
				}
			}
		}
		for _, binary := range token.binary {
			found("a token in binary", binary)
		}
		if !token.day.IsZero() {
			found("a day", []byte(token.day.Format(time.DateOnly)))
			found("a day", []byte(token.day.Format("02.01.2006")))
		}
		if token.clock != "" {
			found("a time", []byte(token.clock))
		}
		for _, nothing := range []string{"2026-11-23 14:43:49.797979+00", "[redacted]", "1.99999999999999999999", "00000000-0000-0000-0000-000000000000", "7779-01-01", `\x7779`} {
			if hits := s.find([]byte(nothing), false); len(hits) > 0 {
				t.Errorf("%s: %q is taken for %v", kind, nothing, hits)
			}
		}
	}
}

// A column of single characters, or of their codes, is read downwards.
func TestColumnsAreReadDownwards(t *testing.T) {
	s := newSearch()
	s.add("who", wordToken("qx8kz9vj8wq9"))
	a := &answer{cells: map[int][]byte{}}
	for _, c := range "qx8kz9vj8wq9" {
		a.addRow([]byte{0, 1, 0, 0, 0, 1, byte(c)})
	}
	if len(a.found(s)) == 0 {
		t.Error("characters are not found")
	}
	a = &answer{cells: map[int][]byte{}}
	for _, code := range []string{"113", "120", "56", "107", "122", "57", "118", "106"} {
		a.addRow(append([]byte{0, 1, 0, 0, 0, byte(len(code))}, code...))
	}
	if len(a.found(s)) == 0 {
		t.Error("codes are not found")
	}
}

// Whatever pieces messages come in, each is read once and all of them are passed on.
func TestRecordingReadsWholeMessages(t *testing.T) {
	stream := "\x00\x00\x00\x05aT\x00\x00\x00\x06xyZ\x00\x00\x00\x05I"
	for size := 1; size <= len(stream); size++ {
		var read []string
		var out bytes.Buffer
		s := new(recording)
		s.pass(&pieces{stream, size}, &out, func(letter byte, message []byte) { read = append(read, string(message)) }, true)
		if got := strings.Join(read, "|"); got != "T\x00\x00\x00\x06xy|Z\x00\x00\x00\x05I" || out.String() != stream {
			t.Errorf("in pieces of %d: read %q, passed on %q", size, got, out.String())
		}
	}
}
