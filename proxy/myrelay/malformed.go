package myrelay

import (
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// A commandError says that a command is not what the protocol makes of its first
// byte. Nothing of it has reached the server.
type commandError struct{ error }

func (e *commandError) Unwrap() error { return e.error }

// malformed answers such a command as servers do, and the session goes on. What is
// cut off could mean something else to the server than to us, so it does not get it.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html (ER_MALFORMED_PACKET)
func (c *conn) malformed(command mywire.Command) error {
	why := &session.Refusal{Code: session.CodeProtocol, SQLState: session.StateProtocolViolation, Message: command.String() + " is malformed"}
	if err := c.session.RefuseMessage(why); err != error(why) {
		return c.refuse(err)
	}
	if err := c.client.Discard(); err != nil {
		return err
	}
	if !command.Answered() {
		return nil
	}
	told := mywire.Error{Code: mywire.CodeMalformed, State: "HY000", Message: "Malformed communication packet"}
	return c.client.Write(told.Append(nil))
}
