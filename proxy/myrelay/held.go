package myrelay

import (
	"errors"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// What a client can make the proxy keep in memory is bounded, for each session.
const (
	// maxHeld is how much its prepared statements may take, in bytes.
	maxHeld = 64 << 20
	// perStatement and perParameter are about what one takes beside its text, and
	// perColumn what is made of a column beside its description.
	perStatement, perParameter, perColumn = 2 << 10, 64, 256

	// maxLong is how much of a guarded parameter that comes in pieces is looked at, and
	// maxLongHeld how much of all that wait for an execution.
	maxLong, maxLongHeld = 64 << 10, 1 << 20

	// maxParameters bounds the parameters of an execution that are looked at.
	maxParameters = 64 << 20
	// maxOpenParameters bounds those that are looked at for the audit log alone.
	maxOpenParameters = 1 << 20
)

// hold keeps a statement.
func (c *conn) hold(st *statement) {
	st.size = perStatement + len(st.sent) + len(st.prepared.Text) + len(st.heard.bytes) + perParameter*st.params
	c.held += st.size
	c.statements[st.id] = st
	c.last = st
}

// size is about what it takes in memory; nil takes nothing.
func (d *described) size() int {
	if d == nil {
		return 0
	}
	return len(d.heard.bytes) + len(d.told.bytes) + perColumn*len(d.heard.ends)
}

// holdDescribed keeps what was made of a statement's result in place of what was made
// of the one before, while that leaves room for statements.
func (c *conn) holdDescribed(st *statement, d *described) {
	more := d.size() - st.described.size()
	if c.held+more > maxHeld/2 {
		more, d = -st.described.size(), nil
	}
	st.described = d
	st.size += more
	c.held += more
}

// drop forgets a statement.
func (c *conn) drop(st *statement) {
	c.closeCursor(st, "closed")
	c.dropLong(st)
	c.held -= st.size
	delete(c.statements, st.id)
	if c.last == st {
		c.last = nil
	}
}

// dropAll forgets all statements.
func (c *conn) dropAll() {
	for _, st := range c.statements {
		c.drop(st)
	}
	c.last = nil
}

// full refuses to prepare one more statement when those that are kept take too much.
func (c *conn) full() error {
	if c.held < maxHeld {
		return nil
	}
	return c.session.RefuseMessage(session.TooManyStatements())
}

// keepLong keeps a piece of a parameter. What is not kept counts as unreadable.
func (c *conn) keepLong(st *statement, piece mywire.LongData) {
	if int(piece.Parameter) >= st.params {
		return // which the server will complain of
	}
	st.execute.SetLong(piece.Parameter, st.params)
	kept := st.long[piece.Parameter]
	data := piece.Data[:min(len(piece.Data), maxLong-len(kept))]
	if c.longHeld+len(data) > maxLongHeld {
		st.lost = true
		return
	}
	if st.long == nil {
		st.long = make(map[uint16][]byte)
	}
	st.long[piece.Parameter] = append(kept, data...)
	c.longHeld += len(data)
}

// longText is a parameter that came in pieces; false when it is not known.
func (st *statement) longText(parameter int) ([]byte, bool) {
	text, ok := st.long[uint16(parameter)]
	return text, ok && !st.lost
}

// dropLong forgets the parameters that came in pieces.
func (c *conn) dropLong(st *statement) {
	for _, kept := range st.long {
		c.longHeld -= len(kept)
	}
	st.long, st.lost = nil, false
	st.execute.Reset()
}

// executeBody is COM_STMT_EXECUTE as far as it is looked at: of a long one of a role
// that sees everything only what stands before the parameters.
func (c *conn) executeBody(h mywire.Header) ([]byte, error) {
	if h.Size > maxOpenParameters && !c.session.Masked() {
		const header, head = 4, 10
		packet, err := c.client.Transport().Peek(header + head)
		if err != nil {
			return nil, err
		}
		return packet[header:], nil
	}
	body, err := c.client.Body(maxParameters)
	if errors.Is(err, protocol.ErrTooLarge) {
		return nil, c.session.RefuseMessage(session.TooLarge(maxParameters))
	}
	return body, err
}
