package masking

import (
	"bytes"
	"math/bits"
	"slices"
	"unicode"
	"unicode/utf8"
)

// A personName mask keeps a Chinese surname (欧阳**) or initials (J*** S***). The
// stars are always as many, so that they do not tell the length.
type personName struct{}

// hanStars hide a Chinese given name.
const hanStars = "**"

// longestHan and mostWords bound what is taken for a person's name; anything
// longer is some other text.
const (
	longestHan = 6
	mostWords  = 6
)

// compoundSurnames are the Chinese surnames of more than one character.
var compoundSurnames = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range [...]string{
		"欧阳", "司马", "上官", "诸葛", "司徒", "东方", "独孤", "南宫", "慕容", "皇甫",
		"尉迟", "公孙", "长孙", "宇文", "夏侯", "令狐", "轩辕", "钟离", "闻人", "澹台",
		"端木", "申屠", "太史", "公冶", "宗政", "濮阳", "淳于", "单于", "仲孙", "呼延",
		"百里", "东郭", "西门", "拓跋", "赫连", "完颜", "纳兰", "叶赫那拉", "爱新觉罗",
		"歐陽", "司馬", "上官", "諸葛", "東方", "獨孤", "南宮", "尉遲", "公孫", "長孫",
		"軒轅", "鍾離", "聞人", "澹臺", "端木", "申屠", "濮陽", "淳于", "單于", "仲孫",
		"呼延", "東郭", "西門", "赫連", "完顏", "納蘭", "葉赫那拉", "愛新覺羅",
	} {
		m[name] = true
	}
	return m
}()

func (personName) Name() string { return "name" }

func (personName) Append(dst, text []byte, t Type) ([]byte, bool) {
	if t.Kind != KindText || !isUTF8(text) {
		return Neutral(dst, t)
	}
	name := bytes.TrimSpace(text)
	start := len(dst)
	for _, width := range [...]int{len(stars), 1} {
		out, ok := appendName(dst, name, width)
		if !ok {
			break
		}
		if t.Length <= 0 || utf8.RuneCount(out[start:]) <= t.Length {
			return out, true
		}
		dst = out[:start]
	}
	return Neutral(dst[:start], t)
}

// appendName appends the masked form of name, its stars at most width wide; ok
// is false when it does not look like a name.
func appendName(dst, name []byte, width int) (out []byte, ok bool) {
	if isASCII(name) {
		return appendWords(dst, name, width)
	}
	if first, rest, found := cutMiddleDot(name); found {
		if !allHan(first) || len(rest) == 0 {
			return dst, false
		}
		dst = append(dst, first...)
		dst = append(dst, "·"...)
		return append(dst, hanStars[:min(width, len(hanStars))]...), true
	}
	if allHan(name) {
		return appendHanName(dst, name, width)
	}
	return appendWords(dst, name, width)
}

func appendHanName(dst, name []byte, width int) ([]byte, bool) {
	n := utf8.RuneCount(name)
	if n < 2 || n > longestHan {
		return dst, false
	}
	dst = append(dst, name[:surnameLen(name, n)]...)
	return append(dst, hanStars[:min(width, len(hanStars))]...), true
}

// surnameLen is how many bytes of a name of n characters are its surname. A
// given name always remains.
func surnameLen(name []byte, n int) int {
	for _, size := range [...]int{4, 2} {
		if n > size {
			if end := prefixLen(name, size); compoundSurnames[string(name[:end])] {
				return end
			}
		}
	}
	return prefixLen(name, 1)
}

// appendWords masks a name that is written in words: the first letter of each
// is kept, unless it is the only one.
func appendWords(dst, name []byte, width int) ([]byte, bool) {
	words := 0
	for len(name) > 0 {
		end, letters, ok := scanWord(name)
		if words++; words > mostWords || !ok {
			return dst, false
		}
		if words > 1 {
			dst = append(dst, ' ')
		}
		if letters > 1 {
			dst = append(dst, name[:prefixLen(name, 1)]...)
		}
		dst = append(dst, stars[:width]...)
		name = bytes.TrimLeftFunc(name[end:], isWordBreak)
	}
	return dst, words > 0
}

// An asciiName is a name mask for names in words of ASCII letters.
type asciiName struct{ length int } // of the column

func (personName) shortcut(t Type) shortcut {
	if t.Kind != KindText {
		return nil
	}
	return &asciiName{length: t.Length}
}

