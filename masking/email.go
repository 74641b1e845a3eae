package masking

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// An email mask keeps the first character and the domain: a***@example.com. The
// stars are always as many, so that they do not tell the length.
type email struct{}

// stars are what a mask of fixed width puts in place of hidden text; a column
// too narrow for all of them gets one.
const stars = "***"

func (email) Name() string { return "email" }

func (email) Append(dst, text []byte, t Type) ([]byte, bool) {
	if t.Kind != KindText || !isUTF8(text) {
		return Neutral(dst, t)
	}
	address := bytes.TrimSpace(text)
	at := bytes.LastIndexByte(address, '@')
	if at < 1 || !isMailbox(address[:at]) || !isDomain(address[at+1:]) {
		return Neutral(dst, t)
	}
	hidden := stars
	if t.Length > 0 && 1+len(stars)+utf8.RuneCount(address[at:]) > t.Length {
		hidden = stars[:1]
	}
	if utf8.RuneCount(address[:at]) > 1 {
		dst = append(dst, address[:prefixLen(address, 1)]...)
	}
	dst = append(dst, hidden...)
	return append(dst, address[at:]...), true
}

// An asciiEmail is an email mask for addresses in ASCII.
type asciiEmail struct{ length int } // of the column

func (email) shortcut(t Type) shortcut {
	if t.Kind != KindText {
		return nil
	}
	return &asciiEmail{length: t.Length}
}

// try implements [shortcut].
func (m *asciiEmail) try(dst, text []byte) ([]byte, bool) {
	at := bytes.IndexByte(text, '@')
	if at < 1 || at == 1+len(stars) && string(text[1:at]) == stars {
		return dst, false
	}
	domain := text[at:]
	if !isGraphic(text[:at]) || !isHost(domain[1:]) {
		return dst, false
	}
	if at > 1 {
		dst = append(dst, text[0], '*', '*', '*')
	} else {
		dst = append(dst, stars...)
	}
	return append(dst, domain...), fits(1+len(stars)+len(domain), m.length)
}

// isMailbox reports whether text can be the part before the @: whatever is
// written without blanks.
func isMailbox(text []byte) bool {
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if c <= ' ' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, width := utf8.DecodeRune(text[i:])
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return false
		}
		i += width
	}
	return true
}

// isDomain reports whether text is a host name of at least two labels; anything
// else behind the @ could be somebody's secret.
func isDomain(text []byte) bool {
	dots, label := 0, 0
	for _, c := range text {
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			dots, label = dots+1, 0
		case c == '-' || c >= utf8.RuneSelf || isAlphanumeric(c):
			label++
		default:
			return false
		}
	}
	return dots > 0 && label > 0
}

func isAlphanumeric(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// looksLike reports whether text can be this mask's output.
func (email) looksLike(text []byte) bool {
	at := bytes.LastIndexByte(text, '@')
	if at < 1 || !isDomain(text[at+1:]) {
		return false
	}
	local := text[:at]
	if local[0] != '*' {
		local = local[prefixLen(local, 1):]
	}
	return len(local) <= len(stars) && onlyRune(local, '*')
}
