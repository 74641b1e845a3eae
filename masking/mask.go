package masking

// A Mask replaces a value by one that may be seen. It is immutable and safe for
// concurrent use, and Append does not allocate beyond growing dst. Callers mask
// through [Apply], which holds every mask to the laws of the package.
type Mask interface {
	// Name is the mask's name in the policy file.
	Name() string
	// Append appends the masked form of text, a value of type t as the
	// database prints it; ok is false when the value becomes NULL.
	Append(dst, text []byte, t Type) (out []byte, ok bool)
}

// masks is every mask that a policy can name, by that name. A constructor takes
// its options from o and complains there about those that it cannot use.
var masks = map[string]func(o *options) Mask{
	"null":    func(*options) Mask { return Null },
	"redact":  func(*options) Mask { return Redact },
	"partial": newPartial,
	"email":   func(*options) Mask { return email{} },
	"name":    func(*options) Mask { return personName{} },
	"hmac":    newHMAC,
	"date":    newDate,
	"round":   newRound,
}

// Null makes every value NULL.
var Null Mask = null{}

type null struct{}

func (null) Name() string                                { return "null" }
func (null) Append(dst, _ []byte, _ Type) ([]byte, bool) { return dst, false }
