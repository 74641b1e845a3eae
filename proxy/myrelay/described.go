package myrelay

import (
	"bytes"
	"fmt"
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

// copy makes w the same as v.
func (w *words) copy(v *words) {
	w.bytes, w.ends = append(w.bytes[:0], v.bytes...), append(w.ends[:0], v.ends...)
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
		c.holdDescribed(a.of, d)
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

// definitions hears the n columns of a result: as the server describes them anew, or
// as it has before.
// https://mariadb.com/docs/server/reference/clientserver-protocol/4-server-response-packets/result-set-packets
func (c *conn) definitions(a *answer, n int, anew bool) error {
	c.heard.reset()
	if !anew {
		if a.of == nil || len(a.of.heard.ends) != n {
			return fmt.Errorf("columns that were not described: %w", protocol.ErrMalformed)
		}
		c.heard.copy(&a.of.heard)
		return nil
	}
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
	if heard := c.hearing(a.of); heard != nil {
		heard.copy(&c.heard)
	}
	return nil
}

// hearing returns where the columns of a statement are kept that the server may
// take to be known, empty; nil where it does not.
func (c *conn) hearing(st *statement) *words {
	if st == nil || !c.agreed.Has(mywire.CapMariaDBCacheMetadata) {
		return nil
	}
	st.heard.reset()
	return &st.heard
}

// passDefinitions passes on the n columns of a result, which are added to heard
// unless that is nil.
func (c *conn) passDefinitions(n int, heard *words) error {
	for range n {
		if _, err := c.fromServer(); err != nil {
			return err
		}
		if heard != nil {
			body, err := c.server.Body(maxReply)
			if err != nil {
				return err
			}
			heard.add(body)
		}
		if err := c.server.CopyTo(c.client); err != nil {
			return err
		}
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

// release passes on the columns of a result that were held back, or only how many
// there are where the server does not describe them anew.
func (c *conn) release(told *words, anew bool) error {
	dst, err := c.client.Begin(countSize)
	if err != nil {
		return err
	}
	if err := c.client.End(mywire.AppendColumnCount(dst, len(told.ends), anew, c.agreed)); err != nil || !anew {
		return err
	}
	return told.each(c.client.Write)
}

// countSize is the most that the number of columns takes.
const countSize = 10
