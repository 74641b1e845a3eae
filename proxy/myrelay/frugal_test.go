package myrelay

import (
	"sqlveil/auditlog"
	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
)

// discard is an audit log that keeps nothing.
type discard struct{}

func (discard) Append(*auditlog.Event, bool) (uint64, error) { return 1, nil }

func (discard) AppendThen(*auditlog.Event, bool, func(error)) (uint64, bool, error) {
	return 1, false, nil
}

// exchange sends a command and drops its answer of so many packets; it allocates
// nothing itself.
func (c *rawClient) exchange(command []byte, packets int) {
	c.conn.Restart()
	if err := c.conn.Write(command); err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.Flush(); err != nil {
		c.t.Fatal(err)
	}
	for range packets {
		if _, err := c.conn.Next(); err != nil {
			c.t.Fatal(err)
		}
	}
}

// packets counts the packets of the result that answers a command.
func (c *rawClient) packets(command []byte) (n int) {
	c.t.Helper()
	c.send(command)
	for eofs := 0; eofs < 2; n++ {
		body := c.next()
		if body[0] == 0xff {
			c.t.Fatalf("answered %q", body)
		}
		if body[0] == 0xfe && len(body) < 9 {
			eofs++
		}
	}
	return n
}

// prepare prepares a text and returns its number.
func (c *rawClient) prepare(text string) uint32 {
	c.t.Helper()
	c.send(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte(text)))
	made, err := mywire.DecodePrepareOK(c.next())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range []uint16{made.Parameters, made.Columns} {
		if n > 0 {
			for range n + 1 {
				c.next()
			}
		}
	}
	return made.Statement
}

// executeCommand executes a statement with one number.
func executeCommand(statement, argument uint32) []byte {
	body := append(mywire.AppendStatement(nil, mywire.ComStmtExecute, statement), 0, 1, 0, 0, 0)
	body = protocol.AppendUint16LE(append(body, 0, 1), uint16(mywire.TypeLong))
	return protocol.AppendUint32LE(body, argument)
}
