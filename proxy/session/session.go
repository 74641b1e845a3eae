package session

import (
	"crypto/rand"
	"encoding/base32"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/protocol/loop"
	"sqlveil/rewrite"
)

// A Session is what one client has at one server: who it is, what it may see,
// and what the names in its statements mean.
type Session struct {
	// ID names the session in the audit log and in the program's log.
	ID string
	// Log writes to the program's log. No value of a row or a parameter goes there.
	Log zerolog.Logger

	options *Options
	task    *loop.Task   // that serves the session; the up side's
	aside   func()       // its Aside, for the up side to call before what may block
	relay   func() error // see GoOn; nil before
	wire    Wire
	caller  masking.Caller
	login   bool // Login succeeded

	origin atomic.Pointer[origin] // of the records of now; the up side replaces it

	sealer *auditlog.Sealer        // the up side's, nil where original texts are not kept
	sealed []byte                  // of sealer, for use again
	hasher *auditlog.SubjectHasher // the down side's, made when it is needed
	asked  *auditlog.SubjectHasher // the up side's, likewise

	// What the up side knows of the meaning of names.
	scope    *rewrite.Scope // nil before the first statement and when something in it changed
	policy   *masking.Policy
	role     *masking.Role
	masked   atomic.Bool     // of role
	reading  *reading        // of the scope; nil where what is prepared does not keep to it
	catalog  rewrite.Catalog // what the scope was made with
	own      rewrite.Catalog // what this session alone sees, nil when that is what all see
	around   Surroundings
	syncing  syncing  // the begin of a statement
	message  uint64   // number of the client's message, for the audit log
	literals []string // of the statement that begins
	literal  []byte   // one of them

	mu        sync.Mutex // guards what follows, which both sides use
	state     state
	names     names
	made      temporaries
	spare     *Query    // for the next Begin, nil for none
	spareText *Prepared // for the next PrepareOnce, nil for none
	ticket    uint64
	stop      func() // the relay's way to end the session at the next occasion
	ending    bool
}

// Surroundings is what the meaning of a text depends on besides the catalog.
type Surroundings struct {
	Path []string // every schema the server looks in, in order, implicit ones too
	Mode string   // see [rewrite.Scope]
	Own  bool     // there are tables which this session alone sees
	Kept bool     // what the server prepares keeps to the Path, and to the Mode while it is not read again
}

// newSession returns a session that has not logged in.
func newSession(o *Options, client string) *Session {
	s := &Session{ID: newID(time.Now()), options: o, aside: func() {}}
	s.Log = o.Log.Hook((*identity)(s))
	s.state.pathDirty = true
	s.origin.Store(&origin{
		session:  auditlog.Session{ID: s.ID, Listener: o.Listener, Protocol: o.Protocol, Client: client},
		database: auditlog.Database{Server: o.Address},
	})
	if o.Sealer != nil {
		s.sealer = o.Sealer()
	}
	return s
}

// An identity adds to a message of the program's log whose session it is about. Most
// sessions never have one, so none keeps the text that a logger with fields would.
type identity Session

// Run implements [zerolog.Hook].
func (i *identity) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str("session", i.ID).Str("client", i.origin.Load().session.Client)
}

var idAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// newID returns an identifier that sorts by time: 48 bits of milliseconds and 80
// random ones.
func newID(now time.Time) string {
	var b [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	rand.Read(b[6:]) // never fails
	return idAlphabet.EncodeToString(b[:])
}

// A Login is what a relay knows of a caller whom the server let in.
type Login struct {
	Caller  masking.Caller
	Subject string   // of the client's certificate
	TLS     string   // version on the client's side, "" for none
	Path    []string // the search path to assume for callers who see everything
}

// Task is the one that serves the session, up side.
func (s *Session) Task() *loop.Task { return s.task }

// Metrics returns the counters of the listener's sessions.
func (s *Session) Metrics() *Metrics { return s.options.Metrics }

// Login decides the role of a caller whom the server has let in, for good. It
// fails with [ErrNoRole] when the policy has none, and with a *[Refusal] when
// the login cannot be put on record. The record need not be on disk yet: nothing
// protected is returned before a record behind it is, unless the log's durability
// waits for no record at all.
func (s *Session) Login(l Login, wire Wire) error {
	s.wire, s.caller = wire, l.Caller
	s.around.Path = l.Path
	o := s.origin.Load().copy()
	o.session.TLS, o.session.Application, o.session.Certificate = l.TLS, l.Caller.Application, l.Subject
	o.who.Login, o.database.Name = l.Caller.User, l.Caller.Database
	s.origin.Store(o)
	if !s.matchRole(s.options.Policy()) {
		s.LoginFailed(l.Caller, StateInvalidAuthorization, ErrNoRole.Error())
		return ErrNoRole
	}
	if _, err := s.append(s.event(s.origin.Load()), auditlog.AuthOK, false); err != nil {
		return auditRefusal()
	}
	return nil
}

// Started says that the server is ready for the first statement, and which it is.
func (s *Session) Started(engine string) error {
	o := s.origin.Load().copy()
	o.database.Engine = engine
	o.encode()
	s.origin.Store(o)
	if _, err := s.append(s.event(o), auditlog.SessionStart, false); err != nil {
		return auditRefusal()
	}
	s.login = true
	return nil
}

// LoginFailed puts a login that came to nothing on record.
func (s *Session) LoginFailed(caller masking.Caller, state, reason string) {
	s.options.Metrics.LoginsFailed.Add(1)
	o := s.origin.Load().copy()
	o.who.Login, o.database.Name, o.session.Application = caller.User, caller.Database, caller.Application
	e := s.event(o)
	e.Result.SQLState = state
	e.Decision.Reason = reason
	s.append(e, auditlog.AuthFail, true)
}

// Masked says whether the role in force sees some data masked. It may be called
// on either side.
func (s *Session) Masked() bool { return s.masked.Load() }

// RoleName is the role's name in the policy.
func (s *Session) RoleName() string { return s.role.Name() }

// matchRole decides the caller's role under a policy.
func (s *Session) matchRole(p *masking.Policy) bool {
	role, ok := p.Match(s.caller)
	if !ok {
		return false
	}
	s.policy, s.role, s.scope = p, role, nil
	s.masked.Store(!role.SeesAll())
	o := s.origin.Load().copy()
	o.who.Role = role.Name()
	if s.login {
		o.encode()
	}
	s.origin.Store(o)
	return true
}

// Stop lets the relay say how the session is to be ended when the server shuts
// down: after the statement that runs.
func (s *Session) Stop(stop func()) {
	s.mu.Lock()
	s.stop = stop
	ending := s.ending
	s.mu.Unlock()
	if ending {
		stop()
	}
}

// shutDown ends the session when nothing runs in it.
func (s *Session) shutDown() {
	s.mu.Lock()
	s.ending = true
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// finish puts the end of the session on record. Both sides have returned.
func (s *Session) finish(why string) {
	if !s.login {
		return
	}
	e := s.event(s.origin.Load())
	e.Result.Ended = why
	s.append(e, auditlog.SessionEnd, false)
}

// Cancelled puts a request to cancel what runs in the session on record. It may
// be called from anywhere.
func (s *Session) Cancelled(client string) {
	e := s.event(s.origin.Load())
	e.Detail = append(e.Detail, auditlog.Detail{Key: "from", Value: client})
	s.append(e, auditlog.QueryCancel, false)
}

// Alert puts something on record that should not happen. It is called on the
// down side.
func (s *Session) Alert(what string, detail ...auditlog.Detail) {
	e := s.event(s.origin.Load())
	e.Decision.Reason = what
	e.Detail = append(e.Detail, detail...)
	s.append(e, auditlog.Alert, true)
}
