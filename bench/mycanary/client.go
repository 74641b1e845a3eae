package main

import (
	"bytes"
	"time"

	"sqlveil/bench/myclient"
	"sqlveil/protocol/mywire"
)

// capabilities are what a client offers: the oldest protocol in use, where all
// that there is to see is in packets of their own.
const capabilities = mywire.CapProtocol41 | mywire.CapSecureConnection | mywire.CapPluginAuth | mywire.CapConnectWithDB |
	mywire.CapTransactions | mywire.CapMultiStatements | mywire.CapMultiResults | mywire.CapPSMultiResults

// maxReply bounds a packet of the server's.
const maxReply = 64 << 20

// patience is how long a client waits for an answer.
const patience = 30 * time.Second

// A client is a session that keeps every byte of the answers.
type client struct {
	conn   *mywire.Conn
	answer []byte // the packets of the answer, without their headers
	rows   int
	failed []byte // the last error's packet
}

func dial(addr, user, database string) (*client, error) {
	conn, err := myclient.Dial(addr, user, database, capabilities)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn}, nil
}

func (c *client) write(body []byte) error {
	if err := c.conn.Transport().SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := c.conn.Write(body); err != nil {
		return err
	}
	return c.conn.Flush()
}

// command sends a command and forgets the answer before.
func (c *client) command(body []byte) error {
	c.answer, c.rows, c.failed = c.answer[:0], 0, nil
	c.conn.Restart()
	return c.write(body)
}

// next reads a packet of an answer.
func (c *client) next() (mywire.Header, error) {
	h, err := c.conn.Next()
	if err != nil {
		return h, err
	}
	body, err := c.conn.Body(maxReply)
	if err != nil {
		return h, err
	}
	c.answer = append(c.answer, body...)
	if mywire.ReplyOf(h) == mywire.ReplyError {
		c.failed = bytes.Clone(body)
	}
	return h, nil
}

// last is the packet that was read last.
func (c *client) last(h mywire.Header) []byte { return c.answer[len(c.answer)-h.Size:] }

// query sends COM_QUERY and reads all results.
func (c *client) query(text string) error {
	if err := c.command(mywire.AppendText(nil, mywire.ComQuery, []byte(text))); err != nil {
		return err
	}
	return c.results()
}

// results reads results until none follows.
func (c *client) results() error {
	for more := true; more && c.failed == nil; {
		h, err := c.next()
		if err != nil {
			return err
		}
		var status mywire.Status
		switch mywire.ReplyOf(h) {
		case mywire.ReplyOK:
			ok, err := mywire.DecodeOK(c.last(h), capabilities)
			if err != nil {
				return err
			}
			status = ok.Status
		case mywire.ReplyError:
			return nil
		default:
			if status, err = c.result(); err != nil {
				return err
			}
		}
		more = status.Has(mywire.StatusMoreResults)
	}
	return nil
}

// result reads the columns and rows of one result.
func (c *client) result() (mywire.Status, error) {
	_, status, err := c.upToEOF()
	if err != nil || c.failed != nil || opened(status) {
		return status, err
	}
	return c.rowsEnd()
}

// opened says whether a result is to be fetched by a cursor. Inside of a procedure
// MariaDB leaves the flag of the procedure's own cursors in its results, whose rows
// follow nevertheless.
func opened(status mywire.Status) bool {
	return status.Has(mywire.StatusCursor) && !status.Has(mywire.StatusMoreResults)
}

// rowsEnd reads rows up to their end.
func (c *client) rowsEnd() (mywire.Status, error) {
	n, status, err := c.upToEOF()
	c.rows += n
	return status, err
}

// upToEOF reads packets up to an EOF or an error; n is how many there were before.
func (c *client) upToEOF() (n int, status mywire.Status, err error) {
	for ; ; n++ {
		h, err := c.next()
		if err != nil || c.failed != nil {
			return n, 0, err
		}
		if mywire.ReplyOf(h) == mywire.ReplyEOF {
			status, err := mywire.DecodeEOF(c.last(h))
			return n, status, err
		}
	}
}

// prepared prepares a statement, executes it twice, the second time by a cursor of
// which it fetches all rows, and keeps all answers.
func (c *client) prepared(text string) error {
	if err := c.command(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte(text))); err != nil {
		return err
	}
	h, err := c.next()
	if err != nil || c.failed != nil {
		return err
	}
	made, err := mywire.DecodePrepareOK(c.last(h))
	if err != nil {
		return err
	}
	// The number of the statement differs between sessions.
	c.answer = c.answer[:0]
	for _, described := range []uint16{made.Parameters, made.Columns} {
		if described > 0 {
			if _, _, err := c.upToEOF(); err != nil {
				return err
			}
		}
	}
	for cursor := range byte(2) {
		if err := c.execute(made.Statement, cursor); err != nil || c.failed != nil {
			return err
		}
	}
	return c.close(made.Statement)
}

// execute runs a prepared statement without parameters, by a cursor or not.
func (c *client) execute(id uint32, cursor byte) error {
	c.conn.Restart()
	if err := c.write(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, id), cursor, 1, 0, 0, 0)); err != nil {
		return err
	}
	if cursor == 0 {
		return c.results()
	}
	h, err := c.next()
	if err != nil || c.failed != nil || mywire.ReplyOf(h) == mywire.ReplyOK {
		return err
	}
	status, err := c.result()
	for err == nil && c.failed == nil && opened(status) && !status.Has(mywire.StatusLastRow) {
		c.conn.Restart()
		if err = c.write(append(mywire.AppendStatement(nil, mywire.ComStmtFetch, id), 5, 0, 0, 0)); err == nil {
			status, err = c.rowsEnd()
		}
	}
	if err == nil && c.failed == nil && status.Has(mywire.StatusMoreResults) { // of a procedure
		return c.results()
	}
	return err
}

func (c *client) close(id uint32) error {
	c.conn.Restart()
	return c.write(mywire.AppendStatement(nil, mywire.ComStmtClose, id))
}
