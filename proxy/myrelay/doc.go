// Package myrelay relays between MySQL clients and a MySQL or MariaDB server.
//
// [Relay.Serve] lets the server log the client in and then takes one command of
// the client's after the other: the protocol is half-duplex, so one task
// (package protocol/loop) does for a session. A text is planned and recorded by the session, sent, and
// its answer passed on with the cells masked that the plan says:
//
//	client --> command --> session.Prepare, Begin --> server
//	client <-- answer  <-- session.Describe, End  <-- server
//
// For a role that sees everything the bytes pass as they are. For any other, a
// statement that is refused is answered here, and nothing of it reaches the
// server. A result that is not as planned is read to its end and not passed on.
//
//	relay.go       the session's beginning and end
//	login.go       TLS on both sides, authentication passed through
//	sha2.go        passwords that are encrypted for one side alone
//	exchange.go    commands, and the state table of their answers
//	fieldlist.go   COM_FIELD_LIST
//	counts.go      what a statement says of the rows that it wrote
//	result.go      columns and rows
//	described.go   descriptions of columns, and what was made of them before
//	outs.go        what a procedure puts into parameters
//	prepared.go    COM_STMT_*
//	held.go        what a client can make the relay keep
//	kill.go        whom a KILL meets
//	left.go        clients that leave while a statement runs
//	malformed.go   commands that are none
//	ask.go         questions of our own
//	diagnostic.go  errors
//
// https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
package myrelay
