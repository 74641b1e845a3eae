package session

import (
	"slices"
	"time"

	"sqlveil/auditlog"
	"sqlveil/rewrite"
)

// A Query is a statement that has been recorded and may be sent. The relay counts
// in it.
type Query struct {
	Rows, Bytes, MaskedCells int64

	plan    *rewrite.Plan
	begun   time.Time
	ref     uint64
	origin  *origin
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

// Begin puts on record that a statement is about to be sent; bound are whom its
// parameters name, from [Session.Bound]. The error is a *[Refusal]: it must not be
// sent then.
func (s *Session) Begin(p *Prepared, i int, how string, bound Persons) (*Query, error) {
	q := s.fresh()
	*q = Query{
		subjects: q.subjects[:0],
		plan:     p.plans[i], begun: time.Now(), origin: s.origin.Load(), open: s.role.SeesAll(),
		message: s.message, sub: i + 1, how: how, length: len(p.Text),
	}
	if err := s.recordBegin(q, p, bound); err != nil {
		return nil, auditRefusal()
	}
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

// Spare gives back a Query whose outcome is on record and at which nobody looks any
// more: the next Begin makes another one of it.
func (s *Session) Spare(q *Query) {
	if !q.done {
		panic("session: a statement that has not ended is given back")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = q
}

// fresh returns the spare Query, or a new one.
func (s *Session) fresh() *Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.spare
	if q == nil {
		return new(Query)
	}
	s.spare = nil
	return q
}

// recordBegin puts the begin of a statement on record.
func (s *Session) recordBegin(q *Query, p *Prepared, bound Persons) (err error) {
	e := s.event(q.origin)
	e.Time = q.begun
	q.describe(e, p)
	e.Statement.Known = p.told.again(q, &e.Statement)
	s.namePersons(e, q, p, bound)
	if err := s.seal(e, q, p.Text); err != nil {
		drop(e)
		return err
	}
	q.ref, err = s.appendBegin(e, q.strict(e.Statement.Class))
	return err
}

// renames is what a statement does to the session's names.
func renames(p *Prepared, i int) (Change, bool) {
	e := &p.plans[i].Effect
	switch {
	case e.Prepare != "":
		made := p.made
		if slices.ContainsFunc(p.plans[:i], func(earlier *rewrite.Plan) bool { return changes(&earlier.Effect) }) {
			made = nil
		}
		return Change{Kind: StatementName, Name: e.Prepare, Statement: &Prepared{Text: e.Prepared, made: made}}, true
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
	e := s.event(q.origin)
	e.Ref = q.ref
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
		if len(s.made) > 0 && changes(&q.plan.Effect) { // a DROP that fails at its second table has dropped the first
			s.state.catalogDirty = true
		}
		return
	}
	s.state.happened(&q.plan.Effect)
	s.made.note(q.plan.Effect.Temporary)
	if q.plan.Effect.ForgetAll {
		s.names.apply(&Change{Kind: StatementName, All: true})
		s.names.apply(&Change{Kind: PortalName, All: true})
	}
}

// Failed puts on record that a statement failed before it was executed: the
// server could not parse it, or not with these parameters. It is called on the
// down side.
func (s *Session) Failed(p *Prepared, state string) {
	if len(p.plans) == 0 {
		return
	}
	s.options.Metrics.Failed.Add(1)
	q := &Query{plan: p.plans[0], sub: 1, how: Extended, length: len(p.Text), open: p.Open()}
	e := s.event(s.origin.Load())
	q.describe(e, p)
	e.Result.SQLState = state
	s.append(e, auditlog.QueryEnd, false)
}
