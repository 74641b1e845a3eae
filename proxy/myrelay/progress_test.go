package myrelay

import (
	"bytes"
	"testing"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
)

// stage is a packet that tells of progress: stage 1 of 2, half done.
const stage = "\xff\xff\xff\x01\x01\x02\x50\xc3\x00\x05alter"

// progressServer lets everybody in and tells of progress before it answers an
// ALTER TABLE.
func progressServer(c *mywire.Conn) error {
	greeting := mywire.Greeting{
		Version: "10.11.0-MariaDB", ThreadID: 7, Challenge: challenge(), Collation: 45, Plugin: "mysql_native_password",
		Capabilities: scriptedCapabilities&^mywire.CapMySQL | mywire.CapMariaDBProgress,
	}
	if _, err := exchange(c, greeting.Append(nil)); err != nil {
		return err
	}
	ok := mywire.AppendOK(nil, mywire.OK{Status: mywire.StatusAutocommit}, 0, false)
	ask := mywire.AuthSwitch{Plugin: "mysql_native_password", Challenge: challenge()}
	if _, err := exchange(c, ask.Append(nil)); err != nil {
		return err
	}
	column := mywire.Column{Name: []byte("x"), Type: mywire.TypeVarString}
	for answer := [][]byte{ok}; ; {
		for _, body := range answer {
			if err := c.Write(body); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		c.Restart()
		command, err := c.Packet(1 << 16)
		switch {
		case err != nil:
			return err
		case bytes.Contains(command.Body, []byte("ALTER")):
			answer = [][]byte{[]byte(stage), []byte(stage), ok}
		default: // of the session's surroundings
			eof := mywire.AppendEOF(nil, mywire.StatusAutocommit)
			row := protocol.AppendLenencString([]byte{0xfb}, "|utf8mb4|10.11.0-MariaDB")
			answer = [][]byte{{2}, column.Append(nil), column.Append(nil), eof, row, eof}
		}
	}
}

// A client that asks for it is told how far a statement is; one whose role has
// masks is told only of the end.
func TestProgress(t *testing.T) {
	r := newRig(t, func(relay *Relay) { relay.Address = scripted(t, progressServer) })
	r.exec("CREATE TABLE " + r.database + ".plain (id int)")
	for user, want := range map[string]int{"dba": 2, "analyst": 0} {
		c := r.raw(user, mywire.CapMariaDBProgress)
		c.send(mywire.AppendText(nil, mywire.ComQuery, []byte("ALTER TABLE "+r.database+".plain ADD COLUMN extra int")))
		told := 0
		body := c.next()
		for ; mywire.IsProgress(body, c.agreed); body = c.next() {
			if told++; string(body) != stage {
				t.Errorf("%s: told %q", user, body)
			}
		}
		if told != want || body[0] != 0 {
			t.Errorf("%s: told %d times, want %d; then %q", user, told, want, body)
		}
		c.send([]byte{byte(mywire.ComQuit)})
	}
}
