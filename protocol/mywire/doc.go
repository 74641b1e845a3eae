// Package mywire reads and writes packets of the MySQL protocol as MySQL and
// MariaDB speak it since 4.1, and converts the values in them between their text
// and their binary form. It knows nothing of SQL, roles or masks.
//
// # Transport
//
// The protocol is half-duplex: a command, then its answer. A [Conn] reads and
// writes one connection and keeps its sequence numbers; the two Conns of a
// session number their packets independently, so packets can be added and left
// out on the way.
//
//	client.Transport().FlushOnWait(server.Transport())
//	server.Transport().FlushOnWait(client.Transport())
//	client.Restart()
//	h, err := client.Next()         // the command's first byte is h.First
//	body, err := client.Body(limit) // all of it, valid until Next
//	server.Restart()
//	err = server.Write(body)
//	h, err = server.Next()          // waits, and so flushes first
//	switch mywire.ReplyOf(h) { ... }
//
// Nothing compressed can be read, so [Capabilities.Readable] takes compression, and what
// else would hide the columns of a result, out of the capabilities of both
// sides.
//
// # Commands and their answers
//
//	COM_QUERY                 OK | ERR | LOCAL INFILE | result
//	COM_STMT_EXECUTE          OK | ERR | result of binary rows
//	COM_STMT_FETCH            ERR | binary rows, EOF
//	COM_STMT_PREPARE          ERR | PrepareOK, parameters, EOF, columns, EOF
//	COM_FIELD_LIST            ERR | columns, EOF
//	COM_STATISTICS            a text
//	COM_STMT_CLOSE,
//	COM_STMT_SEND_LONG_DATA   nothing at all
//	COM_CHANGE_USER           authentication, OK | ERR
//	the others                OK | ERR (some an EOF)
//
// A result is a count, as many columns, EOF, rows, and EOF; where both sides
// have [CapDeprecateEOF] the first EOF is missing and the second is an OK that
// begins like an EOF. While the status says [StatusMoreResults] another answer
// follows.
//
// # Files
//
//	packet.go      parts, numbers, joining and splitting
//	capability.go  what the sides agree to speak
//	handshake.go   greeting, answer to it, TLS, changes of the method
//	command.go     what a client asks
//	parameter.go   parameters of COM_STMT_EXECUTE and query attributes
//	bulk.go        rows of parameters of COM_STMT_BULK_EXECUTE
//	reply.go       what a first byte means, OK, ERR, EOF
//	column.go      the description of a column
//	row.go         rows of both kinds, with other cells
//	rewrite.go     the rows of a buffer in one run
//	types.go       the types of columns, and what their values mean
//	value.go       Codec: cell to text and back; temporal.go dates and times
//	cell.go        Cell: a mask for the cells of one column
//
// https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
// https://mariadb.com/docs/server/reference/clientserver-protocol
package mywire