// try implements [shortcut].
func (m *asciiName) try(dst, text []byte) ([]byte, bool) {
	letters, ok := wordsOf(text)
	starts := letters &^ (letters << 1)
	words := bits.OnesCount64(starts)
	if !ok || letters&1 == 0 || words > mostWords {
		return m.tryAny(dst, text)
	}
	start := len(dst)
	dst = slices.Grow(dst, mostWords*(1+len(stars)+1))
	for ; starts != 0; starts &= starts - 1 {
		first := bits.TrailingZeros64(starts)
		if letters>>first&2 != 0 {
			dst = append(dst, text[first])
		}
		dst = append(dst, stars+" "...)
	}
	dst = dst[:len(dst)-1] // without the last blank
	return dst, fits(len(dst)-start, m.length)
}

// tryAny is try for words that are longer, or have joints or commas.
func (m *asciiName) tryAny(dst, text []byte) ([]byte, bool) {
	start, words := len(dst), 0
	for i := 0; i < len(text); words++ {
		first, at := text[i], i
		for i < len(text) && nameParts[text[i]] == partLetter {
			i++
		}
		letters := i - at
		if letters > 0 && i < len(text) && nameParts[text[i]] == partJoint {
			letters, i = pastJoints(text, letters, i)
		}
		if letters == 0 || words == mostWords || i < len(text) && nameParts[text[i]] != partBreak {
			return dst, false
		}
		if letters > 1 {
			dst = append(dst, first, '*', '*', '*', ' ')
		} else {
			dst = append(dst, '*', '*', '*', ' ')
		}
		for i < len(text) && nameParts[text[i]] == partBreak {
			i++
		}
	}
	if words == 0 {
		return dst, false
	}
	dst = dst[:len(dst)-1] // without the last blank
	return dst, fits(len(dst)-start, m.length)
}

// pastJoints goes on with a word that has letters up to text[i], and returns how many
// it has in all, and where it ends.
func pastJoints(text []byte, letters, i int) (all, end int) {
	for ; i < len(text); i++ {
		switch nameParts[text[i]] {
		case partLetter:
			letters++
		case partJoint:
		default:
			return letters, i
		}
	}
	return letters, i
}

// What a byte is in a name of ASCII words.
const (
	partOther = iota
	partLetter
	partJoint // within a word
	partBreak // between words
)

var nameParts = func() (parts [256]uint8) {
	for c := range byte(utf8.RuneSelf) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			parts[c] = partLetter
		case c == '\'' || c == '-' || c == '.':
			parts[c] = partJoint
		case c == ' ' || c == ',':
			parts[c] = partBreak
		}
	}
	return parts
}()

func isWordBreak(r rune) bool { return r == ' ' || r == ',' || unicode.IsSpace(r) }

// scanWord returns where the first word of name ends and how many letters it
// has; ok is false when it does not begin with a letter, or has something in it
// that names do not have.
func scanWord(name []byte) (end, letters int, ok bool) {
	for end < len(name) {
		r, width := rune(name[end]), 1
		if r >= utf8.RuneSelf {
			r, width = utf8.DecodeRune(name[end:])
		}
		switch {
		case 'a' <= r|0x20 && r|0x20 <= 'z', r >= utf8.RuneSelf && unicode.IsLetter(r):
			letters++
		case isWordBreak(r):
			return end, letters, end > 0
		case letters == 0, r != '\'' && r != '’' && r != '-' && r != '.' && !unicode.IsMark(r):
			return end, letters, false
		}
		end += width
	}
	return end, letters, letters > 0
}

func allHan(text []byte) bool {
	return len(text) > 0 && bytes.IndexFunc(text, func(r rune) bool { return !unicode.Is(unicode.Han, r) }) < 0
}

// cutMiddleDot splits a name such as 阿卜杜拉·测试 at its first dot, in any of
// the characters that are typed for it.
func cutMiddleDot(name []byte) (first, rest []byte, found bool) {
	at := bytes.IndexFunc(name, isMiddleDot)
	if at < 0 {
		return name, nil, false
	}
	_, width := utf8.DecodeRune(name[at:])
	return name[:at], name[at+width:], true
}

func isMiddleDot(r rune) bool {
	switch r {
	case '·', '•', '‧', '・', '．':
		return true
	}
	return false
}

// looksLike reports whether text can be this mask's output: Han characters and
// stars, or words of at most one letter and stars.
func (personName) looksLike(text []byte) bool {
	kept := bytes.TrimRight(text, "*")
	hidden := len(text) - len(kept)
	if hidden == 0 || hidden > len(stars) {
		return false
	}
	if first, rest, found := cutMiddleDot(kept); found {
		return len(rest) == 0 && allHan(first)
	}
	if allHan(kept) {
		return utf8.RuneCount(kept) <= longestHan
	}
	for len(text) > 0 {
		word, rest, _ := bytes.Cut(text, []byte(" "))
		if masked := bytes.TrimRight(word, "*"); len(masked) == len(word) || utf8.RuneCount(masked) > 1 {
			return false
		}
		text = rest
	}
	return true
}
