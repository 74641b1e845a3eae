package session

import (
	"context"
	"errors"
	"slices"

	"sqlveil/rewrite"
)

// A Prepared is a text with the plans of its statements. It is immutable but for
// what the relay keeps in Wire and the up side in told.
type Prepared struct {
	Text string
	Wire any // the relay's own

	scope *rewrite.Scope // nil: not planned, for a role that sees everything
	now   *rewrite.Scope // the session's when it was planned
	made  *reading       // what the server prepared it under; nil when that is not known, or not kept to
	plans []*rewrite.Plan
	owned bool   // plans is not shared with the planner
	text  []byte // the memory of Text, of one that is used again; see once.go

	told told // what was begun of it last

	cursor *Portal // whose query this is, when SQL declared it

	common uint64        // version of what everybody's catalog was, beneath or in scope
	taken  map[int]basis // what statements take their results from, by their index
}

// Prepare plans the statements of a text. The error is a *[Refusal] that is
// already on record, [ErrSkipped], or the end of the session. A role that sees
// everything is refused nothing.
func (s *Session) Prepare(ctx context.Context, text string) (*Prepared, error) {
	p, err := s.plan(ctx, text, nil)
	return s.complete(ctx, text, p, err)
}

// complete is the end of preparing a text, which was planned or failed to be.
func (s *Session) complete(ctx context.Context, text string, p *Prepared, err error) (*Prepared, error) {
	if err == nil {
		err = s.resolve(ctx, p, 0)
	}
	if err == nil {
		err = p.refusal()
	}
	if err == nil {
		return p, nil
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return nil, err
	}
	if !s.role.SeesAll() || p == nil {
		s.recordRefusal(text, p, refusal)
		return nil, refusal
	}
	return p, nil
}

// refusal returns why the text is refused as a whole, or nil.
func (p *Prepared) refusal() error {
	for _, plan := range p.plans {
		if plan.Refuse != nil {
			return plan.Refuse
		}
	}
	return nil
}

// plan plans a text under the scope that it will be carried out in, with the names
// and settings that the server made it under, if it has prepared it.
func (s *Session) plan(ctx context.Context, text string, made *reading) (*Prepared, error) {
	scope, err := s.scopeNow(ctx)
	if s.role.SeesAll() {
		return s.planOpen(scope, text, made), nil
	}
	if err != nil {
		return nil, err
	}
	plans, err := s.planned(ctx, scope, text, made)
	if err != nil {
		return nil, err
	}
	if s.unsettled() && s.needs(text, plans) {
		standing, err := s.settle(ctx)
		switch {
		case err != nil:
			return nil, err
		case standing == Skipping:
			return nil, ErrSkipped
		case standing == Failed && len(plans) == 1 && !plans[0].Effect.End:
			return s.withPlans(text, made, []*rewrite.Plan{doomed(plans[0])}), nil
		case standing == Ready:
			if scope, err = s.scopeNow(ctx); err != nil {
				return nil, err
			}
			if plans, err = s.planned(ctx, scope, text, made); err != nil {
				return nil, err
			}
		}
	}
	return s.withPlans(text, made, plans), nil
}

// withPlans is a text with its plans under the session's scope.
func (s *Session) withPlans(text string, made *reading, plans []*rewrite.Plan) *Prepared {
	p := &Prepared{Text: text, scope: made.over(s.scope), now: s.scope, made: made, common: s.catalog.Version(), plans: plans}
	if made == nil {
		p.made = s.reading
	}
	return p
}

// doomed is the plan of a statement that the server will refuse because the
// transaction has failed: it returns nothing.
func doomed(plan *rewrite.Plan) *rewrite.Plan {
	return &rewrite.Plan{Kind: plan.Kind, Text: plan.Text, Fingerprint: plan.Fingerprint, SQL: plan.SQL, Start: plan.Start, End: plan.End}
}

// planOpen plans for a role that sees everything: as well as can be done without
// asking, for the audit log alone.
func (s *Session) planOpen(scope *rewrite.Scope, text string, made *reading) *Prepared {
	p := &Prepared{Text: text, scope: made.over(scope), now: scope, made: made}
	if made == nil && !s.unsettled() {
		p.made = s.reading
	}
	if scope != nil && scope.Catalog != nil {
		p.plans = s.planText(p.scope, text)
		return p
	}
	p.plans = unplanned(text)
	return p
}

// unplanned stands for the plan of a text of which nothing is known.
func unplanned(text string) []*rewrite.Plan {
	return []*rewrite.Plan{{Kind: rewrite.Kind(firstKeyword(text)), Effect: rewrite.Effect{Opaque: true}}}
}

// Unplanned is what to Begin for a role that sees everything when there is no
// text, or one too long to be planned; start is how it begins.
func (s *Session) Unplanned(start string) *Prepared { return &Prepared{plans: unplanned(start)} }

// CursorQuery is the query of a cursor that SQL declared, judged by the policy in
// force.
func (s *Session) CursorQuery(portal *Portal) *Prepared {
	p := s.judgedPortal(portal)
	q := &Prepared{Text: p.Text, scope: p.scope, common: p.common, plans: []*rewrite.Plan{cursorPlan(p, portal.Index)}, owned: true, cursor: portal}
	q.take(0, basis{p, portal.Index})
	return q
}

