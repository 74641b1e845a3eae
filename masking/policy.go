package masking

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// A Policy says who may see what. It is immutable and safe for concurrent use.
type Policy struct {
	version          string
	classes          []*Class
	columns          *columns
	roles            map[string]*Role
	callers          []callerRule
	defaultRole      *Role // nil: refused
	unlabelledMasked bool
	trusted          []functionName
	system           *Class
	unlabelled       *Class
}

// A functionName is a function as the catalog spells it; in MySQL the schema is
// the database.
type functionName struct{ schema, function string }

// Version identifies the policy by its content: "sha256:" and the digest of
// the Spec in a canonical form.
func (p *Policy) Version() string { return p.version }

func specVersion(spec Spec) (string, error) {
	canonical, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Label returns what the most specific rule says of a column; ok is false when
// no rule names it.
func (p *Policy) Label(c Column) (l Label, ok bool) { return p.columns.label(c) }

// Role returns the role of that name, nil when there is none.
func (p *Policy) Role(name string) *Role { return p.roles[name] }

// Match returns the role of a caller: that of the first rule that matches, or
// the default role. ok is false when the caller is to be refused.
func (p *Policy) Match(c Caller) (r *Role, ok bool) {
	for _, rule := range p.callers {
		if rule.match(c) {
			return rule.role, true
		}
	}
	return p.defaultRole, p.defaultRole != nil
}

// Trusted reports whether a user-written function is known to release nothing.
func (p *Policy) Trusted(schema, function string) bool {
	return slices.Contains(p.trusted, functionName{schema, function})
}

// UnlabelledMasked reports whether columns that no rule names are protected, as
// data of the class [Policy.Unlabelled].
func (p *Policy) UnlabelledMasked() bool { return p.unlabelledMasked }

// System returns the class of system catalogs that hold data.
func (p *Policy) System() *Class { return p.system }

// Unlabelled returns the class of columns that no rule names, for a policy in
// which these are masked.
func (p *Policy) Unlabelled() *Class { return p.unlabelled }
