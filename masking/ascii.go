package masking

// What is asked of each byte of a text is asked of eight at once here: a byte that
// fails leaves the high bit of its place in a word set. The arithmetic carries from
// one byte into the next only behind a byte that has failed.

// ones is a word of eight ones; times a byte, of eight such bytes.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// notPlain marks NUL and what is not ASCII.
func notPlain(w uint64) uint64 { return (w | (w - ones)) & highs }

// notGraphic marks what is no visible character of ASCII: blanks and controls too.
func notGraphic(w uint64) uint64 { return (w | (w - '!'*ones) | (w + ones)) & highs }

// notLetter marks what is no letter of ASCII.
func notLetter(w uint64) uint64 {
	low := (w | 0x20*ones) &^ highs // in lower case
	return (^(low + (0x80-'a')*ones) | (low + (0x7f-'z')*ones) | w) & highs
}

// notInHost marks what the names of hosts are not made of.
func notInHost(w uint64) uint64 {
	const first, last = '-', '9' // with the dot and the slash in between
	low, slash := w&^highs, w^'/'*ones
	other := ^(low + (0x80-first)*ones) | (low + (0x7f-last)*ones) | (slash-ones)&^slash
	return (notLetter(w)&other | w) & highs
}

// dots marks dots, and perhaps a slash behind one.
func dots(w uint64) uint64 {
	dot := w ^ '.'*ones
	return (dot - ones) &^ dot & highs
}

// notBlank marks what is no blank.
func notBlank(w uint64) uint64 {
	other := w ^ ' '*ones
	return ((other &^ highs) + (highs - ones) | other) & highs
}

// gathered moves the high bits of eight bytes together, the lowest first.
func gathered(marks uint64) uint64 { return marks >> 7 * 0x0102040810204080 >> 56 }

// wordsOf returns which bytes of a text are letters, a bit for each, the first
// lowest; ok is false when there are more than bits, or others than letters and
// blanks.
func wordsOf(text []byte) (letters uint64, ok bool) {
	n := len(text)
	if n < 8 || n > 64 {
		return 0, false
	}
	last := n - 8
	w := word(text[last:])
	others := notLetter(w)
	bad := others & notBlank(w)
	blanks := gathered(others) << last
	for i := 0; i < last; i += 8 {
		w := word(text[i:])
		others := notLetter(w)
		bad |= others & notBlank(w)
		blanks |= gathered(others) << i
	}
	return ^blanks << (64 - n) >> (64 - n), bad == 0
}

// isPlain reports whether text is ASCII without NUL.
func isPlain(text []byte) bool {
	if len(text) < 8 {
		return notPlain(short(text)) == 0
	}
	last := len(text) - 8
	bad := notPlain(word(text[last:]))
	for i := 0; i < last; i += 8 {
		bad |= notPlain(word(text[i:]))
	}
	return bad == 0
}

// isGraphic reports whether every byte of text is a visible character of ASCII.
func isGraphic(text []byte) bool {
	if len(text) < 8 {
		return notGraphic(short(text)) == 0
	}
	last := len(text) - 8
	bad := notGraphic(word(text[last:]))
	for i := 0; i < last; i += 8 {
		bad |= notGraphic(word(text[i:]))
	}
	return bad == 0
}

// isHost reports whether text is a host name of two labels or more in ASCII.
func isHost(text []byte) bool {
	if len(text) == 0 || text[0] == '.' || text[len(text)-1] == '.' {
		return false
	}
	if len(text) < 8 {
		w := short(text)
		between := dots(w)
		return between != 0 && notInHost(w)|between&(between<<8) == 0
	}
	last := len(text) - 8
	w := word(text[last:])
	between := dots(w)
	bad := notInHost(w) | between&(between<<8)
	for i := 0; i < last; i += 7 { // so that a word has every two bytes that are neighbours
		w := word(text[i:])
		more := dots(w)
		bad |= notInHost(w) | more&(more<<8)
		between |= more
	}
	return bad == 0 && between != 0
}

// word is the first eight bytes of text, which has as many, the first lowest.
func word(text []byte) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// short is a text of less than eight bytes in a word, the first lowest, with letters
// behind the last.
func short(text []byte) uint64 {
	w := uint64('a' * ones)
	for i := len(text) - 1; i >= 0; i-- {
		w = w<<8 | uint64(text[i])
	}
	return w
}
