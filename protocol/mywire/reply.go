package mywire

import (
	"sqlveil/protocol"
)

// First bytes of a server's packet.
const (
	firstOK        = 0x00
	firstLocalFile = 0xfb
	firstEOF       = 0xfe
	firstError     = 0xff
)

// Reply is what a server's packet is, which depends on where it comes.
type Reply uint8

// What a packet can be.
const (
	ReplyOK         Reply = iota + 1 // [DecodeOK]
	ReplyError                       // [DecodeError]
	ReplyEOF                         // [DecodeEOF]
	ReplyLocalFile                   // the server wants a file of the client: [DecodeLocalFile]
	ReplyColumns                     // a result begins with the number of its columns: [DecodeColumnCount]
	ReplyRow                         // or another packet of the kind that is due
	ReplyAuthSwitch                  // log in by another method: [DecodeAuthSwitch]
	ReplyAuthMore                    // the method goes on: [DecodeAuthMore]
)

// ReplyOf says what the first packet of an answer is. Only COM_QUERY can bring
// ReplyLocalFile, and only COM_QUERY and COM_STMT_EXECUTE can bring ReplyColumns;
// for COM_STMT_PREPARE, ReplyOK is for [DecodePrepareOK].
func ReplyOf(h Header) Reply {
	switch {
	case h.Size == 0:
		return ReplyRow
	case h.First == firstOK:
		return ReplyOK
	case h.First == firstError:
		return ReplyError
	case h.First == firstEOF && h.Size < eofSize:
		return ReplyEOF
	case h.First == firstLocalFile:
		return ReplyLocalFile
	default:
		return ReplyColumns
	}
}

// ReplyToLogin says what a server's packet is while a client logs in; 0 is
// nothing that may come then.
func ReplyToLogin(h Header) Reply {
	switch {
	case h.Size == 0:
		return 0
	case h.First == firstOK:
		return ReplyOK
	case h.First == firstError:
		return ReplyError
	case h.First == authSwitch:
		return ReplyAuthSwitch
	case h.First == authMore:
		return ReplyAuthMore
	default:
		return 0
	}
}

// eofSize is the size from which a packet that begins like an EOF is none, where
// [CapDeprecateEOF] is not agreed.
const eofSize = 9

// plainEOFSize is the size of an EOF, which is less than that of any OK.
const plainEOFSize = 5

// AfterColumns says what a packet is where rows come. With CapDeprecateEOF the
// last is an OK that begins like an EOF, for DecodeOK.
func AfterColumns(h Header, agreed Capabilities) Reply {
	switch {
	case h.Size > 0 && h.First == firstError:
		return ReplyError
	case IsRow(h.First, h.Size):
		return ReplyRow
	case agreed.Has(CapDeprecateEOF):
		return ReplyOK
	default:
		return ReplyEOF
	}
}

// IsRow says whether a packet that comes where rows come is one. A row that
// begins like an EOF has a first cell of 16 MiB or more.
func IsRow(first byte, size int) bool {
	return size == 0 || first != firstError && (first != firstEOF || size == maxPart)
}

// Status is the state of a session, which OK and EOF report.
// https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html (SERVER_STATUS_flags_enum)
type Status uint16

// The flags of Status that matter to somebody who listens.
const (
	StatusInTransaction      Status = 1 << 0
	StatusAutocommit         Status = 1 << 1
	StatusMoreResults        Status = 1 << 3
	StatusCursor             Status = 1 << 6 // rows wait for COM_STMT_FETCH
	StatusLastRow            Status = 1 << 7 // and there are no more
	StatusDatabaseDropped    Status = 1 << 8
	StatusNoBackslashEscapes Status = 1 << 9
	StatusOutParameters      Status = 1 << 12
	StatusSessionChanged     Status = 1 << 14
	StatusANSIQuotes         Status = 1 << 15 // MariaDB
)

// Has says whether the flag is set.
func (s Status) Has(flag Status) bool { return s&flag != 0 }

// An OK ends a command, or a result where EOF is deprecated.
type OK struct {
	AffectedRows uint64
	InsertID     uint64
	Status       Status
	Warnings     uint16
	Info         []byte // for people
	Changes      []Change
}

// A Change is something of the session that a command changed.
type Change struct {
	Kind ChangeKind
	Data []byte // aliases the packet
}

// ChangeKind says what changed.
// https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html (enum_session_state_type)
type ChangeKind uint8

