package masking

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads one JSON text from front to back (RFC 8259). Its methods
// report false where the text is not JSON.
type scanner struct {
	text  []byte
	pos   int
	depth int
}

const (
	jsonNull   = "null"
	jsonBlanks = " \t\r\n"
	// deepestJSON bounds how deeply arrays and objects may nest.
	deepestJSON = 512
)

// isJSON reports whether text is one JSON value.
func isJSON(text []byte) bool {
	s := scanner{text: text}
	return s.skip() && s.end()
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) accept(c byte) bool {
	if s.peek() != c || s.pos >= len(s.text) {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) blanks() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) end() bool {
	s.blanks()
	return s.pos == len(s.text)
}

// skip passes over one value.
func (s *scanner) skip() bool {
	s.blanks()
	switch s.peek() {
	case '{':
		return s.object(func([]byte) bool { return s.skip() })
	case '[':
		return s.array(func(int) bool { return s.skip() })
	case '"':
		_, ok := s.str()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word(jsonNull)
	}
	return s.number()
}

// object reads an object; member reads the value of each key, which is given
// with its quotes.
func (s *scanner) object(member func(key []byte) bool) bool {
	return s.sequence('{', '}', func(int) bool {
		key, ok := s.str()
		if !ok {
			return false
		}
		s.blanks()
		return s.accept(':') && member(key)
	})
}

// array reads an array; element reads each of its values.
func (s *scanner) array(element func(index int) bool) bool {
	return s.sequence('[', ']', element)
}

// sequence reads what stands between two brackets, separated by commas.
func (s *scanner) sequence(left, right byte, item func(index int) bool) bool {
	if s.depth++; s.depth > deepestJSON || !s.accept(left) {
		return false
	}
	defer func() { s.depth-- }()
	s.blanks()
	if s.accept(right) {
		return true
	}
	for index := 0; ; index++ {
		s.blanks()
		if !item(index) {
			return false
		}
		s.blanks()
		if s.accept(right) {
			return true
		}
		if !s.accept(',') {
			return false
		}
	}
}

func (s *scanner) word(word string) bool {
	end := s.pos + len(word)
	if end > len(s.text) || string(s.text[s.pos:end]) != word {
		return false
	}
	s.pos = end
	return true
}

// str reads a string and returns it as it is written, with its quotes.
func (s *scanner) str() ([]byte, bool) {
	start := s.pos
	if !s.accept('"') {
		return nil, false
	}
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		s.pos++
		switch {
		case c == '"':
			return s.text[start:s.pos], true
		case c < ' ':
			return nil, false
		case c == '\\' && !s.escape():
			return nil, false
		}
	}
	return nil, false
}

// escape reads what follows a backslash.
func (s *scanner) escape() bool {
	c := s.peek()
	s.pos++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if !isHex(s.peek()) {
				return false
			}
			s.pos++
		}
		return true
	}
	return false
}

func (s *scanner) number() bool {
	s.accept('-')
	if !s.accept('0') && !s.digits() {
		return false
	}
	if s.accept('.') && !s.digits() {
		return false
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.pos
	for isDigit(s.peek()) {
		s.pos++
	}
	return s.pos > start
}

// appendUnquoted appends what a string literal, which the scanner has accepted,
// stands for.
func appendUnquoted(dst, literal []byte) []byte {
	text := literal[1 : len(literal)-1]
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			dst = append(dst, text[i])
			continue
		}
		i++
		if text[i] != 'u' {
			dst = append(dst, unescaped(text[i]))
			continue
		}
		r := hexRune(text[i+1:])
		i += 4
		if utf16.IsSurrogate(r) && i+6 < len(text) && text[i+1] == '\\' && text[i+2] == 'u' {
			if pair := utf16.DecodeRune(r, hexRune(text[i+3:])); pair != utf8.RuneError {
				r = pair
				i += 6
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

func hexRune(digits []byte) rune {
	var r rune
	for _, c := range digits[:4] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		default:
			r = r<<4 | rune(c|0x20-'a'+10)
		}
	}
	return r
}

// appendQuoted appends text as a JSON string.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, `\u00`...)
			if c < 0x10 {
				dst = append(dst, '0')
			}
			dst = strconv.AppendUint(dst, uint64(c), 16)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendMaskedString appends the masked form of a string literal as a JSON
// string, or null. The end of dst serves as scratch space.
func appendMaskedString(m Mask, dst, literal []byte) []byte {
	start := len(dst)
	dst = appendUnquoted(dst, literal)
	value := len(dst)
	// The capacity is cut so that the mask cannot write over its input.
	dst, ok := Apply(m, dst, dst[start:value:value], Type{Kind: KindText})
	if !ok {
		return append(dst[:start], jsonNull...)
	}
	masked := len(dst)
	dst = appendQuoted(dst, dst[value:masked:masked])
	return append(dst[:start], dst[masked:]...)
}
