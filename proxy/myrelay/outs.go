package myrelay

import (
	"bytes"

	"sqlveil/protocol/mywire"
)

// outParameters says whether a result whose n columns have been read is what a
// procedure put into parameters. Nothing but the status tells, which stands behind
// the columns, or, where the EOF there is deprecated, behind the only row. That row
// is returned when it had to be read; the packet behind it is the next one.
func (c *conn) outParameters(a *answer, n int) (first []byte, out bool, err error) {
	if !a.binary || a.prepared.Open() || a.prepared.Outs(a.at) != n {
		return nil, false, nil
	}
	h, err := c.fromServer()
	if err != nil {
		return nil, false, err
	}
	if c.agreed.Has(mywire.CapDeprecateEOF) && mywire.AfterColumns(h, c.agreed) == mywire.ReplyRow {
		body, err := c.server.Body(maxRow)
		if err != nil {
			return nil, false, err
		}
		first = bytes.Clone(body)
		if h, err = c.fromServer(); err != nil {
			return nil, false, err
		}
	}
	c.ahead = &h
	if reply := mywire.AfterColumns(h, c.agreed); reply == mywire.ReplyRow || reply == mywire.ReplyError {
		return first, false, nil
	}
	_, status, _, err := c.lastPacket()
	return first, status.Has(mywire.StatusOutParameters), err
}

// outResult passes on what a procedure put into parameters. The plan has seen to it
// that nothing of that is protected.
func (c *conn) outResult(a *answer, anew bool, first []byte) (phase, error) {
	described, err := c.decoded()
	if err != nil {
		return idle, err
	}
	if !a.muted {
		c.tell(described)
		if err := c.release(&c.told, anew); err != nil {
			return idle, err
		}
	}
	if !c.agreed.Has(mywire.CapDeprecateEOF) {
		if _, failed, err := c.columnsEnd(a); err != nil || failed {
			return idle, err
		}
	}
	if first != nil && !a.muted {
		if err := c.client.Write(first); err != nil {
			return idle, err
		}
	}
	of := c.unwatched()
	of.outs = true
	return c.rows(a, of)
}
