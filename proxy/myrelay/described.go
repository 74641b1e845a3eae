package myrelay

import (
	"bytes"
	"slices"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// words are packets that follow each other, such as the definitions of columns.
type words struct {
	bytes []byte
	ends  []int // where each ends in bytes
}

// maxWords is the largest description that is kept, in bytes: few are.
const maxWords = 16 << 10

func (w *words) reset() {
	if cap(w.bytes) > maxWords {
		*w = words{}
	}
	w.bytes, w.ends = w.bytes[:0], w.ends[:0]
}

func (w *words) add(body []byte) {
	w.bytes = append(w.bytes, body...)
	w.ends = append(w.ends, len(w.bytes))
}

func (w *words) equal(v *words) bool {
	return slices.Equal(w.ends, v.ends) && bytes.Equal(w.bytes, v.bytes)
}

func (w *words) clone() words { return words{bytes.Clone(w.bytes), slices.Clone(w.ends)} }

// each calls f with each packet.
func (w *words) each(f func(body []byte) error) error {
	start := 0
	for _, end := range w.ends {
		if err := f(w.bytes[start:end]); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// A described is a result as the server described it, and what was made of that. The
// next result of the statement is most often described in the same words: then there
// is nothing to be decoded and decided. It belongs to one session.
type described struct {
	statement session.Identity
	binary    bool
	heard     words // of the server's
	told      words // to the client
	columns   *columns
}

// mostDescribed is of how many texts a session keeps what their results are.
const mostDescribed = 16

// known returns what is known of the result that was heard, nil for nothing.
func (c *conn) known(a *answer) *described {
	id, ok := a.prepared.Identity(a.at)
	if !ok {
		return nil
	}
	d := c.described[id]
	if a.of != nil {
		d = a.of.described
	}
	if d == nil || d.statement != id || d.binary != a.binary || !d.heard.equal(&c.heard) {
		return nil
	}
	return d
}

// keep makes known what was made of the result that was heard.
func (c *conn) keep(a *answer, of *columns) {
	id, ok := a.prepared.Identity(a.at)
	if !ok || !of.foreseen || len(c.heard.bytes) > maxWords {
		return
	}
	d := &described{id, a.binary, c.heard.clone(), c.told.clone(), of}
	switch {
	case a.of != nil:
		a.of.described = d
	case a.binary: // of a statement that is not known
	default:
		if len(c.described) == mostDescribed {
			clear(c.described)
		}
		if c.described == nil {
			c.described = make(map[session.Identity]*described)
		}
		c.described[id] = d
	}
}

// definitions reads the n columns of a result.
func (c *conn) definitions(n int) error {
	c.heard.reset()
	for range n {
		if _, err := c.fromServer(); err != nil {
			return err
		}
		body, err := c.server.Body(maxReply)
		if err != nil {
			return err
		}
		c.heard.add(body)
	}
	return nil
}

// decoded are the columns that were heard, which they alias.
func (c *conn) decoded() ([]mywire.Column, error) {
	columns := make([]mywire.Column, 0, len(c.heard.ends))
	err := c.heard.each(func(body []byte) error {
		column, err := mywire.DecodeColumnAs(body, c.agreed)
		columns = append(columns, column)
		return err
	})
	return columns, err
}

// tell writes columns anew for the client: what was not understood of them is not
// passed on.
func (c *conn) tell(columns []mywire.Column) {
	c.told.reset()
	for i := range columns {
		c.told.bytes = columns[i].AppendAs(c.told.bytes, c.agreed)
		c.told.ends = append(c.told.ends, len(c.told.bytes))
	}
}

// release passes on the columns of a result that were held back.
func (c *conn) release(told *words) error {
	dst, err := c.client.Begin(lenencSize)
	if err != nil {
		return err
	}
	if err := c.client.End(protocol.AppendLenenc(dst, uint64(len(told.ends)))); err != nil {
		return err
	}
	return told.each(c.client.Write)
}

// lenencSize is the most that a length-encoded number takes.
const lenencSize = 9
