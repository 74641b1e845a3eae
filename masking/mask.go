package masking

// A Mask replaces a value by one that may be seen.
type Mask interface {
	// Name is the mask's name in the policy file.
	Name() string
	// Append appends the masked form of text, a value of type t as the
	// database prints it; ok is false when the value becomes NULL.
	Append(dst, text []byte, t Type) (out []byte, ok bool)
}
