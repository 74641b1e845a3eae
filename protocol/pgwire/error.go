package pgwire

import "sqlveil/protocol"

// SQLSTATEs that we send ourselves.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	StateProtocolViolation     = "08P01"
	StateConnectionFailure     = "08006"
	StateFeatureNotSupported   = "0A000"
	StateInvalidAuthorization  = "28000"
	StateInsufficientPrivilege = "42501"
	StateProgramLimitExceeded  = "54000"
	StateAdminShutdown         = "57P01"
	StateCannotConnectNow      = "57P03"
	StateTooManyConnections    = "53300"
	StateIOError               = "58030"
)

// Severities that end something.
const (
	SeverityError = "ERROR"
	SeverityFatal = "FATAL" // the session too
)

// A Diagnostic is the content of an ErrorResponse or NoticeResponse. Everything
// but the first three may be empty.
// https://www.postgresql.org/docs/current/protocol-error-fields.html
type Diagnostic struct {
	Severity         string // never translated
	Localized        string // the severity in the language of the server; Severity when empty
	Code             string // SQLSTATE
	Message          string
	Detail           string
	Hint             string
	Position         int32 // in characters from 1, in the query
	InternalPosition int32 // likewise, in InternalQuery
	InternalQuery    string
	Where            string
	Schema           string
	Table            string
	Column           string
	DataType         string
	Constraint       string
	File             string
	Line             int32
	Routine          string
}

// checkDiagnostic walks the fields of a diagnostic: a letter and a string each,
// and a zero byte behind the last.
func checkDiagnostic(body []byte) error {
	c := protocol.Over(body)
	for c.Uint8() != 0 {
		c.CString()
	}
	return c.End()
}
