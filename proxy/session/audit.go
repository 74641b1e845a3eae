package session

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"sqlveil/auditlog"
	"sqlveil/rewrite"
)

// An origin is what records of a session have in common. It does not change.
type origin struct {
	session  auditlog.Session
	who      auditlog.Who
	database auditlog.Database
	text     []byte // the same, encoded, where that is worth it
}

// copy returns a copy to change, which has no text.
func (o *origin) copy() *origin {
	return &origin{session: o.session, who: o.who, database: o.database}
}

// encode makes the text of an origin that many records will have.
func (o *origin) encode() {
	o.text = auditlog.AppendOrigin(nil, &auditlog.Event{Session: o.session, Who: o.who, Database: o.database})
}

// events are those that no session is filling. A session has none while it is idle.
var events = sync.Pool{New: func() any { return new(auditlog.Event) }}

// event returns an event to fill, for append or drop.
func (s *Session) event(o *origin) *auditlog.Event {
	e := events.Get().(*auditlog.Event)
	e.Session, e.Who, e.Database, e.Origin = o.session, o.who, o.database, o.text
	return e
}

// drop gives back an event that is not to be used any more.
func drop(e *auditlog.Event) {
	e.Reset()
	events.Put(e)
}

// append puts an event on record, after which it must not be used any more, and
// returns its number.
func (s *Session) append(e *auditlog.Event, kind auditlog.Kind, strict bool) (seq uint64, err error) {
	defer drop(e)
	e.Kind = kind
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	seq, err = s.options.Audit.Append(e, strict)
	return seq, s.recorded(e, err)
}

// appendBegin is append for the begin of a statement.
func (s *Session) appendBegin(e *auditlog.Event, strict bool) (seq uint64, err error) {
	defer drop(e)
	e.Kind = auditlog.QueryBegin
	if s.task == nil {
		seq, err = s.options.Audit.Append(e, strict)
	} else {
		seq, err = s.syncing.appendBy(s.task, s.options.Audit, e, strict)
	}
	return seq, s.recorded(e, err)
}

// recorded counts and logs the error of a record, and returns it.
func (s *Session) recorded(e *auditlog.Event, err error) error {
	if err != nil {
		s.options.Metrics.AuditErrors.Add(1)
		s.Log.Error().Err(err).Str("kind", string(e.Kind)).Msg("the audit log cannot be written")
	}
	return err
}

// describe fills in what is known of a statement before it is sent.
func (q *Query) describe(e *auditlog.Event, p *Prepared) {
	plan := q.plan
	e.Statement = auditlog.Statement{
		ID: q.message, Sub: q.sub, Protocol: q.how, Command: string(plan.Kind), Class: class(plan),
		Fingerprint: plan.Fingerprint, Text: plan.Text, Length: q.length,
	}
	if plan.Text == "" {
		sum := sha256.Sum256([]byte(p.Text))
		e.Statement.Hash = hex.EncodeToString(sum[:])
	}
	for _, o := range plan.Objects {
		e.Objects = append(e.Objects, auditlog.Object(o))
	}
	e.Decision.Verdict = "pass"
	if p.scope != nil {
		e.Decision.Policy = p.scope.Policy.Version()
	}
	if !plan.Masked || q.open {
		return
	}
	e.Decision.Verdict = "mask"
	for _, o := range plan.Outputs {
		if o.Mask != nil {
			e.Decision.Masks = append(e.Decision.Masks, auditlog.MaskedColumn{Column: o.Name, Mask: o.Mask.Name()})
		}
	}
}

// seal adds the original text to the record that begins a statement, encrypted for
// the auditors. It stands for all statements of a text and goes with the first.
func (s *Session) seal(e *auditlog.Event, q *Query, text string) (err error) {
	if s.sealer == nil || q.sub > 1 {
		return nil
	}
	if s.sealed, err = s.sealer.Seal(s.sealed[:0], text); err != nil {
		s.options.Metrics.AuditErrors.Add(1)
		s.Log.Error().Err(err).Msg("the original text cannot be encrypted")
		return err
	}
	e.Statement.Sealed = s.sealed
	return nil
}

