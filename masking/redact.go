package masking

// Redact replaces every value by the neutral value of its type.
var Redact Mask = redact{}

// Withheld is Redact for what is made of a protected value: of such an array not
// even the length is shown.
var Withheld Mask = redact{whole: true}

type redact struct{ whole bool }

func (redact) Name() string                                { return "redact" }
func (redact) Append(dst, _ []byte, t Type) ([]byte, bool) { return Neutral(dst, t) }

// A constant is what redact makes of every value of a type.
type constant struct{ text []byte }

func (redact) shortcut(t Type) shortcut {
	text, ok := Neutral(nil, t)
	if !ok {
		return nil
	}
	return &constant{text: text}
}

// try implements [shortcut].
func (m *constant) try(dst, _ []byte) ([]byte, bool) { return append(dst, m.text...), true }

// neutralTexts are the words that stand for a withheld text, longest first; the
// first that the column can hold is used.
var neutralTexts = [...]string{"[redacted]", "***", "*"}

// neutralBytes is an empty bytea in PostgreSQL's hexadecimal form.
const neutralBytes = `\x`

// neutrals are the neutral values of the types whose values all have one shape,
// as PostgreSQL prints them.
var neutrals = [...]string{
	KindInteger:     "0",
	KindFloat:       "0",
	KindBool:        "f",
	KindDate:        "1970-01-01",
	KindTime:        "00:00:00",
	KindTimeTZ:      "00:00:00+00",
	KindTimestamp:   "1970-01-01 00:00:00",
	KindTimestampTZ: "1970-01-01 00:00:00+00",
	KindInterval:    "00:00:00",
	KindUUID:        "00000000-0000-0000-0000-000000000000",
	KindInet:        "0.0.0.0",
	KindMAC:         "00:00:00:00:00:00",
	KindJSON:        "{}",
	KindBytes:       neutralBytes,
}

// Neutral appends the value of type t that says nothing: one constant for each
// type, so that it is the same whatever it stands for. ok is false when the type
// has none.
func Neutral(dst []byte, t Type) (out []byte, ok bool) {
	switch {
	case t.Kind == KindText:
		return appendNeutralText(dst, t)
	case t.Kind == KindNumeric:
		return appendZero(dst, t), true
	case t.Kind == KindBytes && t.Length > 0 && t.Length < len(neutralBytes):
		return dst, false
	case int(t.Kind) < len(neutrals) && neutrals[t.Kind] != "":
		return append(dst, neutrals[t.Kind]...), true
	}
	return dst, false
}

func appendNeutralText(dst []byte, t Type) ([]byte, bool) {
	for _, text := range neutralTexts {
		if t.Length <= 0 || len(text) <= t.Length {
			return append(dst, text...), true
		}
	}
	return dst, false
}

// appendZero appends zero with the type's scale, as both databases print it; a
// scale out of the ordinary (PostgreSQL's go to 16383) is left out.
func appendZero(dst []byte, t Type) []byte {
	dst = append(dst, '0')
	if t.Precision == 0 || t.Scale <= 0 || t.Scale > mostDigits {
		return dst
	}
	dst = append(dst, '.')
	for range t.Scale {
		dst = append(dst, '0')
	}
	return dst
}
