package session

import (
	"errors"
	"fmt"

	"sqlveil/rewrite"
)

// A Refusal says why a statement is not sent. It is an error.
type Refusal = rewrite.Refusal

// CopyFormat says how a COPY writes its rows.
type CopyFormat = rewrite.CopyFormat

// A Guard names a parameter that must not hold a masked value.
type Guard = rewrite.Guard

// SQLSTATEs of what the program itself tells a client.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	StateInsufficientPrivilege = "42501"
	StateIOError               = "58030"
	StateInvalidAuthorization  = "28000"
	StateProtocolViolation     = "08P01"
	StateFeatureNotSupported   = "0A000"
	StateAdminShutdown         = "57P01"
	StateTooManyConnections    = "53300"
	StateOutOfMemory           = "53200"
	StateTooLarge              = "54000"
	StateInternalError         = "XX000"
)

var (
	// ErrServerClosed is what [Server.Serve] returns after Shutdown or Close.
	ErrServerClosed = errors.New("session: server closed")

	// ErrSkipped says that the server ignores the statement anyway, because an
	// earlier one of its batch failed: it need not be sent.
	ErrSkipped = errors.New("session: the server skips the statement")

	// ErrNoRole says that the policy lists no role for the caller.
	ErrNoRole = errors.New("no role for this login")
)

// A MismatchError says that the server's result is not the one that was planned.
type MismatchError struct{ Planned, Got int }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the result has %d columns where %d were planned", e.Got, e.Planned)
}

// Refusal is what the client gets to see of it.
func (e *MismatchError) Refusal() *Refusal {
	return &Refusal{
		Code:    rewrite.CodeMismatch,
		Message: "no row is released: " + e.Error(),
		Hint:    "The tables may just have been changed. Try again.",
	}
}

// CodeProtocol is the code of what is wrong with a message and not with a statement.
const CodeProtocol = rewrite.CodeProtocol

// ProtocolRefusal refuses a message that goes around the masks.
func ProtocolRefusal(what string) *Refusal {
	return &Refusal{Code: rewrite.CodeProtocol, Message: what + " is not for roles with masks"}
}

func auditRefusal() *Refusal {
	return &Refusal{
		Code: rewrite.CodeAudit, Message: "sqlveil: the audit log cannot be written (" + rewrite.CodeAudit + ")",
		SQLState: StateIOError,
	}
}

func roleRefusal() *Refusal {
	return &Refusal{
		Code: rewrite.CodeProtocol, Message: "the policy in force has no role for this login any more",
		Hint: "Connect again when the policy lists this login.",
	}
}

// changedRefusal refuses what the server prepared under another policy, in words
// that make drivers prepare it again.
func changedRefusal() *Refusal {
	return &Refusal{
		Code: rewrite.CodeMismatch, SQLState: StateFeatureNotSupported, Message: "cached plan must not change result type",
		Hint: "The policy has changed. Prepare the statement, or open the cursor, again.",
	}
}

// rereadRefusal refuses a prepared statement of which the server may make another
// one than was planned.
func rereadRefusal() *Refusal {
	return &Refusal{
		Code: rewrite.CodeMismatch, SQLState: StateFeatureNotSupported, Message: "what the prepared statement means depends on settings that have changed",
		Hint: "Prepare it again.",
	}
}

func catalogRefusal() *Refusal {
	return &Refusal{
		Code: rewrite.CodeUnknownName, Message: "sqlveil: the tables of this database are not known at the moment (" + rewrite.CodeUnknownName + ")",
		Hint: "The proxy's catalog account could not read them; its log says why.", SQLState: StateIOError,
	}
}

func unpredictedRefusal() *Refusal {
	return &Refusal{
		Code: rewrite.CodeUnpredicted, Message: "what this statement reads depends on an earlier statement of the same text",
		Hint: "Send the statements one by one.",
	}
}

func cursorRefusal(name string) *Refusal {
	return &Refusal{
		Code: rewrite.CodeUnknownName, SQLState: "34000",
		Message: fmt.Sprintf("cursor %q does not exist", name),
	}
}

func preparedRefusal(name string) *Refusal {
	return &Refusal{
		Code: rewrite.CodeUnknownName, SQLState: "26000",
		Message: fmt.Sprintf("prepared statement %q does not exist", name),
	}
}

func serverRefusal(e *ServerError) *Refusal {
	return &Refusal{Code: rewrite.CodeUnknownName, SQLState: e.SQLState, Message: e.Message}
}

// WriteBack refuses a value that cannot be read and might be a masked one, to be
// written over the real one.
func WriteBack(g *Guard) *Refusal { return rewrite.WriteBack(g.Column) }

// TooLong refuses a text that is too long to be planned.
func TooLong(size, most int) *Refusal {
	return &Refusal{
		Code:    rewrite.CodeTooComplex,
		Message: fmt.Sprintf("the statement is too long: %d bytes, %d are allowed to roles with masks", size, most),
	}
}

// TooLarge refuses a message whose parameters cannot be looked at for their size.
func TooLarge(most int) *Refusal {
	return &Refusal{
		Code: rewrite.CodeTooComplex, SQLState: StateTooLarge,
		Message: fmt.Sprintf("sqlveil: a message of more than %d bytes is not looked into (%s)", most, rewrite.CodeTooComplex),
	}
}

// TooManyStatements refuses to keep one more prepared statement.
func TooManyStatements() *Refusal {
	return &Refusal{
		Code: rewrite.CodeTooComplex, SQLState: StateOutOfMemory,
		Message: "sqlveil: the prepared statements of this session take too much memory: close some (" + rewrite.CodeTooComplex + ")",
	}
}

// UnknownStatement refuses a prepared statement that the session has not seen
// being made, in the words of the server.
func UnknownStatement(name string) *Refusal { return preparedRefusal(name) }

// UnknownCursor refuses a cursor that the session has not seen being made, in the
// words of the server.
func UnknownCursor(name string) *Refusal {
	r := cursorRefusal(name)
	r.Message = fmt.Sprintf("portal %q does not exist", name)
	return r
}

// Multiple refuses several statements where one is allowed, in the words of the
// server.
func Multiple() *Refusal {
	return &Refusal{
		Code: rewrite.CodeSyntax, SQLState: "42601",
		Message: "cannot insert multiple commands into a prepared statement",
	}
}

// Outdated refuses a statement that the server has prepared in another form than
// it is to have by now.
func Outdated() *Refusal { return changedRefusal() }