// Kinds of changes.
const (
	ChangeVariable ChangeKind = 0 // [Change.Variable]
	ChangeDatabase ChangeKind = 1 // [Change.Database]
	ChangeState    ChangeKind = 2 // something, as "1"

	ChangeUnread ChangeKind = 0xff // what cannot be told apart; no server's number
)

// Variable returns the system variable and its new value.
func (c Change) Variable() (name, value string, err error) {
	in := protocol.Over(c.Data)
	name, value = string(in.LenencString()), string(in.LenencString())
	return name, value, failed("session change", in.Err())
}

// Database returns the new current database.
func (c Change) Database() (string, error) {
	in := protocol.Over(c.Data)
	return string(in.LenencString()), failed("session change", in.Err())
}

// DecodeOK decodes an OK, also one that begins like an EOF, and an EOF: by that
// MySQL ends a result whose statement failed in a procedure that goes on, even
// where EOF is deprecated (9.7, Protocol_classic::end_partial_result_set).
func DecodeOK(body []byte, agreed Capabilities) (OK, error) {
	c := protocol.Over(body)
	if len(body) == plainEOFSize && body[0] == firstEOF {
		status, err := DecodeEOF(body)
		return OK{Status: status}, err
	}
	if first := c.Uint8(); first != firstOK && first != firstEOF {
		c.Fail("no OK")
	}
	ok := OK{AffectedRows: c.Lenenc(), InsertID: c.Lenenc(), Status: Status(c.Uint16LE()), Warnings: c.Uint16LE()}
	if !agreed.Has(CapSessionTrack) {
		ok.Info = c.Rest()
		return ok, failed("OK", c.Err())
	}
	if c.Len() > 0 {
		ok.Info = c.LenencString()
	}
	if ok.Status.Has(StatusSessionChanged) && c.Len() > 0 {
		ok.Changes = decodeChanges(c.Rest())
	}
	return ok, failed("OK", c.End())
}

// decodeChanges decodes what a session tracks. MariaDB 10.11 announces some values in
// character sets of four bytes by a length that is not theirs: from there on all that
// is known is that something changed.
func decodeChanges(block []byte) []Change {
	c := protocol.Over(block)
	in := protocol.Over(c.LenencString())
	var changes []Change
	for in.Len() > 0 {
		change := Change{ChangeKind(in.Uint8()), in.LenencString()}
		if in.Err() == nil {
			changes = append(changes, change)
		}
	}
	if c.End() != nil || in.Err() != nil {
		changes = append(changes, Change{Kind: ChangeUnread})
	}
	return changes
}

// AppendOK appends an OK as a body, without changes; asEOF begins it like an
// EOF, for the end of rows where EOF is deprecated.
func AppendOK(dst []byte, ok OK, agreed Capabilities, asEOF bool) []byte {
	first := byte(firstOK)
	if asEOF {
		first = firstEOF
	}
	dst = protocol.AppendLenenc(append(dst, first), ok.AffectedRows)
	dst = protocol.AppendLenenc(dst, ok.InsertID)
	dst = protocol.AppendUint16LE(dst, uint16(ok.Status&^StatusSessionChanged))
	dst = protocol.AppendUint16LE(dst, ok.Warnings)
	if agreed.Has(CapSessionTrack) {
		return protocol.AppendLenencString(dst, ok.Info)
	}
	return append(dst, ok.Info...)
}

// DecodeEOF decodes an EOF.
func DecodeEOF(body []byte) (Status, error) {
	c := protocol.Over(body)
	if c.Uint8() != firstEOF || len(body) >= eofSize {
		c.Fail("no EOF")
	}
	c.Uint16LE() // warnings
	status := Status(c.Uint16LE())
	return status, failed("EOF", c.End())
}

// AppendEOF appends an EOF as a body.
func AppendEOF(dst []byte, status Status) []byte {
	return protocol.AppendUint16LE(append(dst, firstEOF, 0, 0), uint16(status))
}

// An Error is an ERR packet.
type Error struct {
	Code    uint16
	State   string // SQLSTATE
	Message string
}

// stateSize is the length of an SQLSTATE.
const stateSize = 5

// stateGeneral is the SQLSTATE of an error that has none.
const stateGeneral = "HY000"

// DecodeError decodes an ERR. Before a login is answered it may lack its state.
func DecodeError(body []byte) (*Error, error) {
	c := protocol.Over(body)
	if c.Uint8() != firstError {
		c.Fail("no error")
	}
	e := &Error{Code: c.Uint16LE(), State: stateGeneral}
	message := c.Rest()
	if len(message) > stateSize && message[0] == '#' {
		e.State, message = string(message[1:1+stateSize]), message[1+stateSize:]
	}
	e.Message = string(message)
	return e, failed("ERR", c.Err())
}

