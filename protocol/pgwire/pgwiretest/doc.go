// Package pgwiretest plays one side of a PostgreSQL conversation from lines of
// text, for tests of what stands in the middle. A line is the name of a message
// and its fields:
//
//	Query "SELECT email FROM users"
//	Parse "s1" "SELECT $1::int" 23
//	Bind "portal" "s1" "42" NULL x"00ff" formats=0,0,1 results=1
//	Describe S "s1"
//	Execute "portal" 0
//	RowDescription email:text:users.email n:int4:binary
//	DataRow "ann@example.com" NULL x"0000002a"
//	CommandComplete "SELECT 1"
//	ErrorResponse ERROR 42501 "permission denied" detail="..." hint="..."
//	ReadyForQuery I
//
// [Notation] has the rest. A [Peer] sends such lines and expects them, over a
// net.Pipe or any other connection.
package pgwiretest
