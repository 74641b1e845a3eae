package masking

import "strings"

// matchGlob reports whether text matches a pattern in which * stands for any
// run of characters.
func matchGlob(pattern, text string) bool {
	first, rest, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		piece, more, found := strings.Cut(rest, "*")
		if !found {
			return strings.HasSuffix(text, piece)
		}
		at := strings.Index(text, piece)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(piece):], more
	}
}

// coversGlob reports whether pattern certainly matches whatever other matches.
// A star of the other can only be matched by a star, so taking it for a
// character that occurs nowhere else is safe.
func coversGlob(pattern, other string) bool {
	return matchGlob(pattern, strings.ReplaceAll(other, "*", "\x00"))
}
