package pgwiretest

import (
	"strings"
	"testing"

	"sqlveil/protocol/pgwire"
)

var notation = &Notation{
	Columns: map[string]Origin{"users.email": {16384, 2}},
	Types:   map[string]uint32{"citext": 16500},
}

func TestLinesSurviveEncoding(t *testing.T) {
	t.Parallel()
	lines := map[Side]string{
		Client: `Query "SELECT 'ä'\n"
Parse "" "SELECT 1"
Parse "s1" "SELECT $1, $2" 23 0
Bind "" ""
Bind "p" "s1" "1" NULL x"00ff" "" formats=0,0,1,0 results=1
Describe S "s1"
Describe P ""
Close P "p"
Execute "" 0
Execute "p" 10
Sync
Flush
Terminate
PasswordMessage "secret\x00"
CopyData "1\tann\n"
CopyDone
CopyFail "enough"
FunctionCall 2000 "a" NULL formats=1 result=1
FunctionCall 2000`,
		Server: `AuthenticationOk
AuthenticationSASL "SCRAM-SHA-256-PLUS" "SCRAM-SHA-256"
Authentication 5 "salt"
Authentication 3
BackendKeyData 42 x"01020304"
BindComplete
CloseComplete
CommandComplete "SELECT 1"
CopyData "x"
CopyDone
CopyInResponse text 2
CopyOutResponse binary 3
CopyBothResponse text 0
DataRow
DataRow "a" NULL "" x"ff"
EmptyQueryResponse
ErrorResponse ERROR 42501 "no" detail="d" position="7"
NoticeResponse WARNING 01000 "hm"
FunctionCallResponse NULL
FunctionCallResponse "42"
NegotiateProtocolVersion 196608 "_pq_.x"
NoData
NotificationResponse 7 "channel" "payload"
ParameterDescription 23 25
ParameterStatus "server_version" "17.0"
ParseComplete
PortalSuspended
ReadyForQuery I
RowDescription
RowDescription email:text:users.email n:int4:binary c:citext v:varchar:typmod=14 o:9999`,
	}
	for side, text := range lines {
		for _, line := range strings.Split(text, "\n") {
			message, err := notation.Encode(side, line)
			if err != nil {
				t.Error(err)
				continue
			}
			got := notation.Decode(side, pgwire.Frame{Type: message[0], Body: message[5:]})
			if got != strings.ReplaceAll(line, `"secret\x00"`, `x"73656372657400"`) {
				t.Errorf("got  %s\nwant %s", got, line)
			}
		}
	}
}

func TestWrongLines(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"Nonsense", `Query "a" "b"`, "Query", `Query "a`, `DataRow x"0`, "RowDescription a", "RowDescription a:nothing",
		"RowDescription a:text:no.where", "ErrorResponse ERROR 42501 \"x\" nonsense=\"y\"", "CopyInResponse blue 1",
		`Execute "" many`, `Bind "" "" results=x`,
	} {
		for _, side := range []Side{Client, Server} {
			if b, err := notation.Encode(side, line); err == nil {
				t.Errorf("%s: %x", line, b)
			}
		}
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	client, conn := Pipe(t, Client, notation)
	server := NewPeer(t, Server, notation, conn)
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Send("SSLRequest")
		client.ExpectByte('N')
		client.Send("Startup version=3.2 user=ann database=shop _pq_.x=1")
		client.Expect("AuthenticationOk", "ReadyForQuery I")
		client.Send(`Query "SELECT 1"`, "Terminate")
		client.ExpectEnd()
	}()
	server.ExpectStartup("SSLRequest")
	server.Send("Raw N")
	server.ExpectStartup("Startup version=3.2 user=ann database=shop _pq_.x=1")
	server.Send("AuthenticationOk", "ReadyForQuery I")
	server.Expect(`Query "SELECT 1"`, "Terminate")
	server.Close()
	<-done
}

func TestMalformedMessagesAreShown(t *testing.T) {
	t.Parallel()
	got := notation.Decode(Client, pgwire.Frame{Type: 'Q', Body: []byte("ab")})
	if got != `Query malformed "ab"` {
		t.Error(got)
	}
}
