package myclient

import (
	"errors"
	"fmt"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
)

// Modern are the capabilities of most clients of today: no EOF stands behind the
// columns of a result.
const Modern = mywire.CapProtocol41 | mywire.CapSecureConnection | mywire.CapPluginAuth | mywire.CapConnectWithDB |
	mywire.CapTransactions | mywire.CapMultiResults | mywire.CapPSMultiResults | mywire.CapDeprecateEOF

// A Client is a session that counts the rows it is sent and looks at nothing in
// them, so that it costs little beside what it measures.
type Client struct {
	// Row is shown every row, unless it is nil.
	Row func(row []byte)

	conn   *mywire.Conn
	buffer []byte // of the command
}

// Open logs a user of proxytest's in at addr with the capabilities Modern.
func Open(addr, user, database string) (*Client, error) {
	conn, err := Dial(addr, user, database, Modern)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn}, nil
}

// OpenTLS is Open with TLS.
func OpenTLS(addr, user, database string) (*Client, error) {
	conn, err := Dial(addr, user, database, Modern|mywire.CapSSL)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn}, nil
}

// Close leaves.
func (c *Client) Close() error {
	c.conn.Restart()
	err := errors.Join(c.conn.Write([]byte{byte(mywire.ComQuit)}), c.conn.Flush())
	return errors.Join(err, c.conn.Transport().Close())
}

// Query sends a text and returns how many rows answer it.
func (c *Client) Query(text string) (rows int, err error) {
	c.buffer = append(append(c.buffer[:0], byte(mywire.ComQuery)), text...)
	if err := c.send(); err != nil {
		return 0, err
	}
	return c.result()
}

// Prepare prepares a statement and returns its number.
func (c *Client) Prepare(text string) (statement uint32, err error) {
	c.buffer = append(append(c.buffer[:0], byte(mywire.ComStmtPrepare)), text...)
	if err := c.send(); err != nil {
		return 0, err
	}
	body, err := c.answer()
	if err != nil {
		return 0, err
	}
	made, err := mywire.DecodePrepareOK(body)
	if err != nil {
		return 0, err
	}
	return made.Statement, c.skip(int(made.Parameters) + int(made.Columns))
}

// Execute executes a statement with whole numbers for its parameters and returns
// how many rows answer it.
func (c *Client) Execute(statement uint32, parameters ...uint64) (rows int, err error) {
	c.buffer = append(mywire.AppendStatement(c.buffer[:0], mywire.ComStmtExecute, statement), 0, 1, 0, 0, 0)
	if len(parameters) > 0 {
		for range (len(parameters) + 7) / 8 {
			c.buffer = append(c.buffer, 0) // nothing is NULL
		}
		c.buffer = append(c.buffer, 1)
		for range parameters {
			c.buffer = protocol.AppendUint16LE(c.buffer, uint16(mywire.TypeLongLong))
		}
		for _, p := range parameters {
			c.buffer = protocol.AppendUint64LE(c.buffer, p)
		}
	}
	if err := c.send(); err != nil {
		return 0, err
	}
	return c.result()
}

// send sends the command in the buffer.
func (c *Client) send() error {
	c.conn.Restart()
	if err := c.conn.Write(c.buffer); err != nil {
		return err
	}
	return c.conn.Flush()
}

// answer is the first packet of an answer. An error is one of ours.
func (c *Client) answer() ([]byte, error) {
	h, err := c.conn.Next()
	if err != nil {
		return nil, err
	}
	body, err := c.conn.Body(maxPacket)
	if err != nil {
		return nil, err
	}
	return body, asError(h, body)
}

// asError is the error that a packet holds, if it holds one.
func asError(h mywire.Header, body []byte) error {
	if mywire.ReplyOf(h) != mywire.ReplyError {
		return nil
	}
	e, err := mywire.DecodeError(body)
	if err != nil {
		return err
	}
	return fmt.Errorf("error %d: %s", e.Code, e.Message)
}

func (c *Client) skip(packets int) error {
	for range packets {
		if _, err := c.conn.Next(); err != nil {
			return err
		}
	}
	return nil
}

// result reads a result, or an OK.
func (c *Client) result() (rows int, err error) {
	body, err := c.answer()
	if err != nil || body[0] == 0 {
		return 0, err
	}
	columns, _, err := mywire.DecodeColumnCount(body, 0)
	if err != nil {
		return 0, err
	}
	if err := c.skip(columns); err != nil {
		return 0, err
	}
	for {
		h, err := c.conn.Next()
		if err != nil {
			return rows, err
		}
		last := mywire.AfterColumns(h, Modern) != mywire.ReplyRow
		if !last {
			rows++
		}
		if !last && c.Row == nil {
			continue
		}
		body, err := c.conn.Body(maxPacket)
		if err != nil {
			return rows, err
		}
		if last {
			return rows, asError(h, body)
		}
		c.Row(body)
	}
}
