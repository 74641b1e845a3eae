package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/rewrite"
)

// A Prepared is a text with the plans of its statements. It is immutable but for
// what the relay keeps in Wire.
type Prepared struct {
	Text string
	Wire any // the relay's own

	scope *rewrite.Scope // nil: not planned, for a role that sees everything
	plans []*rewrite.Plan
	owned bool // plans is not shared with the planner

	cursor *Portal // whose query this is, when SQL declared it
}

// Prepare plans the statements of a text. The error is a *[Refusal] that is
// already on record, [ErrSkipped], or the end of the session. A role that sees
// everything is refused nothing.
func (s *Session) Prepare(ctx context.Context, text string) (*Prepared, error) {
	p, err := s.plan(ctx, text)
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

// plan plans a text under the scope that it will be carried out in.
func (s *Session) plan(ctx context.Context, text string) (*Prepared, error) {
	scope, err := s.scopeNow(ctx)
	if s.role.SeesAll() {
		return s.planOpen(scope, text), nil
	}
	if err != nil {
		return nil, err
	}
	plans, err := s.planned(ctx, scope, text)
	if err != nil {
		return nil, err
	}
	if s.unsettled() && s.needs(plans) {
		standing, err := s.settle(ctx)
		switch {
		case err != nil:
			return nil, err
		case standing == Skipping:
			return nil, ErrSkipped
		case standing == Failed && len(plans) == 1 && !plans[0].Effect.End:
			return &Prepared{Text: text, scope: s.scope, plans: []*rewrite.Plan{doomed(plans[0])}}, nil
		case standing == Ready:
			if scope, err = s.scopeNow(ctx); err != nil {
				return nil, err
			}
			if plans, err = s.planned(ctx, scope, text); err != nil {
				return nil, err
			}
		}
	}
	return &Prepared{Text: text, scope: s.scope, plans: plans}, nil
}

// doomed is the plan of a statement that the server will refuse because the
// transaction has failed: it returns nothing.
func doomed(plan *rewrite.Plan) *rewrite.Plan {
	return &rewrite.Plan{Kind: plan.Kind, Text: plan.Text, Fingerprint: plan.Fingerprint, SQL: plan.SQL, Start: plan.Start, End: plan.End}
}

// planOpen plans for a role that sees everything: as well as can be done without
// asking, for the audit log alone.
func (s *Session) planOpen(scope *rewrite.Scope, text string) *Prepared {
	p := &Prepared{Text: text, scope: scope}
	if scope != nil && scope.Catalog != nil {
		p.plans = s.options.Planner.Plan(*scope, text)
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
	return &Prepared{Text: p.Text, scope: p.scope, plans: []*rewrite.Plan{cursorPlan(p, portal.Index)}, owned: true, cursor: portal}
}

// Open says whether the statements pass untouched: the role sees everything.
func (p *Prepared) Open() bool { return p.scope == nil || p.scope.Role.SeesAll() }

// planned plans a text under a scope. A text that was not seen before under this
// scope, and one that names what the scope does not have, is planned under a
// catalog that was compared with the server for the purpose.
func (s *Session) planned(ctx context.Context, scope *rewrite.Scope, text string) ([]*rewrite.Plan, error) {
	plans, ok := s.options.Planner.Cached(*scope, text)
	if ok && !namesUnknown(plans) {
		return plans, nil
	}
	fresh, err := s.options.Catalogs.Fresh(ctx, s.caller.Database)
	if err != nil {
		return nil, s.noCatalog(err)
	}
	now := s.scopeWith(fresh)
	if ok && now == scope {
		return plans, nil
	}
	return s.options.Planner.Plan(*now, text), nil
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
// it would take the transaction's snapshot.
func (s *Session) needs(plans []*rewrite.Plan) bool {
	for _, plan := range plans {
		if readsNames(plan) || plan.Effect.Begin {
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
// path or a table has changed. Errors are as for Prepare.
func (s *Session) Renew(ctx context.Context, p *Prepared) (*Prepared, error) {
	if s.role.SeesAll() && s.options.Policy() == s.policy && p.plans != nil {
		return p, nil
	}
	scope, err := s.scopeNow(ctx)
	if err == nil && scope == p.scope && !s.unsettled() {
		return p, nil
	}
	return s.Prepare(ctx, p.Text)
}

// Rejudge returns p judged by the policy in force: p itself where that has not
// changed. What its names mean has been decided before.
func (s *Session) Rejudge(p *Prepared) (*Prepared, error) {
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

// rejudged plans p again with the names as they were and the policy of now. It
// is refused where the server was sent something else than the new policy wants,
// and so is what a FETCH or an EXECUTE took over from elsewhere, being unknown here.
func (s *Session) rejudged(p *Prepared) *Prepared {
	if p.cursor != nil {
		return s.CursorQuery(p.cursor)
	}
	scope := *p.scope
	scope.Policy, scope.Role = s.policy, s.role
	q := &Prepared{Text: p.Text, scope: &scope, plans: slices.Clone(s.options.Planner.Plan(scope, p.Text)), owned: true}
	same := len(q.plans) == len(p.plans) && q.SQL() == p.SQL()
	for i, plan := range q.plans {
		taken := plan.Effect.Fetch != "" || plan.Effect.Execute != ""
		if !same || taken && !s.role.SeesAll() {
			q.plans[i] = refused(plan, changedRefusal())
		}
	}
	return q
}

// Len is the number of statements in the text.
func (p *Prepared) Len() int { return len(p.plans) }

// Rows says whether the statement with this index returns rows.
func (p *Prepared) Rows(i int) bool { return i < len(p.plans) && p.plans[i].Rows }

// Masked says whether a column of the statement's result carries a mask.
func (p *Prepared) Masked(i int) bool { return i < len(p.plans) && p.plans[i].Masked }

// Touches says whether the server's diagnostics may quote protected values.
func (p *Prepared) Touches(i int) bool { return i < len(p.plans) && p.plans[i].Touches }

// Copy is the format of a COPY to the client, nil for other statements.
func (p *Prepared) Copy(i int) *CopyFormat {
	if i >= len(p.plans) {
		return nil
	}
	return p.plans[i].Copy
}

// Guards are the parameters of the statement that must not hold a masked value.
func (p *Prepared) Guards(i int) []Guard {
	if i >= len(p.plans) {
		return nil
	}
	return p.plans[i].Guards
}

// SQL is what to send: Text unless masks were pushed into it.
func (p *Prepared) SQL() string {
	if len(p.plans) == 1 && p.plans[0].SQL != "" {
		return p.plans[0].SQL
	}
	var sql []byte
	done := 0
	for _, plan := range p.plans {
		if plan.SQL != "" && plan.SQL != p.Text[plan.Start:plan.End] {
			sql = append(append(sql, p.Text[done:plan.Start]...), plan.SQL...)
			done = plan.End
		}
	}
	if sql == nil {
		return p.Text
	}
	return string(append(sql, p.Text[done:]...))
}

// A Column is a result column as the plan has it.
type Column struct {
	Type string // the declared type of its only source, "" when it has not one
	Mask masking.Mask
}

// Columns returns the result columns of a statement whose types the server does
// not tell: a COPY.
func (p *Prepared) Columns(i int) []Column {
	columns := make([]Column, len(p.plans[i].Outputs))
	for j, o := range p.plans[i].Outputs {
		columns[j].Mask = o.Mask
		if len(o.Sources) == 1 && !o.Derived {
			columns[j].Type = o.Sources[0].Type
		}
	}
	return columns
}

// An Origin is where the server says that a result column comes from; zero when
// it says nothing.
type Origin struct {
	Rel uint32
	Att int16
}

// Describe compares the plan of a statement with the columns that the server
// tells of, and returns the mask of each; nil when none has one. It fails with a
// *[MismatchError]. Where the server knows of a stricter label than the plan,
// that counts, and an alert is put on record. It is called on the down side.
func (s *Session) Describe(p *Prepared, i int, origins []Origin) ([]masking.Mask, error) {
	if p.scope == nil || p.scope.Role.SeesAll() {
		return nil, nil
	}
	planned := 0
	if i < len(p.plans) {
		planned = len(p.plans[i].Outputs)
	}
	if planned != len(origins) {
		return nil, s.mismatch(planned, len(origins))
	}
	var masks []masking.Mask
	for j, o := range origins {
		mask := s.witnessed(p, i, j, o)
		if mask == nil {
			continue
		}
		if masks == nil {
			masks = make([]masking.Mask, len(origins))
		}
		masks[j] = mask
	}
	return masks, nil
}

func (s *Session) mismatch(planned, got int) error {
	err := &MismatchError{Planned: planned, Got: got}
	s.options.Metrics.Mismatches.Add(1)
	s.Alert(err.Error(), auditlog.Detail{Key: "code", Value: rewrite.CodeMismatch})
	s.mu.Lock()
	s.state.catalogDirty, s.state.pathDirty = true, true
	s.mu.Unlock()
	return err
}

// witnessed is the mask of one result column after the server has been heard.
func (s *Session) witnessed(p *Prepared, i, column int, o Origin) masking.Mask {
	mask := p.plans[i].Outputs[column].Mask
	if o.Rel == 0 {
		return mask
	}
	label, ok := p.scope.Catalog.Label(p.scope.Policy, &rewrite.TableColumn{Rel: o.Rel, Att: o.Att})
	if !ok {
		return mask
	}
	second := p.scope.Role.Mask(label)
	switch {
	case second == nil, mask == second:
		return mask
	case mask != nil:
		return masking.Strictest(mask, second)
	}
	if sql := p.plans[i].SQL; sql != "" && sql != p.Text {
		return nil // masked by the server: the origin is what the subquery takes the place of
	}
	s.Alert("the server knows a result column as protected that the plan does not",
		auditlog.Detail{Key: "column", Value: p.plans[i].Outputs[column].Name})
	return second
}

// A Query is a statement that has been recorded and may be sent. The relay counts
// in it.
type Query struct {
	Rows, Bytes, MaskedCells int64

	plan    *rewrite.Plan
	begun   time.Time
	ref     uint64
	role    string
	open    bool
	message uint64
	sub     int
	how     string
	length  int
	moves   bool
	ticket  uint64
	done    bool

	subjects []auditlog.SubjectKey
	unnamed  int
}

// Done says whether the outcome of the statement is on record. It is called on
// the down side.
func (q *Query) Done() bool { return q.done }

// How a statement reached us.
const (
	Simple   = "simple"
	Extended = "extended"
)

// NextMessage numbers the client's message that the next statements belong to.
func (s *Session) NextMessage() { s.message++ }

// Begin puts on record that a statement is about to be sent. The error is a
// *[Refusal]: it must not be sent then.
func (s *Session) Begin(p *Prepared, i int, how string) (*Query, error) {
	q := &Query{
		plan: p.plans[i], begun: time.Now(), role: s.role.Name(), open: s.role.SeesAll(),
		message: s.message, sub: i + 1, how: how, length: len(p.Text),
	}
	e := &s.begin
	e.Reset()
	e.Time = q.begun
	q.describe(e, p)
	if err := s.append(e, auditlog.QueryBegin, q.strict()); err != nil {
		return nil, auditRefusal()
	}
	q.ref = s.lastSeq
	s.options.Metrics.Statements.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.moves = s.state.moves(&q.plan.Effect); q.moves {
		s.state.moving++
	}
	if c, ok := renames(p, i); ok {
		s.ticket++
		q.ticket = s.ticket
		s.names.will(q.ticket, c)
	}
	return q, nil
}

// renames is what a statement does to the session's names.
func renames(p *Prepared, i int) (Change, bool) {
	e := &p.plans[i].Effect
	switch {
	case e.Prepare != "":
		return Change{Kind: StatementName, Name: e.Prepare, Statement: &Prepared{Text: e.Prepared}}, true
	case e.Declare != "":
		return Change{Kind: PortalName, Name: e.Declare, Portal: &Portal{Prepared: p, Index: i}}, true
	case e.Forget != "":
		c := Change{Kind: StatementName, Name: e.Forget, All: e.Forget == "*"}
		if firstKeyword(string(p.plans[i].Kind)) == "CLOSE" {
			c.Kind = PortalName
		}
		return c, true
	}
	return Change{}, false
}

// An Outcome is how a statement ended.
type Outcome struct {
	SQLState string // of the error, "" for none
	Ended    string // why it did not end by itself: "skipped", "client gone", ...
}

// Succeeded is the Outcome of a statement that completed.
var Succeeded Outcome

// End puts the outcome of a statement on record, once for each Begin, and makes
// the changes that it made. It is called on the down side.
func (s *Session) End(q *Query, o Outcome) {
	if q.done {
		panic("session: a statement ended twice")
	}
	q.done = true
	ok := o == Succeeded
	s.finished(q, ok)
	m := s.options.Metrics
	m.Rows.Add(uint64(q.Rows))
	m.Bytes.Add(uint64(q.Bytes))
	m.MaskedCells.Add(uint64(q.MaskedCells))
	if !ok {
		m.Failed.Add(1)
	}
	e := &s.end
	e.Reset()
	e.Ref = q.ref
	e.Who.Role = q.role
	e.Statement = auditlog.Statement{
		ID: q.message, Sub: q.sub, Protocol: q.how, Command: string(q.plan.Kind), Fingerprint: q.plan.Fingerprint,
	}
	e.Time = time.Now()
	e.Result = auditlog.Result{
		OK: ok, SQLState: o.SQLState, Ended: o.Ended, Rows: q.Rows, Bytes: q.Bytes,
		Micros: e.Time.Sub(q.begun).Microseconds(), MaskedCells: q.MaskedCells,
	}
	q.recordSubjects(&e.Subjects)
	s.append(e, auditlog.QueryEnd, false)
}

// finished makes the changes that a statement made to the session.
func (s *Session) finished(q *Query, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.moves {
		s.state.moving--
	}
	if q.ticket != 0 {
		s.names.settle(q.ticket, ok)
	}
	if !ok {
		s.state.undone()
		return
	}
	s.state.happened(&q.plan.Effect)
	if q.plan.Effect.ForgetAll {
		s.names.apply(&Change{Kind: StatementName, All: true})
		s.names.apply(&Change{Kind: PortalName, All: true})
	}
}
