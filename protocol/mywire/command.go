package mywire

import (
	"fmt"

	"sqlveil/protocol"
)

// A Command is the first byte of what a client sends once it is logged in.
type Command byte

// Commands of MySQL, then those that are MariaDB's own.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
const (
	ComSleep            Command = 0x00
	ComQuit             Command = 0x01
	ComInitDB           Command = 0x02
	ComQuery            Command = 0x03
	ComFieldList        Command = 0x04
	ComCreateDB         Command = 0x05
	ComDropDB           Command = 0x06
	ComRefresh          Command = 0x07
	ComShutdown         Command = 0x08
	ComStatistics       Command = 0x09
	ComProcessInfo      Command = 0x0a
	ComConnect          Command = 0x0b
	ComProcessKill      Command = 0x0c
	ComDebug            Command = 0x0d
	ComPing             Command = 0x0e
	ComTime             Command = 0x0f
	ComDelayedInsert    Command = 0x10
	ComChangeUser       Command = 0x11
	ComBinlogDump       Command = 0x12
	ComTableDump        Command = 0x13
	ComConnectOut       Command = 0x14
	ComRegisterReplica  Command = 0x15
	ComStmtPrepare      Command = 0x16
	ComStmtExecute      Command = 0x17
	ComStmtSendLongData Command = 0x18
	ComStmtClose        Command = 0x19
	ComStmtReset        Command = 0x1a
	ComSetOption        Command = 0x1b
	ComStmtFetch        Command = 0x1c
	ComDaemon           Command = 0x1d
	ComBinlogDumpGTID   Command = 0x1e
	ComResetConnection  Command = 0x1f
	ComClone            Command = 0x20

	ComStmtBulkExecute Command = 0xfa
	ComMulti           Command = 0xfe
)

var commandNames = map[Command]string{
	ComSleep:            "COM_SLEEP",
	ComQuit:             "COM_QUIT",
	ComInitDB:           "COM_INIT_DB",
	ComQuery:            "COM_QUERY",
	ComFieldList:        "COM_FIELD_LIST",
	ComCreateDB:         "COM_CREATE_DB",
	ComDropDB:           "COM_DROP_DB",
	ComRefresh:          "COM_REFRESH",
	ComShutdown:         "COM_SHUTDOWN",
	ComStatistics:       "COM_STATISTICS",
	ComProcessInfo:      "COM_PROCESS_INFO",
	ComConnect:          "COM_CONNECT",
	ComProcessKill:      "COM_PROCESS_KILL",
	ComDebug:            "COM_DEBUG",
	ComPing:             "COM_PING",
	ComTime:             "COM_TIME",
	ComDelayedInsert:    "COM_DELAYED_INSERT",
	ComChangeUser:       "COM_CHANGE_USER",
	ComBinlogDump:       "COM_BINLOG_DUMP",
	ComTableDump:        "COM_TABLE_DUMP",
	ComConnectOut:       "COM_CONNECT_OUT",
	ComRegisterReplica:  "COM_REGISTER_SLAVE",
	ComStmtPrepare:      "COM_STMT_PREPARE",
	ComStmtExecute:      "COM_STMT_EXECUTE",
	ComStmtSendLongData: "COM_STMT_SEND_LONG_DATA",
	ComStmtClose:        "COM_STMT_CLOSE",
	ComStmtReset:        "COM_STMT_RESET",
	ComSetOption:        "COM_SET_OPTION",
	ComStmtFetch:        "COM_STMT_FETCH",
	ComDaemon:           "COM_DAEMON",
	ComBinlogDumpGTID:   "COM_BINLOG_DUMP_GTID",
	ComResetConnection:  "COM_RESET_CONNECTION",
	ComClone:            "COM_CLONE",
	ComStmtBulkExecute:  "COM_STMT_BULK_EXECUTE",
	ComMulti:            "COM_MULTI",
}

// String returns the command's name as the documentation spells it.
func (c Command) String() string {
	if name, ok := commandNames[c]; ok {
		return name
	}
	return fmt.Sprintf("unknown command %#02x", byte(c))
}

// Answered says whether servers answer the command at all.
func (c Command) Answered() bool {
	return c != ComQuit && c != ComStmtClose && c != ComStmtSendLongData
}

// A Query is COM_QUERY.
type Query struct {
	Text       []byte
	Attributes []Parameter // where [CapQueryAttributes] is agreed
	attributes []byte      // as they came
}

// Decode makes q the command that body holds, and alias it.
func (q *Query) Decode(body []byte, agreed Capabilities) error {
	c := command(body, ComQuery)
	q.Attributes, q.attributes = q.Attributes[:0], nil
	if agreed.Has(CapQueryAttributes) {
		before := c.Len()
		q.Attributes = decodeAttributes(&c, q.Attributes)
		q.attributes = body[len(body)-before : len(body)-c.Len()]
	}
	q.Text = c.Rest()
	return failed("COM_QUERY", c.Err())
}

