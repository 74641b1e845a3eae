package session

import (
	"context"
	"slices"

	"sqlveil/rewrite"
)

// deepestExecute bounds prepared statements that execute prepared statements.
const deepestExecute = 4

// resolve completes the plans of statements that speak of what earlier
// statements made: FETCH returns the columns of a cursor, EXECUTE runs a
// prepared statement. What an earlier statement of the same text does to names the
// dialect has seen to; but a prepared statement is planned here, under the names
// as they are now, and so refused behind a statement that changes them. What an
// EXECUTE changes the dialect could not see: all that is behind it is refused.
func (s *Session) resolve(ctx context.Context, p *Prepared, depth int) error {
	var earlier []Change // what the statements before make of names
	moved, unforeseen := false, false
	for i := range p.plans {
		plan := p.plans[i]
		executes := plan.Effect.Execute != ""
		if unforeseen || moved && executes {
			s.set(p, i, refused(plan, unpredictedRefusal()))
			continue
		}
		resolved, from, err := s.resolveOne(ctx, plan, earlier, depth)
		if err != nil {
			return err
		}
		if from != nil {
			p.take(i, *from)
		}
		if resolved != plan {
			s.set(p, i, resolved)
			plan = resolved
		}
		moved = moved || s.movesNow(&plan.Effect)
		unforeseen = executes && moved
		if c, ok := renames(p, i); ok && len(p.plans) > 1 {
			earlier = append(earlier, c)
		}
	}
	return nil
}

// movesNow says whether a statement makes the meaning of names in the rest of
// its text uncertain.
func (s *Session) movesNow(e *rewrite.Effect) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.moves(e)
}

// set replaces one plan; the slice is shared with the planner until then.
func (s *Session) set(p *Prepared, i int, plan *rewrite.Plan) {
	if !p.owned {
		p.plans, p.owned = slices.Clone(p.plans), true
	}
	p.plans[i] = plan
}

// resolveOne completes one plan, and tells where it took the result from.
func (s *Session) resolveOne(ctx context.Context, plan *rewrite.Plan, earlier []Change, depth int) (*rewrite.Plan, *basis, error) {
	switch e := &plan.Effect; {
	case e.Fetch != "" && plan.Rows:
		return s.resolveFetch(ctx, plan, earlier)
	case e.Execute != "":
		return s.resolveExecute(ctx, plan, earlier, depth)
	}
	return plan, nil, nil
}

// resolveFetch gives a FETCH the columns of its cursor.
func (s *Session) resolveFetch(ctx context.Context, plan *rewrite.Plan, earlier []Change) (*rewrite.Plan, *basis, error) {
	c, known, err := s.lookUp(ctx, PortalName, plan.Effect.Fetch, earlier)
	if err != nil {
		return nil, nil, err
	}
	if !known {
		return refused(plan, cursorRefusal(plan.Effect.Fetch)), nil, nil
	}
	query := basis{s.judgedPortal(c.Portal), c.Portal.Index}
	return merged(plan, cursorPlan(query.prepared, query.index)), &query, nil
}

// judgedPortal is what a portal was made of, judged by the policy in force.
func (s *Session) judgedPortal(portal *Portal) *Prepared {
	p := portal.Prepared
	if p.scope != nil && p.scope.Policy != s.policy {
		return s.rejudged(p)
	}
	return p
}

// cursorPlan is the plan of the query of a cursor that the statement with this
// index made.
func cursorPlan(p *Prepared, i int) *rewrite.Plan {
	if i >= len(p.plans) {
		return doomed(&rewrite.Plan{})
	}
	if plan := p.plans[i].Effect.Cursor; plan != nil {
		return plan
	}
	return p.plans[i]
}

