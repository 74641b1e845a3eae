package masking

// A Spec is a policy as the policy file holds it, before anything is checked.
// The json tags are the keys of the file.
type Spec struct {
	Version     int                   `json:"version"`
	Levels      []string              `json:"levels"` // in ascending order of sensitivity
	Classes     map[string]ClassSpec  `json:"classes"`
	Columns     map[string]ColumnSpec `json:"columns"` // by pattern
	Roles       map[string]RoleSpec   `json:"roles"`
	Callers     []CallerSpec          `json:"callers"`      // the first that matches counts
	DefaultRole string                `json:"default_role"` // "" refuses a caller that nothing matches
	Unlabelled  string                `json:"unlabelled"`   // "visible" or "masked"
	Functions   FunctionsSpec         `json:"functions"`
}

// A ClassSpec describes one kind of data.
type ClassSpec struct {
	Level   string   `json:"level"`
	Mask    MaskSpec `json:"mask"`
	Use     string   `json:"use"`     // deny (also when empty), equality, masked or raw
	Subject bool     `json:"subject"` // the value identifies a person in the audit log
}

// A MaskSpec is a mask's name and its options: exactly one entry.
type MaskSpec map[string]map[string]any

// A ColumnSpec is what a column carries: a class, or JSON paths with classes.
type ColumnSpec struct {
	Class string            `json:"class,omitempty"`
	JSON  map[string]string `json:"json,omitempty"`
}

// A RoleSpec says what a role may see.
type RoleSpec struct {
	Clearance string              `json:"clearance"` // the highest level it sees in clear
	Unmask    []string            `json:"unmask"`    // classes above that it sees in clear all the same
	Masks     map[string]MaskSpec `json:"masks"`     // other masks than the classes' own
}

// A CallerSpec gives a role to the callers that match every field given. In
// the first four a * stands for any run of characters.
type CallerSpec struct {
	User        string   `json:"user"`
	Database    string   `json:"database"`
	Application string   `json:"application"`
	Certificate string   `json:"certificate"` // the name in a verified client certificate
	Network     []string `json:"network"`     // addresses and CIDR blocks, any of which must hold the caller's
	Role        string   `json:"role"`
}

// A FunctionsSpec lists user-written functions.
type FunctionsSpec struct {
	Trusted []string `json:"trusted"` // schema.function, known to release nothing
}

// A Problem is something wrong with a Spec, or, as a Warning, something risky.
type Problem struct {
	Path    []string // keys and indexes from the root: "classes", "email", "mask"
	Message string
	Warning bool
}
