package session

import (
	"context"
	"slices"
	"unsafe"

	"sqlveil/rewrite"
)

// mostSpareText bounds the text whose memory is kept, in bytes.
const mostSpareText = 8 << 10

// PrepareOnce is Prepare for a text that is sent at once and known by no name. What
// it returns, and its text, are good until they go to SpareText. It keeps nothing
// of text.
func (s *Session) PrepareOnce(ctx context.Context, text []byte) (*Prepared, error) {
	if p := s.known(ctx, text); p != nil {
		return p, nil
	}
	return s.Prepare(ctx, string(text))
}

// SpareText gives back what PrepareOnce returned, when its statements have ended and
// nobody looks at it any more: the next PrepareOnce makes another one of it.
func (s *Session) SpareText(p *Prepared) {
	if p.text == nil || cap(p.text) > mostSpareText {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spareText = p
}

// known prepares a text in memory of before; nil when that does not go: when it was
// not planned yet, when something has to be found out first, or when somebody may
// keep what is returned.
func (s *Session) known(ctx context.Context, text []byte) *Prepared {
	scope, err := s.scopeNow(ctx)
	if err != nil || scope.Catalog == nil {
		return nil // Prepare says why
	}
	view := unsafe.String(unsafe.SliceData(text), len(text)) // Cached keeps nothing of it
	plans, ok := s.options.Planner.Cached(*scope, view)
	if !ok || slices.ContainsFunc(plans, special) || !s.role.SeesAll() && s.unsettled() && s.needs(view, plans) {
		return nil
	}
	p := s.takeText()
	*p = Prepared{scope: scope, now: scope, plans: plans, common: s.catalog.Version(), text: append(p.text[:0], text...)}
	p.Text = unsafe.String(unsafe.SliceData(p.text), len(p.text)) // until p is used again
	return p
}

// special says whether a plan is refused, depends on earlier statements, or makes
// later ones depend on it.
func special(plan *rewrite.Plan) bool {
	e := &plan.Effect
	return plan.Refuse != nil || e.Fetch != "" || e.Execute != "" || e.Prepare != "" || e.Declare != "" || e.Forget != ""
}

func (s *Session) takeText() *Prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.spareText
	if p == nil {
		return new(Prepared)
	}
	s.spareText = nil
	return p
}
