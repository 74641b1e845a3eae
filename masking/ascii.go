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

// isPlain reports whether text is ASCII without NUL.
func isPlain(text []byte) bool {
	for len(text) >= 8 {
		if notPlain(word(text)) != 0 {
			return false
		}
		text = text[8:]
	}
	return notPlain(few(text)) == 0
}

// isGraphic reports whether every byte of text is a visible character of ASCII.
func isGraphic(text []byte) bool {
	for len(text) >= 8 {
		if notGraphic(word(text)) != 0 {
			return false
		}
		text = text[8:]
	}
	return notGraphic(few(text)) == 0
}

// word is the first eight bytes of text, which has as many.
func word(text []byte) uint64 { return uint64(half(text)) | uint64(half(text[4:]))<<32 }

// half is the first four bytes of text, which has as many.
func half(text []byte) uint32 {
	_ = text[3]
	return uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24
}

// few is a text of less than eight bytes in a word, in no certain order, some of
// them twice, and letters where there are too few.
func few(text []byte) uint64 {
	const letters = 'a' * ones
	switch n := len(text); {
	case n >= 4:
		return uint64(half(text)) | uint64(half(text[n-4:]))<<32
	case n > 0:
		return letters&^0xffffff | uint64(text[0]) | uint64(text[n/2])<<8 | uint64(text[n-1])<<16
	}
	return letters
}
