// Package pgrelay relays between PostgreSQL clients and a PostgreSQL server.
//
// [Relay.Serve] lets the server log the client in and then runs two pumps. The up
// pump reads the client: it lets the session plan and record the statements, and
// notes each message that is owed an answer in the flight queue. The down pump
// reads the server: the queue tells it which message each answer belongs to, so
// that it knows the masks of every row and the outcome of every statement.
//
//	client --> up ----> session.Prepare, Begin --> server
//	             \ flight queue
//	client <-- down <-- session.Describe, End  <-- server
//
// Both pumps are tasks of one loop (package protocol/loop): they take turns on its
// thread, with TLS or without.
//
// For a role that sees everything the bytes pass as they are. For any other, a
// statement that is refused is replaced by one that fails, and the server's error
// by the refusal: so the server itself keeps the state of the transaction and of
// the batch, and nothing of the refused statement reaches it.
//
// https://www.postgresql.org/docs/current/protocol-flow.html
package pgrelay
