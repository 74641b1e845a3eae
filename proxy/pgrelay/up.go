package pgrelay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/loop"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// An up is the pump from the client to the server.
type up struct {
	*conn
	in   *pgwire.Reader
	out  *pgwire.Writer
	left atomic.Bool // the client has said goodbye, or gone

	batch    uint64 // number of the batch being sent: what fails takes the rest of it along
	open     bool   // something of the batch has been sent
	doomed   bool   // a message of the batch was refused: the server skips the rest
	queued   int    // messages sent since some of those in flight were waited for
	parseMsg pgwire.Parse
	bindMsg  pgwire.Bind
	nursery  nursery
	asked    int    // questions of ours so far
	reserved string // the start of the names in them
}

// begin makes the pump ready to run.
func (u *up) begin(c *conn) {
	u.conn, u.in, u.out = c, c.fromClient, c.toServer
	u.batch = 1
}

// run passes messages on until the client leaves; that is no error. An error ends
// the session at once, but for [loop.ErrRest].
func (u *up) run(ctx context.Context) error {
	for {
		h, err := u.in.Next()
		if err != nil {
			return u.ended(err)
		}
		if h.Type == pgwire.MsgTerminate {
			return u.leave()
		}
		if err := u.message(ctx, h); err != nil {
			return u.failed(err)
		}
	}
}

// leave says goodbye to the server, which then answers what is in flight and
// closes the connection.
func (u *up) leave() error {
	u.left.Store(true)
	err := u.out.Terminate()
	if err == nil {
		err = u.out.Flush()
	}
	if err != nil {
		u.serverLost()
	}
	return nil
}

// serverLost gives the down pump a moment to read what the server said before it
// went.
func (u *up) serverLost() {
	_ = u.server.SetReadDeadline(time.Now().Add(lastWordsTimeout)) // fails only on a closed connection
}

// ended is the end of what the client sends.
func (u *up) ended(err error) error {
	var flush *protocol.FlushError
	switch {
	case err == loop.ErrRest:
		return err
	case errors.As(err, &flush):
		u.serverLost()
		return nil
	case errors.Is(err, io.EOF):
		return u.leave() // answers may still be read
	case errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrTooLarge):
		return u.violation(err.Error())
	}
	return &session.EndError{Why: "client gone", Err: err}
}

// failed is the end of a session by a message that was not understood, or by
// what became of it.
func (u *up) failed(err error) error {
	switch {
	case errors.Is(err, errDraining):
		return nil // the down pump tells the client
	case errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrTooLarge):
		return u.violation(err.Error())
	case errors.Is(err, errCopying):
		return u.violation(err.Error())
	}
	return err
}

// violation ends the session of a client that breaks the protocol.
func (u *up) violation(what string) error {
	u.say(pgwire.StateProtocolViolation, what)
	return nil
}

// say ends the session by an error that the client is told: by the down pump,
// which alone writes to it.
func (c *conn) say(state, message string) {
	c.down.last.Store(&lastWords{state, message})
	_ = c.client.SetDeadline(time.Now().Add(lastWordsTimeout)) // fails only on a closed connection
	_ = c.server.SetReadDeadline(time.Now())                   // wakes the down pump
}

// lastWordsTimeout is the time that a client has for taking its last message.
const lastWordsTimeout = 2 * time.Second

