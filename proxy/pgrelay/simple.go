package pgrelay

import (
	"context"

	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// maxText is the longest text that is planned, and so the longest that a role
// with masks may send.
const maxText = 256 << 10

// query deals with a Query.
func (u *up) query(ctx context.Context, h pgwire.Header) error {
	if h.Size > maxText {
		return u.longQuery(h)
	}
	body, err := u.in.Body(maxText)
	if err != nil {
		return err
	}
	text, err := pgwire.DecodeQuery(body)
	if err != nil {
		return err
	}
	p, err := u.session.PrepareOnce(ctx, text)
	if err != nil {
		return u.refuse(query, err)
	}
	return u.sendQuery(p, text)
}

// sendQuery sends a planned text.
func (u *up) sendQuery(p *session.Prepared, text []byte) error {
	e := u.flight.blank(query)
	e.prepared = p
	if err := u.beginAll(e); err != nil {
		return u.refuseEntry(e, err)
	}
	err := u.send(e, func() error {
		if sql := p.SQL(); len(sql) != len(text) || sql != p.Text {
			return u.out.Query([]byte(sql))
		}
		return u.whole()
	})
	u.nextBatch()
	return err
}

// beginAll puts the statements of a Query on record.
func (u *up) beginAll(e *entry) error {
	for i := range e.prepared.Len() {
		q, err := u.session.Begin(e.prepared, i, session.Simple, nil)
		if err != nil {
			return err
		}
		e.queries = append(e.queries, q)
	}
	return nil
}

// longQuery deals with a text too long to be planned.
func (u *up) longQuery(h pgwire.Header) error {
	if u.session.Masked() {
		return u.refuse(query, u.session.RefuseMessage(session.TooLong(h.Size, maxText)))
	}
	start, err := u.start(startOfText)
	if err != nil {
		return err
	}
	e := u.flight.blank(query)
	e.prepared = u.session.Unplanned(string(start))
	if err := u.beginAll(e); err != nil {
		return u.refuseEntry(e, err)
	}
	err = u.send(e, u.whole)
	u.nextBatch()
	return err
}

const (
	startOfText  = 64      // enough to tell the command
	startOfNames = 8 << 10 // enough for the names in a Parse or Bind
)

// start returns the first bytes of the body of a message that is too long to be
// read as a whole.
func (u *up) start(n int) ([]byte, error) {
	const head = 5 // letter and length
	b, err := u.in.Conn().Peek(head + n)
	if err != nil {
		return nil, err
	}
	return b[head:], nil
}

// functionCall deals with a FunctionCall, which goes past all SQL.
func (u *up) functionCall() error {
	if u.session.Masked() {
		return u.refuse(query, u.session.RefuseMessage(session.ProtocolRefusal("a FunctionCall message")))
	}
	e := u.flight.blank(functionCall)
	e.prepared = u.session.Unplanned("CALL")
	if err := u.beginAll(e); err != nil {
		return u.refuseEntry(e, err)
	}
	err := u.send(e, u.whole)
	u.nextBatch()
	return err
}
