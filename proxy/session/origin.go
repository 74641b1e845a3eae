package session

import (
	"slices"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// A namer is a catalog of a server that tells the origin of a result column by
// names, having no numbers for tables.
type namer interface {
	Origin(schema, table, column string) (rel uint32, att int16, ok bool)
}

// OriginOf is the Origin that the server tells by names; zero when the catalog
// does not have it.
func (p *Prepared) OriginOf(schema, table, column string) Origin {
	if p.scope == nil || table == "" || column == "" {
		return Origin{}
	}
	catalog, ok := p.scope.Catalog.(namer)
	if !ok {
		return Origin{}
	}
	rel, att, ok := catalog.Origin(schema, table, column)
	if !ok {
		return Origin{}
	}
	return Origin{Rel: rel, Att: att}
}

// An Identity is that of one statement as it was judged: two of the same are the
// same statement under the same policy, catalog and names.
type Identity struct {
	scope *rewrite.Scope
	plan  *rewrite.Plan
}

// Identity is that of the statement with this index; ok is false where there is no
// such statement, or it was not judged.
func (p *Prepared) Identity(i int) (id Identity, ok bool) {
	if p.scope == nil || i >= len(p.plans) {
		return Identity{}, false
	}
	return Identity{p.scope, p.plans[i]}, true
}

// Foreseen says whether the masks of a result are those that were planned. Where
// they are not, the server has been heard, which is on record each time.
func (p *Prepared) Foreseen(i int, masks []masking.Mask) bool {
	for j, o := range p.plans[i].Outputs {
		if masks == nil && o.Mask != nil || masks != nil && masks[j] != o.Mask {
			return false
		}
	}
	return true
}

// Several says whether the statement with this index may return several results:
// it calls a procedure, or executes a statement that does.
func (p *Prepared) Several(i int) bool {
	if i >= len(p.plans) {
		return false
	}
	plan := p.plans[i]
	if b := p.basis(i); b.index < len(b.prepared.plans) && b.prepared != p && b.prepared.Several(b.index) {
		return true
	}
	return plan.Kind == "CALL" || plan.Kind == "BEGIN NOT ATOMIC" || plan.Effect.Execute != "" && plan.Effect.Opaque
}

// ForResult is p as it is about a result of the statement with this index whose
// columns the server gives these names: see [rewrite.Plan.Result].
func (p *Prepared) ForResult(i int, names []string) *Prepared {
	if i >= len(p.plans) || p.plans[i].Results == nil {
		return p
	}
	plan := *p.plans[i]
	plan.Outputs, plan.Results = plan.Result(names), nil
	q := *p
	q.plans = slices.Clone(p.plans)
	q.plans[i] = &plan
	return &q
}

// How statements count rows, for relays whose protocol tells.
const (
	CountsUpsert   = rewrite.CountsUpsert
	CountsReplaced = rewrite.CountsReplaced
	CountsWithin   = rewrite.CountsWithin
)

// Counts says how the statement with this index counts the rows that it writes,
// and whether it chose itself the number of a row that it reports.
func (p *Prepared) Counts(i int) (counts rewrite.Counts, numbered bool) {
	if i >= len(p.plans) {
		return rewrite.CountsRows, false
	}
	return p.plans[i].Effect.Counts, p.plans[i].Effect.Numbered
}

// Outs is how many values the statement with this index sends back in a result of
// their own, which holds no protected data.
func (p *Prepared) Outs(i int) int {
	if i >= len(p.plans) {
		return 0
	}
	return p.plans[i].Effect.Outs
}

// Messages says whether the statement with this index shows the warnings of the one
// before.
func (p *Prepared) Messages(i int) bool { return i < len(p.plans) && p.plans[i].Effect.Messages }

// UsesTables says whether the statement with this index surely reads or writes a table,
// which is when MySQL forgets the warnings of the one before.
func (p *Prepared) UsesTables(i int) bool {
	if i >= len(p.plans) {
		return false
	}
	switch plan := p.plans[i]; firstKeyword(string(plan.Kind)) {
	case "INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CREATE", "DROP", "ALTER", "TRUNCATE":
		return true
	default:
		return slices.ContainsFunc(plan.Outputs, func(o rewrite.Output) bool { return len(o.Sources) > 0 })
	}
}

// Loads says whether the statement with this index loads data, which may be a
// file of the client's.
func (p *Prepared) Loads(i int) bool {
	return i < len(p.plans) && firstKeyword(string(p.plans[i].Kind)) == "LOAD"
}

// Keyword is the first word of the statement's kind, "" where there is none.
func (p *Prepared) Keyword(i int) string {
	if i >= len(p.plans) {
		return ""
	}
	return firstKeyword(string(p.plans[i].Kind))
}

// Reset says that the server has made the session what it was after the login. It
// is called on the down side.
func (s *Session) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names.apply(&Change{Kind: StatementName, All: true})
	s.names.apply(&Change{Kind: PortalName, All: true})
	s.state.pathDirty, s.state.catalogDirty = true, true
	s.made = nil
}

// Ambiguous refuses a text of several statements when it cannot be told which
// result belongs to which.
func Ambiguous() *Refusal {
	r := unpredictedRefusal()
	r.Message = "a procedure is called among several statements of one text"
	return r
}

// Reads says whether the statement with this index reads a column that the role
// sees masked. One that only writes such columns does not.
func (p *Prepared) Reads(i int) bool {
	if i >= len(p.plans) {
		return false
	}
	for _, o := range p.plans[i].Objects {
		if o.Released != "clear" {
			return true
		}
	}
	return p.plans[i].Masked
}
