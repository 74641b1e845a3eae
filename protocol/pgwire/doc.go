// Package pgwire reads and writes messages of the PostgreSQL protocol, version
// 3.0 to 3.2, and converts the values in them between their text and their
// binary form. It knows nothing of SQL, roles or masks.
//
// # Transport
//
// A [Reader] cuts what arrives at a [protocol.Conn] into messages, a [Writer]
// writes messages to one. A pump is
//
//	in, out := pgwire.NewReader(client), pgwire.NewWriter(server)
//	client.FlushOnWait(server) // out is flushed before in waits for input
//	for {
//		h, err := in.Next() // header only; drops what is left of the last message
//		...
//		switch h.Type {
//		case pgwire.MsgQuery:
//			body, err := in.Body(limit) // all of it, valid until Next
//			q, err := pgwire.DecodeQuery(body)
//			err = out.Pass(pgwire.Frame{Type: h.Type, Body: body})
//		case pgwire.MsgCopyData:
//			_, _, err = in.PassRun(out) // this one and all that follow in the buffer
//		default:
//			err = in.CopyTo(out) // as it is, of any size, in bounded memory
//		}
//	}
//
// A message of ours is appended to what [Writer.Begin] returns and given to
// [Writer.End], or composed with one of the Append functions, which make
// complete messages, and given to [Writer.Write]. A first packet, which has no
// letter, is read with [Reader.Startup].
//
// # Memory
//
// A body aliases the Reader's buffer until the next call of Next, and so does
// everything decoded from it unless it is a string. Decoders check counts and
// lengths before they allocate, and refuse bytes left over; what they refuse is
// a [protocol.ErrMalformed].
//
// # Messages
//
//	frame.go     letters and their names
//	reader.go    messages out of a stream, and runs of one kind; writer.go into one
//	rewrite.go   the messages of such a run with other bodies
//	startup.go   StartupMessage, SSLRequest, GSSENCRequest, CancelRequest
//	settings.go  what the options of a StartupMessage set
//	query.go     client: Query, Parse, Bind, Describe, Execute, Close, FunctionCall
//	row.go       server: RowDescription, ParameterDescription, DataRow
//	copy.go      rows inside CopyData, binary; copytext.go, copycsv.go the others,
//	             copyline.go a line of theirs, byteset.go the bytes that end a cell
//	status.go    server: ReadyForQuery, CommandComplete, BackendKeyData, CopyOutResponse,
//	             ParameterStatus
//	auth.go      server: Authentication...
//	error.go     what is in an ErrorResponse or NoticeResponse
//	compose.go   messages that pgproto3 composes, and the few that it decodes
//
// # Values
//
// A [CellRewriter] changes the cells of one column where they stand, in
// [Cells] and [Copy]. The one to use is [Cell]: cell to text, text through a
// mask, text to cell, in the format that the column has.
//
//	types.go     OID and type modifier to Type
//	value.go     Codec: text and back; number.go, numeric.go, instant.go,
//	             interval.go, network.go have the types, scanner.go reads their text
//	cells.go     CellRewriter and the rows of a result
//	cell.go      Cell; array.go the elements of arrays
//
// https://www.postgresql.org/docs/current/protocol-message-formats.html
package pgwire