// strict says whether the record of a statement of this class has to be on disk
// before the statement is sent.
func (q *Query) strict(class string) bool {
	return len(q.plan.Objects) > 0 || class == classDDL || class == classPrivilege
}

// recordRefusal puts a refused text on record; p is nil when it was not planned.
func (s *Session) recordRefusal(text string, p *Prepared, why *Refusal) {
	s.options.Metrics.Refused.Add(1)
	plan, sub := &rewrite.Plan{Kind: rewrite.Kind(firstKeyword(text))}, 1
	if p != nil {
		for i := range p.plans {
			if p.plans[i].Refuse == why {
				plan, sub = p.plans[i], i+1
			}
		}
	} else {
		p = &Prepared{Text: text}
	}
	e := s.event(s.origin.Load())
	q := &Query{plan: plan, message: s.message, sub: sub, length: len(text)}
	q.describe(e, p)
	s.namePersons(e, q, p, nil)
	e.Decision.Verdict, e.Decision.Code, e.Decision.Reason = "refuse", why.Code, why.Message
	e.Result.SQLState = StateOf(why)
	s.aside()              // it takes a while
	q.sub = 1              // the text is refused as a whole
	_ = s.seal(e, q, text) // logged; the refusal goes on record without it
	s.append(e, auditlog.QueryRefuse, true)
}

// RefuseMessage puts a refused message that has no text on record and returns why.
func (s *Session) RefuseMessage(why *Refusal) error {
	s.options.Metrics.Refused.Add(1)
	e := s.event(s.origin.Load())
	e.Statement.ID = s.message
	e.Decision.Verdict, e.Decision.Code, e.Decision.Reason = "refuse", why.Code, why.Message
	e.Result.SQLState = StateOf(why)
	s.aside() // it takes a while
	if _, err := s.append(e, auditlog.QueryRefuse, true); err != nil {
		return auditRefusal()
	}
	return why
}

// StateOf is the SQLSTATE of a refusal.
func StateOf(r *Refusal) string {
	if r.SQLState != "" {
		return r.SQLState
	}
	return StateInsufficientPrivilege
}

// Classes of statements.
const (
	classRead      = "READ"
	classWrite     = "WRITE"
	classDDL       = "DDL"
	classPrivilege = "PRIVILEGE"
	classSession   = "SESSION"
	classOther     = "OTHER"
)

// class is what a statement does, roughly.
func class(plan *rewrite.Plan) string {
	switch firstKeyword(string(plan.Kind)) {
	case "SELECT", "VALUES", "TABLE", "WITH", "FETCH", "SHOW", "EXPLAIN", "DESCRIBE", "DESC":
		return classRead
	case "COPY":
		if plan.Rows {
			return classRead
		}
		return classWrite
	case "EXECUTE":
		if plan.Rows {
			return classRead
		}
		return classOther
	case "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "LOAD", "CALL", "DO":
		return classWrite
	case "CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "REINDEX", "CLUSTER", "REFRESH", "SECURITY", "IMPORT", "RENAME":
		if accounts(plan.Text) {
			return classPrivilege
		}
		return classDDL
	case "GRANT", "REVOKE", "REASSIGN":
		return classPrivilege
	case "SET", "RESET", "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PREPARE", "DEALLOCATE", "DISCARD",
		"DECLARE", "CLOSE", "MOVE", "LISTEN", "UNLISTEN", "NOTIFY", "LOCK", "USE", "END", "ABORT":
		return classSession
	}
	return classOther
}

// accounts says whether a definition, in its normal form, is one of accounts or of
// what they may do from now on.
func accounts(text string) bool {
	_, object, _ := strings.Cut(text, " ")
	object, _, _ = strings.Cut(strings.TrimPrefix(object, "or replace "), " ")
	switch object {
	case "role", "user", "group", "default": // ALTER DEFAULT PRIVILEGES
		return true
	}
	return false
}

// firstKeyword returns the first word of a text in upper case, "" when that is
// not a plain word.
func firstKeyword(text string) string {
	text = strings.TrimLeft(text, " \t\r\n\f\v(")
	n := 0
	for n < len(text) && n < 16 && (text[n]|0x20 >= 'a' && text[n]|0x20 <= 'z' || text[n] == '_') {
		n++
	}
	return strings.ToUpper(text[:n])
}
