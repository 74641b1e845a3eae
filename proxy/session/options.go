package session

import (
	"context"

	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/rewrite"
)

// Options are what all sessions of one listener share.
type Options struct {
	Listener string // its name in the audit log
	Protocol string // "postgres", "mysql"
	Address  string // the server's, for the audit log

	Policy   func() *masking.Policy // the one in force now, never nil
	Planner  Planner
	Catalogs Catalogs
	Audit    Audit
	Log      zerolog.Logger
	Metrics  *Metrics

	// Hasher makes what turns identifiers of persons into the keys of the audit
	// log; each session has its own. Nil: persons are not recorded.
	Hasher func() *auditlog.SubjectHasher
	// Sealer makes what encrypts original texts for the auditors; each session has
	// its own. Nil, or returning nil: they are not kept.
	Sealer func() *auditlog.Sealer
}

// A Planner turns texts into plans and remembers them; see [rewrite.Planner].
type Planner interface {
	Plan(scope rewrite.Scope, text string) []*rewrite.Plan
	Cached(scope rewrite.Scope, text string) ([]*rewrite.Plan, bool)
	AppendLiterals(dst []string, scope rewrite.Scope, text string) []string
}

// Catalogs tell what tables and functions a database has.
type Catalogs interface {
	// Current returns the newest snapshot at hand. It is called for every statement.
	Current(ctx context.Context, database string) (rewrite.Catalog, error)
	// Known returns any snapshot at hand, for statements that pass whatever it says.
	// It waits at most for the first one.
	Known(ctx context.Context, database string) (rewrite.Catalog, error)
	// Fresh returns a snapshot that was compared with the server after the call.
	Fresh(ctx context.Context, database string) (rewrite.Catalog, error)
	// Verified does the same whatever it costs, where Fresh may rely on a costly
	// comparison of a moment before.
	Verified(ctx context.Context, database string) (rewrite.Catalog, error)
	// Local returns what one session alone sees, by asking on its own connection:
	// its temporary tables, its changes that are not yet committed. Of a server that
	// does not list the former, made are those that it has made so far.
	Local(ctx context.Context, database string, made []rewrite.TemporaryTable, ask func(ctx context.Context, sql string) ([][]*string, error)) (rewrite.Catalog, error)
	// Changed says that a session has just committed other definitions.
	Changed(database string)
}

// Audit is where records go; see [auditlog.Log].
type Audit interface {
	Append(e *auditlog.Event, strict bool) (seq uint64, err error)
	AppendThen(e *auditlog.Event, strict bool, synced func(error)) (seq uint64, waits bool, err error)
}

// A Wire is a session's own use of the connection to the server, in between the
// client's messages. It is called on the up side only.
type Wire interface {
	// Drain waits until the server has answered everything sent so far, or until
	// it is known to skip what follows.
	Drain(ctx context.Context) (Standing, error)
	// Ask runs a query unseen by the client. It must not be called unless Drain
	// returned Ready. A *[ServerError] is the server's own.
	Ask(ctx context.Context, sql string) ([][]*string, error)
	// Surroundings asks for the search path and its like.
	Surroundings(ctx context.Context) (Surroundings, error)
}

// Standing is what the server will do with the next statement.
type Standing uint8

const (
	Ready    Standing = iota // carry it out
	Skipping                 // ignore it, because an earlier one of its batch failed
	Failed                   // refuse it, because the transaction failed, unless it ends the transaction
)

// A ServerError is an error that the server answered a question of ours with.
type ServerError struct{ SQLState, Message string }

func (e *ServerError) Error() string { return "server: " + e.Message + " (" + e.SQLState + ")" }