// resolveExecute gives an EXECUTE what its statement returns, reads and does.
func (s *Session) resolveExecute(ctx context.Context, plan *rewrite.Plan, earlier []Change, depth int) (*rewrite.Plan, *basis, error) {
	c, known, err := s.lookUp(ctx, StatementName, plan.Effect.Execute, earlier)
	if err != nil {
		return nil, nil, err
	}
	if !known {
		return refused(plan, preparedRefusal(plan.Effect.Execute)), nil, nil
	}
	if depth == deepestExecute {
		return refused(plan, unpredictedRefusal()), nil, nil
	}
	inner, err := s.replan(ctx, c.Statement)
	if err == nil {
		err = s.resolve(ctx, inner, depth+1)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(inner.plans) != 1 {
		return plan, nil, nil // an empty statement does nothing
	}
	out := executed(plan, inner.plans[0])
	if inner.SQL() != inner.Text && out.Refuse == nil {
		out.Refuse = changedRefusal() // the server has prepared the text as it is
	}
	return out, &basis{inner, 0}, nil
}

// executed is the plan of an EXECUTE of the statement with the plan inner.
func executed(plan, inner *rewrite.Plan) *rewrite.Plan {
	out := merged(plan, inner)
	out.Uses = slices.Concat(plan.Uses, inner.Uses)
	out.Effect.Path = plan.Effect.Path || inner.Effect.Path
	out.Effect.Catalog = plan.Effect.Catalog || inner.Effect.Catalog
	out.Effect.Opaque = plan.Effect.Opaque || inner.Effect.Opaque
	out.Effect.ForgetAll = plan.Effect.ForgetAll || inner.Effect.ForgetAll
	out.Effect.Counts, out.Effect.Numbered = inner.Effect.Counts, inner.Effect.Numbered
	out.Effect.Temporary = inner.Effect.Temporary
	out.Effect.ReadsPath = true
	switch {
	case inner.Refuse != nil:
		out.Refuse = inner.Refuse
	case plan.Effect.Into && inner.Masked:
		out.Refuse = &Refusal{
			Code: rewrite.CodeMoves, Message: "the result of this prepared statement may not be copied to a table",
			Hint: "It has protected columns.",
		}
	case plan.Effect.Explain && inner.Touches:
		out.Refuse = &Refusal{
			Code: rewrite.CodeKind, Message: "EXPLAIN EXECUTE of a statement over protected columns is not for roles with masks",
		}
	}
	if plan.Effect.Into || plan.Effect.Explain {
		out.Outputs, out.Results, out.Masked, out.Rows, out.Routines = plan.Outputs, plan.Results, plan.Masked, plan.Rows, plan.Routines
	}
	return out
}

// merged is plan with the result of another one.
func merged(plan, from *rewrite.Plan) *rewrite.Plan {
	out := *plan
	out.Outputs, out.Results, out.Rows, out.Masked, out.Routines = from.Outputs, from.Results, from.Rows, from.Masked, from.Routines
	out.Touches = plan.Touches || from.Touches
	out.Objects = slices.Concat(plan.Objects, from.Objects)
	return &out
}

func refused(plan *rewrite.Plan, why *Refusal) *rewrite.Plan {
	out := *plan
	out.Refuse = why
	return &out
}

// lookUp returns what a name stands for after the earlier statements of the text.
func (s *Session) lookUp(ctx context.Context, kind NameKind, name string, earlier []Change) (Change, bool, error) {
	for i := len(earlier) - 1; i >= 0; i-- {
		if c := earlier[i]; c.Kind == kind && (c.All || c.Name == name) {
			return c, c.Statement != nil || c.Portal != nil, nil
		}
	}
	c, lookup := s.named(kind, name)
	if lookup == Unclear && !s.role.SeesAll() {
		standing, err := s.wire.Drain(ctx)
		if err != nil {
			return c, false, err
		}
		if standing == Skipping {
			return c, false, ErrSkipped
		}
		c, lookup = s.named(kind, name)
	}
	return c, lookup == Known, nil
}

func (s *Session) named(kind NameKind, name string) (Change, Lookup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, lookup := Change{Kind: kind, Name: name}, Unknown
	if kind == StatementName {
		c.Statement, lookup = s.names.statement([]byte(name))
	} else {
		c.Portal, lookup = s.portalLocked([]byte(name))
	}
	return c, lookup
}
