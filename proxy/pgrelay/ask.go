package pgrelay

import (
	"bytes"
	"context"
	"crypto/rand"
	"strconv"

	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// A question is a query or a FunctionCall of ours among the client's messages.
type question struct {
	rows  [][]*string // of a query
	value []byte      // of a FunctionCall
	err   error       // *session.ServerError, or session.ErrSkipped
	idle  bool        // asked between two batches, and a batch of its own
}

// name returns a name that the client cannot collide with: it cannot guess it.
func (u *up) name(kind string) string {
	if u.reserved == "" {
		u.reserved = "sqlveil_" + rand.Text() + "_"
	}
	u.asked++
	return u.reserved + kind + strconv.Itoa(u.asked)
}

// Drain implements [session.Wire].
func (u *up) Drain(context.Context) (session.Standing, error) {
	if err := u.push(); err != nil {
		return session.Ready, err
	}
	return u.flight.drain()
}

// push sends what waits to be sent and makes the server answer it.
func (u *up) push() error {
	if u.open {
		if err := u.out.FlushMessage(); err != nil {
			return err
		}
	}
	return u.out.Flush()
}

// Ask implements [session.Wire]. The query has a statement and a portal of its own
// name, so the client's unnamed ones stay as they are. Between two batches it ends
// with a Sync; within one it must not, since that would end the client's implicit
// transaction.
func (u *up) Ask(ctx context.Context, sql string) ([][]*string, error) {
	u.session.Metrics().Questions.Add(1)
	q := &question{idle: !u.open}
	if err := u.put(q, sql); err != nil {
		return nil, err
	}
	err := u.answered(q)
	return q.rows, err
}

// answered waits for the answer to a question that was put.
func (u *up) answered(q *question) error {
	if err := u.out.Flush(); err != nil {
		return err
	}
	if _, err := u.flight.drain(); err != nil {
		return err
	}
	return q.err
}

// put sends the messages of a question.
func (u *up) put(q *question, sql string) error {
	name := []byte(u.name("q"))
	statement, cursor := pgwire.Object{Name: name}, pgwire.Object{Portal: true, Name: name}
	steps := []struct {
		kind  kind
		write func() error
	}{
		{parse, func() error { return u.out.Parse(&pgwire.Parse{Name: name, Query: []byte(sql)}) }},
		{bind, func() error { return u.out.Bind(&pgwire.Bind{Portal: name, Statement: name}) }},
		{execute, func() error { return u.out.Execute(name, 0) }},
		{closeObject, func() error { return u.out.CloseObject(cursor) }},
		{closeObject, func() error { return u.out.CloseObject(statement) }},
	}
	for _, s := range steps {
		e := u.flight.blank(s.kind)
		e.own = q
		if _, err := u.flight.push(e); err != nil {
			return err
		}
		if err := s.write(); err != nil {
			return err
		}
	}
	if !q.idle {
		return u.out.FlushMessage()
	}
	e := u.flight.blank(syncBatch)
	e.own = q
	if _, err := u.flight.push(e); err != nil {
		return err
	}
	return u.out.Sync()
}

// answer keeps what the server answers to a question of ours.
func (d *down) answer(e *entry, h pgwire.Header) error {
	switch h.Type {
	case pgwire.MsgDataRow:
		body, err := d.in.Body(maxReply)
		if err != nil {
			return err
		}
		return e.own.row(body)
	case pgwire.MsgFunctionCallResponse:
		body, err := d.in.Body(maxReply)
		if err != nil {
			return err
		}
		return e.own.result(body)
	case pgwire.MsgErrorResponse:
		return d.ownError(e)
	case pgwire.MsgReadyForQuery:
		return d.ready(e)
	}
	return nil
}

// row adds a row to the answer.
func (q *question) row(body []byte) error {
	cells, err := pgwire.DecodeDataRow(nil, body)
	if err != nil {
		return err
	}
	row := make([]*string, len(cells))
	for i, cell := range cells {
		if cell != nil {
			text := string(cell)
			row[i] = &text
		}
	}
	q.rows = append(q.rows, row)
	return nil
}

// result keeps what a FunctionCall returned.
func (q *question) result(body []byte) error {
	value, err := pgwire.DecodeFunctionCallResponse(body)
	q.value = bytes.Clone(value)
	return err
}

// ownError keeps the error of a question of ours. In the middle of a batch the
// server skips the rest of it, so the client has to be told.
func (d *down) ownError(e *entry) error {
	body, err := d.in.Body(maxReply)
	if err != nil {
		return err
	}
	diagnostic, err := pgwire.DecodeDiagnostic(body)
	if err != nil {
		return err
	}
	e.own.err = &session.ServerError{SQLState: diagnostic.Code, Message: diagnostic.Message}
	if e.own.idle {
		return nil
	}
	e.own.err = session.ErrSkipped
	d.session.BatchFailed()
	return d.pass(false)
}
