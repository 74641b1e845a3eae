package masking

// Use is what may be done with a protected column anywhere but in the output.
type Use uint8

const (
	UseDeny     Use = iota // nothing
	UseEquality            // comparing it with a constant, a parameter, or a column of the same class
	UseMasked              // anything, on the masked value
	UseRaw                 // anything
)

var useNames = [...]string{UseDeny: "deny", UseEquality: "equality", UseMasked: "masked", UseRaw: "raw"}

// String returns the word of the policy file.
func (u Use) String() string {
	if int(u) < len(useNames) {
		return useNames[u]
	}
	return "unknown"
}

// A Class is a kind of data: how sensitive it is, how it is masked, and what
// else may be done with it.
type Class struct {
	Name      string
	LevelName string
	Level     int // the place of LevelName among the policy's levels, from 0
	Use       Use
	Subject   bool // the value identifies a person in the audit log

	index int  // in the policy's classes
	mask  Mask // for roles that have no other
}

// The classes that every policy has, on its highest level.
const (
	systemClass     = "system"
	unlabelledClass = "unlabelled"
)
