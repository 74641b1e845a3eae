package myrelay

import (
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// A number is how MySQL numbers what a SQLSTATE says.
type number struct {
	code  uint16
	state string
}

// numbers are the errors that stand for the SQLSTATEs of refusals. Those of
// PostgreSQL's that no MySQL server sends come from package session.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
var numbers = map[string]number{
	session.StateInsufficientPrivilege: {mywire.CodeNotAllowed, "42000"},
	session.StateIOError:               {mywire.CodeUnknown, "HY000"},
	session.StateInvalidAuthorization:  {mywire.CodeAccessDenied, "28000"},
	session.StateFeatureNotSupported:   {1615, "HY000"}, // to be prepared again
	session.StateTooManyConnections:    {mywire.CodeTooManyConnections, "08004"},
	session.StateOutOfMemory:           {1461, "42000"},                // too many prepared statements
	session.StateTooLarge:              {mywire.CodeTooLarge, "08S01"}, // a packet
	"26000":                            {1243, "HY000"},                // no such prepared statement
	"34000":                            {1324, "42000"},                // no such cursor
	"42601":                            {1064, "42000"},
	"42000":                            {1064, "42000"},
	"42S02":                            {1146, "42S02"},
	"42S22":                            {1054, "42S22"},
	"42S01":                            {1050, "42S01"},
	"23000":                            {1052, "23000"}, // the name of a column is ambiguous
	"21000":                            {1222, "21000"}, // another number of columns
	"3D000":                            {1046, "3D000"}, // no database selected
}

// errorOf is what a client is told of a refusal.
func errorOf(why *session.Refusal) *mywire.Error {
	n := numbers[session.StateInsufficientPrivilege]
	if why.SQLState != "" {
		var ok bool
		if n, ok = numbers[why.SQLState]; !ok {
			n = number{mywire.CodeUnknown, why.SQLState}
		}
	}
	return &mywire.Error{Code: n.code, State: n.state, Message: why.Error()}
}

// sanitised is an error of the server's without its words, which can quote a value.
func sanitised(e *mywire.Error) *mywire.Error {
	return &mywire.Error{Code: e.Code, State: e.State, Message: "sqlveil: the server's own words may quote protected data and are withheld"}
}