// planned plans a text under a scope. A text that was not seen before under this
// scope, and one that names what the scope does not have, is planned under a
// catalog that was compared with the server for the purpose.
func (s *Session) planned(ctx context.Context, scope *rewrite.Scope, text string, made *reading) ([]*rewrite.Plan, error) {
	plans, ok := s.options.Planner.Cached(*made.over(scope), text)
	if ok && !namesUnknown(plans) {
		return plans, nil
	}
	s.aside() // the server is asked, and planning takes a while
	fresh, err := s.options.Catalogs.Fresh(ctx, s.caller.Database)
	if err != nil {
		return nil, s.noCatalog(err)
	}
	now := s.scopeWith(fresh)
	if ok && now == scope {
		return plans, nil
	}
	return s.planText(made.over(now), text), nil
}

// planText calls the planner. A fault in it refuses the statement and leaves the
// session alone; who sees everything is not refused and goes on.
func (s *Session) planText(scope *rewrite.Scope, text string) (plans []*rewrite.Plan) {
	defer func() {
		if p := recover(); p != nil {
			s.fault(p)
			plans = unplanned(text)
			plans[0].Refuse = &Refusal{Code: rewrite.CodeUnsupported, Message: "the statement cannot be resolved"}
		}
	}()
	return s.options.Planner.Plan(*scope, text)
}

// namesUnknown says whether a statement was refused because it names something
// that is not in the catalog.
func namesUnknown(plans []*rewrite.Plan) bool {
	for _, plan := range plans {
		if plan.Refuse != nil && plan.Refuse.Code == rewrite.CodeUnknownName {
			return true
		}
	}
	return false
}

// needs says whether any of the statements depends on what names mean. So does
// the start of a transaction: what has to be asked is better asked before, since
// it would take the transaction's snapshot. And a text that other settings would make
// another one of has to be read under those of now.
func (s *Session) needs(text string, plans []*rewrite.Plan) bool {
	sure := plain(text)
	for _, plan := range plans {
		if !plan.Effect.Anywhere && (!sure || readsNames(plan) || plan.Effect.Begin) {
			return true
		}
	}
	return false
}

func readsNames(plan *rewrite.Plan) bool {
	return plan.Effect.ReadsPath || plan.Rows || plan.Refuse != nil || len(plan.Uses) > 0 || len(plan.Objects) > 0
}

// Renew returns p planned under the scope of now: p itself where nothing has
// changed. PostgreSQL analyses a prepared statement again, too, when the search
// path or a table has changed; MySQL when a table has, in the database of before.
// Errors are as for Prepare.
func (s *Session) Renew(ctx context.Context, p *Prepared) (*Prepared, error) {
	takes := slices.ContainsFunc(p.plans, takesOver)
	if s.role.SeesAll() && s.options.Policy() == s.policy && p.plans != nil && !takes {
		return p, nil
	}
	scope, err := s.scopeNow(ctx)
	if err == nil && scope == p.now && !takes && !s.unsettled() {
		return p, nil
	}
	q, err := s.replan(ctx, p)
	return s.complete(ctx, p.Text, q, err)
}

// takesOver says whether a statement returns what a name stands for when it is
// carried out: EXECUTE and FETCH.
func takesOver(plan *rewrite.Plan) bool { return plan.Effect.Execute != "" || plan.Effect.Fetch != "" }

// Rejudge returns p judged by the policy in force: p itself where that has not
// changed. What its names mean has been decided before, but for those of an EXECUTE
// or FETCH: it is refused where they stand for something else by now.
func (s *Session) Rejudge(ctx context.Context, p *Prepared) (*Prepared, error) {
	if s.Masked() && slices.ContainsFunc(p.plans, takesOver) {
		return s.retaken(ctx, p)
	}
	now := s.options.Policy()
	if p.scope == nil || p.scope.Policy == now {
		return p, nil
	}
	if now != s.policy && !s.matchRole(now) {
		refusal := roleRefusal()
		s.recordRefusal(p.Text, nil, refusal)
		return nil, refusal
	}
	renewed := s.rejudged(p)
	if err := renewed.refusal(); err != nil && !s.role.SeesAll() {
		s.recordRefusal(p.Text, renewed, err.(*Refusal))
		return nil, err
	}
	return renewed, nil
}

// retaken plans p again with what its names stand for now.
func (s *Session) retaken(ctx context.Context, p *Prepared) (*Prepared, error) {
	renewed, err := s.Renew(ctx, p)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(p.plans, renewed.plans, sameRelease) {
		refusal := changedRefusal()
		s.recordRefusal(p.Text, renewed, refusal)
		return nil, refusal
	}
	return renewed, nil
}

// rejudged plans p again with the names as they were and the policy of now. It
// is refused where the server was sent something else than the new policy wants,
// and so is what a FETCH or an EXECUTE took over from elsewhere, being unknown here.
func (s *Session) rejudged(p *Prepared) *Prepared {
	if p.cursor != nil {
		return s.CursorQuery(p.cursor)
	}
	scope := *p.scope
	scope.Policy, scope.Role = s.policy, s.role
	q := &Prepared{Text: p.Text, scope: &scope, made: p.made, common: p.common, plans: slices.Clone(s.planText(&scope, p.Text)), owned: true}
	same := len(q.plans) == len(p.plans) && q.SQL() == p.SQL()
	for i, plan := range q.plans {
		taken := plan.Effect.Fetch != "" || plan.Effect.Execute != ""
		if !same || taken && !s.role.SeesAll() {
			q.plans[i] = refused(plan, changedRefusal())
		}
	}
	return q
}