// message deals with one message of the client.
func (u *up) message(ctx context.Context, h pgwire.Header) error {
	switch h.Type {
	case pgwire.MsgCopyData:
		_, _, err := u.in.PassRun(u.out)
		return err
	case pgwire.MsgCopyDone, pgwire.MsgCopyFail:
		u.flight.copyEnded()
		return u.in.CopyTo(u.out)
	case pgwire.MsgFlush:
		return u.in.CopyTo(u.out)
	case pgwire.MsgSync:
		return u.sync()
	}
	if u.flight.copying() && u.session.Masked() {
		return errCopying
	}
	if u.doomed {
		return nil
	}
	if u.flight.ignoring() {
		return u.ignored()
	}
	u.session.NextMessage()
	switch h.Type {
	case pgwire.MsgQuery:
		return u.query(ctx, h)
	case pgwire.MsgParse:
		return u.parse(ctx, h)
	case pgwire.MsgBind:
		return u.bind(ctx, h)
	case pgwire.MsgDescribe:
		return u.describe(ctx)
	case pgwire.MsgExecute:
		return u.execute(ctx)
	case pgwire.MsgClose:
		return u.close()
	case pgwire.MsgFunctionCall:
		return u.functionCall()
	}
	return u.unknown(h)
}

// ignored drops a message that the server would ignore.
func (u *up) ignored() error {
	if u.session.Masked() {
		return nil
	}
	return u.in.CopyTo(u.out)
}

// unknown is for messages that no version of the protocol has.
func (u *up) unknown(h pgwire.Header) error {
	return fmt.Errorf("%w: %s", protocol.ErrMalformed, pgwire.ClientMessage(h.Type))
}

// sync ends a batch.
func (u *up) sync() error {
	if u.flight.copying() {
		return u.in.CopyTo(u.out) // the server ignores it there
	}
	if _, err := u.flight.push(u.flight.blank(syncBatch)); err != nil {
		return err
	}
	u.nextBatch()
	if err := u.in.CopyTo(u.out); err != nil {
		return err
	}
	return u.counted()
}

// nextBatch notes that what is sent from now on does not depend on what was sent
// before.
func (u *up) nextBatch() {
	u.batch++
	u.open, u.doomed = false, false
	u.session.NextBatch()
}

// send queues an entry and then lets write send its message.
func (u *up) send(e *entry, write func() error) error {
	queued, err := u.flight.push(e)
	if err != nil {
		return err
	}
	if !queued && u.session.Masked() {
		return nil
	}
	u.open = true
	if err := write(); err != nil {
		return err
	}
	return u.counted()
}

// counted counts a message that was sent. A client that sends many without reading
// the answers waits now and then: each is held in memory until it is answered.
func (u *up) counted() error {
	if u.queued++; u.queued < maxFlight/2 {
		return nil
	}
	u.queued = 0
	if err := u.push(); err != nil {
		return err
	}
	u.flight.thin()
	return nil
}

// whole passes the message at hand on as it is.
func (u *up) whole() error { return u.in.CopyTo(u.out) }

// Text of what takes the place of a refused statement: it fails, and says why in
// the server's log.
var refusedText = []byte("refused by sqlveil")

// failing sends the server something that fails in place of a statement that is
// refused, so that it keeps the state of the transaction and of the batch.
func (u *up) failing(e *entry, why *session.Refusal) error {
	e.refusal = why
	kind := e.kind // e is the down pump's once it is pushed
	u.doomed = kind.batched()
	return u.send(e, func() error {
		switch kind {
		case query:
			return u.out.Query(refusedText)
		case parse:
			return u.out.Parse(&pgwire.Parse{Query: refusedText})
		default:
			return u.out.Bind(&pgwire.Bind{Statement: []byte(u.name("refused"))})
		}
	})
}

// refuse does that for an error of the session's; any other error it returns.
func (u *up) refuse(k kind, err error) error {
	var why *session.Refusal
	switch {
	case errors.Is(err, session.ErrSkipped):
		return nil
	case !errors.As(err, &why):
		return err
	}
	if err := u.failing(u.flight.blank(k), why); err != nil {
		return err
	}
	if k == query {
		u.nextBatch()
	}
	return nil
}

// refuseEntry refuses what an entry stands for.
func (u *up) refuseEntry(e *entry, err error) error {
	var why *session.Refusal
	if !errors.As(err, &why) {
		return err
	}
	if err := u.failing(e, why); err != nil {
		return err
	}
	if e.kind == query {
		u.nextBatch()
	}
	return nil
}
