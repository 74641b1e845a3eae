package pgwire

import "fmt"

// A Frame is one message: its letter and what follows the length.
type Frame struct {
	Type byte
	Body []byte
}

// A Header is what a message says of itself before its body.
type Header struct {
	Type byte
	Size int // of the body
}

const (
	headerSize = 5 // letter and length
	lengthSize = 4 // the length counts itself

	// MaxBody is the largest body that PostgreSQL itself sends or takes.
	// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/libpq/libpq.h (PQ_LARGE_MESSAGE_LIMIT)
	MaxBody = 1<<30 - 2 - lengthSize
)

// Messages that a client sends.
const (
	MsgBind         = 'B'
	MsgClose        = 'C'
	MsgCopyFail     = 'f'
	MsgDescribe     = 'D'
	MsgExecute      = 'E'
	MsgFlush        = 'H'
	MsgFunctionCall = 'F'
	MsgParse        = 'P'
	MsgPassword     = 'p' // also SASLInitialResponse, SASLResponse and GSSResponse
	MsgQuery        = 'Q'
	MsgSync         = 'S'
	MsgTerminate    = 'X'
)

// Messages that either side sends.
const (
	MsgCopyData = 'd'
	MsgCopyDone = 'c'
)

// Messages that a server sends.
const (
	MsgAuthentication           = 'R'
	MsgBackendKeyData           = 'K'
	MsgBindComplete             = '2'
	MsgCloseComplete            = '3'
	MsgCommandComplete          = 'C'
	MsgCopyBothResponse         = 'W'
	MsgCopyInResponse           = 'G'
	MsgCopyOutResponse          = 'H'
	MsgDataRow                  = 'D'
	MsgEmptyQueryResponse       = 'I'
	MsgErrorResponse            = 'E'
	MsgFunctionCallResponse     = 'V'
	MsgNegotiateProtocolVersion = 'v'
	MsgNoData                   = 'n'
	MsgNoticeResponse           = 'N'
	MsgNotificationResponse     = 'A'
	MsgParameterDescription     = 't'
	MsgParameterStatus          = 'S'
	MsgParseComplete            = '1'
	MsgPortalSuspended          = 's'
	MsgReadyForQuery            = 'Z'
	MsgRowDescription           = 'T'
)

var clientNames = map[byte]string{
	MsgBind:         "Bind",
	MsgClose:        "Close",
	MsgCopyData:     "CopyData",
	MsgCopyDone:     "CopyDone",
	MsgCopyFail:     "CopyFail",
	MsgDescribe:     "Describe",
	MsgExecute:      "Execute",
	MsgFlush:        "Flush",
	MsgFunctionCall: "FunctionCall",
	MsgParse:        "Parse",
	MsgPassword:     "PasswordMessage",
	MsgQuery:        "Query",
	MsgSync:         "Sync",
	MsgTerminate:    "Terminate",
}

var serverNames = map[byte]string{
	MsgAuthentication:           "Authentication",
	MsgBackendKeyData:           "BackendKeyData",
	MsgBindComplete:             "BindComplete",
	MsgCloseComplete:            "CloseComplete",
	MsgCommandComplete:          "CommandComplete",
	MsgCopyBothResponse:         "CopyBothResponse",
	MsgCopyData:                 "CopyData",
	MsgCopyDone:                 "CopyDone",
	MsgCopyInResponse:           "CopyInResponse",
	MsgCopyOutResponse:          "CopyOutResponse",
	MsgDataRow:                  "DataRow",
	MsgEmptyQueryResponse:       "EmptyQueryResponse",
	MsgErrorResponse:            "ErrorResponse",
	MsgFunctionCallResponse:     "FunctionCallResponse",
	MsgNegotiateProtocolVersion: "NegotiateProtocolVersion",
	MsgNoData:                   "NoData",
	MsgNoticeResponse:           "NoticeResponse",
	MsgNotificationResponse:     "NotificationResponse",
	MsgParameterDescription:     "ParameterDescription",
	MsgParameterStatus:          "ParameterStatus",
	MsgParseComplete:            "ParseComplete",
	MsgPortalSuspended:          "PortalSuspended",
	MsgReadyForQuery:            "ReadyForQuery",
	MsgRowDescription:           "RowDescription",
}

// ClientMessage returns the name of a message that a client sends, for people.
func ClientMessage(letter byte) string { return messageName(clientNames, letter) }

// ServerMessage returns the name of a message that a server sends, for people.
func ServerMessage(letter byte) string { return messageName(serverNames, letter) }

func messageName(names map[byte]string, letter byte) string {
	if name, ok := names[letter]; ok {
		return name
	}
	return fmt.Sprintf("unknown message %q", letter)
}