// Append appends the command as a body. Its attributes are those of the packet
// it was decoded from.
func (q *Query) Append(dst []byte, agreed Capabilities) []byte {
	dst = append(dst, byte(ComQuery))
	switch {
	case q.attributes != nil:
		dst = append(dst, q.attributes...)
	case agreed.Has(CapQueryAttributes):
		dst = append(dst, 0, 1) // none, in one set
	}
	return append(dst, q.Text...)
}

// command returns a Cursor behind the command byte of body.
func command(body []byte, want Command) protocol.Cursor {
	c := protocol.Over(body)
	if Command(c.Uint8()) != want {
		c.Fail("another command")
	}
	return c
}

// DecodeText returns what follows the command byte: the statement of
// COM_STMT_PREPARE, the database of COM_INIT_DB.
func DecodeText(body []byte) ([]byte, error) {
	c := protocol.Over(body)
	c.Uint8()
	return c.Rest(), failed("command", c.Err())
}

// AppendText appends a command that has nothing but a text, as a body.
func AppendText(dst []byte, c Command, text []byte) []byte {
	return append(append(dst, byte(c)), text...)
}

// DecodeStatement returns the statement that COM_STMT_CLOSE and COM_STMT_RESET
// are about. What follows its number is ignored, as servers do.
func DecodeStatement(body []byte) (uint32, error) {
	c := protocol.Over(body)
	c.Uint8()
	id := c.Uint32LE()
	return id, failed("statement", c.Err())
}

// AppendStatement appends such a command as a body.
func AppendStatement(dst []byte, c Command, id uint32) []byte {
	return protocol.AppendUint32LE(append(dst, byte(c)), id)
}

// DecodeFetch returns the statement whose rows COM_STMT_FETCH wants, and how many.
// What follows is ignored, as servers do.
func DecodeFetch(body []byte) (id, rows uint32, err error) {
	c := command(body, ComStmtFetch)
	id, rows = c.Uint32LE(), c.Uint32LE()
	return id, rows, failed("COM_STMT_FETCH", c.Err())
}

// A LongData is COM_STMT_SEND_LONG_DATA: a piece of a parameter.
type LongData struct {
	Statement uint32
	Parameter uint16
	Data      []byte
}

// DecodeLongData decodes it.
func DecodeLongData(body []byte) (LongData, error) {
	c := command(body, ComStmtSendLongData)
	l := LongData{c.Uint32LE(), c.Uint16LE(), c.Rest()}
	return l, failed("COM_STMT_SEND_LONG_DATA", c.Err())
}

// DecodeSetOption returns whether COM_SET_OPTION allows several statements in
// one text.
func DecodeSetOption(body []byte) (multi bool, err error) {
	c := command(body, ComSetOption)
	option := c.Uint16LE()
	if option > 1 {
		c.Fail("no such option")
	}
	return option == 0, failed("COM_SET_OPTION", c.End())
}

// A FieldList is COM_FIELD_LIST: the columns of a table, with their defaults.
type FieldList struct {
	Table, Wildcard []byte
}

// DecodeFieldList decodes it.
func DecodeFieldList(body []byte) (FieldList, error) {
	c := command(body, ComFieldList)
	f := FieldList{c.CString(), c.Rest()}
	return f, failed("COM_FIELD_LIST", c.Err())
}

// A ChangeUser is COM_CHANGE_USER: a new login in the same connection.
type ChangeUser struct {
	User       []byte
	Response   []byte
	Database   []byte
	Collation  uint16
	Plugin     string
	Attributes []byte
}

// DecodeChangeUser decodes it; its slices alias body.
func DecodeChangeUser(body []byte, agreed Capabilities) (*ChangeUser, error) {
	c := command(body, ComChangeUser)
	u := &ChangeUser{User: c.CString()}
	if agreed.Has(CapSecureConnection) {
		u.Response = c.Take(int(c.Uint8()))
	} else {
		u.Response = c.CString()
	}
	u.Database = c.CString()
	if c.Len() > 0 {
		u.Collation = c.Uint16LE()
	}
	if agreed.Has(CapPluginAuth) && c.Len() > 0 {
		u.Plugin = string(c.CString())
	}
	if agreed.Has(CapConnectAttrs) && c.Len() > 0 {
		u.Attributes = c.LenencString()
	}
	return u, failed("COM_CHANGE_USER", c.End())
}

// Append appends the command as a body.
func (u *ChangeUser) Append(dst []byte, agreed Capabilities) ([]byte, error) {
	dst = protocol.AppendCString(append(dst, byte(ComChangeUser)), u.User)
	if agreed.Has(CapSecureConnection) {
		if len(u.Response) > 255 {
			return nil, fmt.Errorf("COM_CHANGE_USER: %w: an answer of %d bytes", protocol.ErrTooLarge, len(u.Response))
		}
		dst = append(append(dst, byte(len(u.Response))), u.Response...)
	} else {
		dst = protocol.AppendCString(dst, u.Response)
	}
	dst = protocol.AppendCString(dst, u.Database)
	dst = protocol.AppendUint16LE(dst, u.Collation)
	if agreed.Has(CapPluginAuth) {
		dst = protocol.AppendCString(dst, u.Plugin)
	}
	if agreed.Has(CapConnectAttrs) {
		dst = protocol.AppendLenencString(dst, u.Attributes)
	}
	return dst, nil
}
