package auditlog

import "time"

// A Kind says what a record tells of.
type Kind string

// The kinds of record. Pairs of begin and end belong together: the end's Ref
// is the sequence number of its begin.
const (
	ProxyStart   Kind = "proxy.start"
	ProxyStop    Kind = "proxy.stop"
	ProxyReload  Kind = "proxy.reload"
	PolicyLoad   Kind = "policy.load"
	PolicyReject Kind = "policy.reject"
	AuthOK       Kind = "auth.ok"
	AuthFail     Kind = "auth.fail"
	SessionStart Kind = "sess.start"
	SessionEnd   Kind = "sess.end"
	QueryBegin   Kind = "query.begin"
	QueryEnd     Kind = "query.end"
	QueryRefuse  Kind = "query.refuse"
	QueryCancel  Kind = "query.cancel"
	CopyBegin    Kind = "copy.begin"
	CopyEnd      Kind = "copy.end"
	Admin        Kind = "admin.act"
	Retention    Kind = "admin.retention" // a segment was deleted, its time being over
	LegalHold    Kind = "admin.hold"      // a legal hold was set or lifted
	AuditRead    Kind = "audit.read"      // somebody looked at the log
	AuditGap     Kind = "audit.gap"       // something is missing here, and why
	SinkDown     Kind = "audit.sink.down" // a place outside takes nothing
	SinkUp       Kind = "audit.sink.up"
	Alert        Kind = "alert"
	Checkpoint   Kind = "chain.checkpoint" // a signed note over the records so far
	ChainKey     Kind = "chain.key"        // the chain's key was made or replaced
)

// Outcome reports whether a record of this kind tells the end of something
// that an earlier record announced. Nobody waits for an outcome to be synced.
func (k Kind) Outcome() bool {
	switch k {
	case QueryEnd, CopyEnd, SessionEnd, QueryCancel, ProxyStop:
		return true
	}
	return false
}

// always reports whether a record of this kind is waited for in the
// durability [Classified] whatever the statement touches.
func (k Kind) always() bool {
	switch k {
	case QueryRefuse, PolicyLoad, PolicyReject, ProxyReload, Admin, Retention, LegalHold, AuditRead, ChainKey:
		return true
	}
	return false
}

// An Event is one record before the log numbers, chains and stores it. Zero
// values are left out of the record. An Event is meant to be filled again and
// again, slices included: [Log.Append] keeps nothing of it.
type Event struct {
	Kind      Kind
	Time      time.Time // zero: the moment of Append
	Ref       uint64    // sequence number of the record that this one completes
	Session   Session
	Who       Who
	Why       Why
	Database  Database
	Statement Statement
	Objects   []Object
	Decision  Decision
	Result    Result
	Subjects  Subjects
	Gap       Gap
	Detail    []Detail // what the other groups have no field for, in this order

	// Origin is what [AppendOrigin] made of Session, Who, Why and Database, for all
	// records of a session to share. Nil: they are encoded anew.
	Origin []byte
}

// Session is the connection a record belongs to.
type Session struct {
	ID          string
	Listener    string
	Protocol    string // "postgres", "mysql"
	TLS         string // version, "" for none
	Client      string // address and port
	Application string
	Certificate string // subject of the client's certificate
}

// Who is the caller, as far as it is known.
type Who struct {
	Login    string // the account at the database
	Role     string // the policy's role
	Person   string // the human behind the account
	Verified bool   // Person is proved, not just claimed
}

// Why is what the caller says the access is for.
type Why struct{ Purpose, Ticket string }

// Database is where the statement goes.
type Database struct {
	Server string // address and port
	Engine string // name and version
	Name   string
}

// Statement is what was asked, free of values.
type Statement struct {
	ID          uint64 // number of the client's message in the session
	Sub         int    // number of the statement in the message, from 1
	Protocol    string // "simple", "extended", "prepared", "cursor"
	Command     string // as PostgreSQL's command tags spell it
	Class       string // "READ", "WRITE", "DDL", "PRIVILEGE", "SESSION", ...
	Fingerprint string // of Text
	Text        string // normalised: no literals, no comments
	Length      int    // bytes of the original text
	Hash        string // SHA-256 of the original, where it could not be normalised
	Sealed      []byte // the original, readable for auditors only; made by [Sealer.Seal]

	// Known is what [AppendKnown] made of Protocol to Hash, for all executions of a
	// statement to share. Empty: they are encoded anew.
	Known []byte
}

// Object is one labelled column that a statement touches.
type Object struct {
	Column   string // database.schema.table.column
	Class    string
	Level    string
	In       string // "output", "written", "write" for what goes into that, or the clause it stands in
	Released string // "clear", "masked", "withheld"; "" of what is written
}

// Decision is what the policy says to the statement.
type Decision struct {
	Verdict string // "pass", "mask", "refuse"
	Code    string // of a refusal
	Reason  string // of a refusal; names of columns, never values
	Policy  string // version
	Masks   []MaskedColumn
}

// MaskedColumn is a result column and the mask it went through.
type MaskedColumn struct{ Column, Mask string }

// Result is how a statement ended.
type Result struct {
	OK          bool
	SQLState    string
	Ended       string // "" for by itself, else "cancelled", "client gone", "server gone", ...
	Rows        int64
	Bytes       int64
	Micros      int64 // from begin to end
	MaskedCells int64
}

// Subjects are the persons a statement concerns.
type Subjects struct {
	Count int          // distinct ones seen
	Keys  []SubjectKey // the first of them
	More  int          // those without a key
}

// A SubjectKey is the keyed hash of one person's identifier.
type SubjectKey [16]byte

// Gap tells what is missing in the log.
type Gap struct {
	From, To     uint64    // sequence numbers that will never appear, when they were given out
	Count        uint64    // records lost
	Since, Until time.Time // when, for records that never had a number
	Reason       string
}

// Detail is one more fact of a record.
type Detail struct{ Key, Value string }

// Reset empties the fields that belong to one statement and keeps those of the
// session, and all memory.
func (e *Event) Reset() {
	*e = Event{
		Session: e.Session, Who: e.Who, Why: e.Why, Database: e.Database,
		Objects:  e.Objects[:0],
		Decision: Decision{Masks: e.Decision.Masks[:0]},
		Subjects: Subjects{Keys: e.Subjects.Keys[:0]},
		Detail:   e.Detail[:0],
		Origin:   e.Origin,
	}
}