// Append appends the error as a body.
func (e *Error) Append(dst []byte) []byte {
	dst = protocol.AppendUint16LE(append(dst, firstError), e.Code)
	state := e.State
	if len(state) != stateSize {
		state = stateGeneral
	}
	return append(append(append(dst, '#'), state...), e.Message...)
}

// Errors that we send ourselves, with their SQLSTATEs.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
const (
	CodeTooManyConnections = 1040 // 08004
	CodeAccessDenied       = 1045 // 28000
	CodeUnknownCommand     = 1047 // 08S01
	CodeHandshake          = 1043 // 08S01
	CodeShutdown           = 1053 // 08S01
	CodeUnknown            = 1105 // HY000
	CodeNotAllowed         = 1142 // 42000
	CodeTooLarge           = 1153 // 08S01
	CodeNotSupported       = 1235 // 42000
	CodeColumnDenied       = 1143 // 42000
	CodeMalformed          = 1835 // HY000
	CodeSecureTransport    = 3159 // HY000
)

// DecodeColumnCount returns how many columns a result has, and whether they are
// described. Where [CapMariaDBCacheMetadata] is agreed they may be those that were
// described for the statement before.
// https://mariadb.com/docs/server/reference/clientserver-protocol/4-server-response-packets/result-set-packets
func DecodeColumnCount(body []byte, agreed Capabilities) (n int, described bool, err error) {
	c := protocol.Over(body)
	columns := c.Lenenc()
	if columns == 0 || columns > maxColumns {
		c.Fail("no number of columns")
	}
	described = true
	if agreed.Has(CapMariaDBCacheMetadata) {
		described = c.Uint8() != 0
	}
	return int(columns), described, failed("column count", c.End())
}

// AppendColumnCount appends that as a body.
func AppendColumnCount(dst []byte, n int, described bool, agreed Capabilities) []byte {
	dst = protocol.AppendLenenc(dst, uint64(n))
	switch {
	case !agreed.Has(CapMariaDBCacheMetadata):
		return dst
	case described:
		return append(dst, 1)
	}
	return append(dst, 0)
}

// codeProgress is the code of an error that is none: the server tells how far it
// is with a statement, where [CapMariaDBProgress] is agreed.
// https://mariadb.com/docs/server/reference/clientserver-protocol/4-server-response-packets/err_packet
const codeProgress = 0xffff

// IsProgress says whether a packet that begins like an error only tells of
// progress; another packet follows.
func IsProgress(body []byte, agreed Capabilities) bool {
	c := protocol.Over(body)
	return agreed.Has(CapMariaDBProgress) && c.Uint8() == firstError && c.Uint16LE() == codeProgress && c.Err() == nil
}

// maxColumns is as many as a text of 8 MiB can ask for. Only in tables do servers count
// columns by 16 bits.
const maxColumns = 1 << 22

// DecodeLocalFile returns the name of the client's file that the server wants.
func DecodeLocalFile(body []byte) ([]byte, error) {
	c := protocol.Over(body)
	if c.Uint8() != firstLocalFile {
		c.Fail("no request for a file")
	}
	return c.Rest(), failed("LOCAL INFILE", c.Err())
}

// A PrepareOK is the first packet of the answer to COM_STMT_PREPARE. The
// parameters' columns follow, then the result's.
type PrepareOK struct {
	Statement  uint32
	Columns    uint16
	Parameters uint16
	Warnings   uint16
}

// DecodePrepareOK decodes it.
func DecodePrepareOK(body []byte) (PrepareOK, error) {
	c := protocol.Over(body)
	if c.Uint8() != firstOK {
		c.Fail("no OK")
	}
	p := PrepareOK{Statement: c.Uint32LE(), Columns: c.Uint16LE(), Parameters: c.Uint16LE()}
	c.Uint8()
	if c.Len() > 0 { // a server from before 5.0 ends here
		p.Warnings = c.Uint16LE()
	}
	return p, failed("PrepareOK", c.End())
}

// Append appends it as a body.
func (p PrepareOK) Append(dst []byte) []byte {
	dst = protocol.AppendUint32LE(append(dst, firstOK), p.Statement)
	dst = protocol.AppendUint16LE(dst, p.Columns)
	dst = protocol.AppendUint16LE(dst, p.Parameters)
	return protocol.AppendUint16LE(append(dst, 0), p.Warnings)
}
