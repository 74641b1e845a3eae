package pgrelay

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/loop"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

const (
	// maxRow bounds a row of a result with masks, which is held in memory.
	maxRow = 64 << 20

	// maxReply bounds the messages of the server that are no rows and have to be
	// read as a whole.
	maxReply = 16 << 20
)

// lastWords is what the client is told at the end of its session.
type lastWords struct{ state, message string }

// A down is the pump from the server to the client.
type down struct {
	*conn
	task *loop.Task
	in   *pgwire.Reader
	out  *pgwire.Writer

	entry     *entry   // the head of the flight queue, nil when not known
	columns   *columns // of the result of a Query
	seen      seen
	copy      *copyOut // of the COPY being sent
	confirmed bool     // columns are certain to be what was planned
	muted     bool     // the client has been told of an error that the server does not know of: until ReadyForQuery
	touched   bool     // the open transaction touched protected columns
	dropped   []*entry
	suspended suspended

	fields  []pgwire.FieldDescription
	origins []session.Origin
	last    atomic.Pointer[lastWords] // the up pump's reason to end the session

	pid    uint32 // with key what a CancelRequest for the session holds
	key    []byte
	engine string
	ascii  bool // the client's encoding is not UTF-8

	settings settings
}

func (d *down) begin(c *conn) {
	d.conn, d.in, d.out = c, c.fromServer, c.toClient
}

// run passes messages on until the server closes the connection, which is io.EOF,
// the pump may rest, which is [loop.ErrRest], or something else ends the session.
func (d *down) run() error {
	for {
		h, err := d.in.Next()
		if err != nil {
			return d.ended(err)
		}
		if err := d.message(h); err != nil {
			return d.failed(err)
		}
	}
}

// ended is the end of what the server sends.
func (d *down) ended(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if words := d.last.Load(); words != nil {
		err := d.bye(words.state, words.message)
		d.linger()
		return err
	}
	if !d.flight.stopping() {
		return &session.EndError{Why: "server gone"}
	}
	return d.terminated()
}

// linger reads what the client still sends, for a moment: a connection that is
// closed with something unread is reset, and the last message may be lost with it.
func (d *down) linger() {
	_ = d.client.SetReadDeadline(time.Now().Add(lingerTimeout)) // fails only on a closed connection
	d.client.ReadBy(d.task)
	d.client.FlushOnWait(nil) // what was meant for the server is the up pump's to write, which has returned
	for {
		d.client.Skip(len(d.client.Buffered()))
		if err := d.client.Fill(); err != nil {
			return
		}
	}
}

const lingerTimeout = 200 * time.Millisecond

// terminated ends the session because the proxy shuts down.
func (d *down) terminated() error {
	err := fatal(d.out, pgwire.StateAdminShutdown, "terminating connection due to administrator command", "")
	return errors.Join(&session.EndError{Why: "proxy stopped"}, err)
}

// failed is the end of a session by a message of the server's that was not
// understood, or by what became of it.
func (d *down) failed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return d.ended(err)
	}
	if errors.Is(err, protocol.ErrMalformed) || errors.Is(err, protocol.ErrTooLarge) {
		return errors.Join(d.bye(pgwire.StateProtocolViolation, "the server's answer was not understood"), err)
	}
	return err
}

// message deals with one message of the server.
func (d *down) message(h pgwire.Header) error {
	if anytime(h.Type) {
		return d.anytime(h)
	}
	e := d.entry
	if e == nil {
		if e = d.flight.head(); e == nil {
			return d.unasked(h)
		}
		d.entry = e
	}
	next := moves[e.kind][h.Type]
	if next == wrong {
		return d.unexpected(e, h)
	}
	if err := d.content(e, h); err != nil {
		return err
	}
	return d.move(e, next, h)
}

// content passes a message on, changed as its entry asks for.
func (d *down) content(e *entry, h pgwire.Header) error {
	if e.own != nil {
		return d.answer(e, h)
	}
	switch h.Type {
	case pgwire.MsgDataRow:
		return d.row(e)
	case pgwire.MsgRowDescription:
		return d.rowDescription(e)
	case pgwire.MsgNoData:
		return d.pass(e.probe)
	case pgwire.MsgErrorResponse:
		return d.error(e)
	case pgwire.MsgCommandComplete:
		return d.complete(e)
	case pgwire.MsgPortalSuspended:
		return d.portalSuspended(e)
	case pgwire.MsgEmptyQueryResponse:
		d.endStatement(e, session.Succeeded)
	case pgwire.MsgReadyForQuery:
		return d.ready(e)
	case pgwire.MsgCopyInResponse, pgwire.MsgCopyBothResponse:
		return d.copyIn()
	case pgwire.MsgCopyOutResponse:
		return d.copyOut(e)
	case pgwire.MsgCopyData:
		return d.copyData(e)
	case pgwire.MsgCopyDone:
		return d.copyDone(e)
	}
	return d.pass(false)
}

// pass passes the message at hand on as it is, unless it is to be hidden.
func (d *down) pass(hide bool) error {
	if hide || d.muted {
		return nil
	}
	return d.in.CopyTo(d.out)
}

// move makes the move that a message means for its entry.
func (d *down) move(e *entry, next move, h pgwire.Header) error {
	switch next {
	case step:
		e.at++
		d.columns = nil
	case ends:
		d.entry = nil
		d.flight.pop()
		d.settled(e)
		ready := h.Type == pgwire.MsgReadyForQuery
		d.spare(e)
		d.flight.release(e)
		if ready && !d.flight.proceed() {
			return d.terminated()
		}
	case fails:
		if e.kind.batched() {
			d.entry = nil
			d.dropBatch(e)
		}
	}
	return nil
}

// spare gives back the text and the statements of a Query, which nobody else knows;
// those of a portal go with it.
func (d *down) spare(e *entry) {
	if e.kind != query {
		return
	}
	for _, q := range e.queries {
		d.session.Spare(q)
	}
	if e.prepared != nil {
		d.session.SpareText(e.prepared)
	}
}

// settled makes the changes of an entry that succeeded.
func (d *down) settled(e *entry) {
	if e.ticket != 0 {
		d.session.Settle(e.ticket, true)
	}
	if e.kind == closeObject && e.portal != nil {
		d.endPortal(e.portal, session.Outcome{Ended: "closed"})
	}
}

// dropBatch drops the entries that the server skips now that e has failed.
func (d *down) dropBatch(failed *entry) {
	d.dropped = d.flight.failBatch(d.dropped[:0])
	for _, e := range d.dropped {
		if e != failed {
			d.endAll(e, session.Outcome{Ended: "skipped"})
		}
		if e.ticket != 0 {
			d.session.Settle(e.ticket, false)
		}
		d.flight.release(e)
	}
	clear(d.dropped)
}

// endSkipped ends what was never sent or queued.
func (d *down) endSkipped(why string) {
	for _, e := range d.flight.skipped() {
		d.endAll(e, session.Outcome{Ended: why})
		if e.ticket != 0 {
			d.session.Settle(e.ticket, false)
		}
		d.flight.release(e)
	}
}

// endAll ends the statements of an entry that have begun and are not complete.
func (d *down) endAll(e *entry, o session.Outcome) {
	for ; e.at < len(e.queries); e.at++ {
		d.endStatement(e, o)
	}
}

// endStatement ends the statement being answered.
func (d *down) endStatement(e *entry, o session.Outcome) {
	q := e.current()
	if q == nil || q.Done() {
		return
	}
	if e.prepared != nil && e.prepared.Touches(e.at) {
		d.touched = true
	}
	if e.portal != nil {
		d.suspended.drop(e.portal)
		e.portal.complete(d.flight, q)
	}
	d.session.End(q, o)
}

// complete deals with a CommandComplete.
func (d *down) complete(e *entry) error {
	body, err := d.in.Body(maxReply)
	if err != nil {
		return err
	}
	_, rows, err := pgwire.DecodeCommandComplete(body)
	if err != nil {
		return err
	}
	if q := e.current(); q != nil {
		if q.Rows == 0 && rows > 0 {
			q.Rows = rows
		}
	} else if e.kind == query && d.session.Masked() && !e.prepared.Open() {
		return fmt.Errorf("%w: more results than statements", protocol.ErrMalformed)
	}
	d.endStatement(e, session.Succeeded)
	d.flight.succeeded()
	d.copy = nil
	return d.pass(false)
}

// ready deals with a ReadyForQuery.
func (d *down) ready(e *entry) error {
	body, err := d.in.Body(maxReply)
	if err != nil {
		return err
	}
	tx, err := pgwire.DecodeReadyForQuery(body)
	if err != nil {
		return err
	}
	d.endAll(e, session.Succeeded)
	d.endSkipped("skipped")
	d.columns, d.copy, d.muted = nil, nil, false
	d.flight.ready(tx)
	if tx == pgwire.TxIdle {
		d.touched = false
		d.endPortals(d.suspended.bound(), "closed")
		d.session.TransactionOver()
	}
	return d.pass(e.own != nil)
}

// copyIn deals with the server's wish for COPY data.
func (d *down) copyIn() error {
	if d.muted {
		return d.bye(pgwire.StateInsufficientPrivilege, "a COPY behind a result that was withheld")
	}
	for _, e := range d.flight.copyStarts() {
		d.flight.release(e)
	}
	return d.pass(false)
}

// unasked deals with a message that answers nothing: the server's goodbye.
func (d *down) unasked(h pgwire.Header) error {
	if h.Type == pgwire.MsgErrorResponse || !d.session.Masked() {
		return d.pass(false)
	}
	return fmt.Errorf("%w: %s out of turn", protocol.ErrMalformed, pgwire.ServerMessage(h.Type))
}

// unexpected deals with a message that does not answer the entry at the head.
func (d *down) unexpected(e *entry, h pgwire.Header) error {
	if e.own == nil && !d.session.Masked() {
		return d.pass(false)
	}
	return fmt.Errorf("%w: %s out of turn", protocol.ErrMalformed, pgwire.ServerMessage(h.Type))
}

// anytime deals with a message that answers nothing.
func (d *down) anytime(h pgwire.Header) error {
	switch h.Type {
	case pgwire.MsgNoticeResponse:
		return d.notice()
	case pgwire.MsgParameterStatus:
		body, err := d.in.Body(maxReply)
		if err != nil {
			return err
		}
		name, value, err := pgwire.DecodeParameterStatus(body)
		if err != nil {
			return err
		}
		d.parameter(d.conn, name, value)
	}
	return d.in.CopyTo(d.out)
}

// parameter notes a setting that the server reports. Most say nothing to us.
func (d *down) parameter(c *conn, name, value []byte) {
	switch string(name) {
	case "server_version":
		d.engine = "PostgreSQL " + string(value)
	case "client_encoding":
		d.ascii = string(value) != "UTF8"
		d.settings.note(&d.settings.encoding, string(value))
		c.session.PathChanged()
	case "standard_conforming_strings":
		d.settings.note(&d.settings.conforming, string(value))
		c.session.PathChanged()
	case "search_path", "session_authorization", "is_superuser":
		c.session.PathChanged()
	}
}

// abandon ends what has begun when the session ends. Both pumps have returned.
func (d *down) abandon(why string) {
	if why == "" {
		why = "client gone"
	}
	for e := d.flight.head(); e != nil; e = d.flight.head() {
		d.flight.pop()
		d.endAll(e, session.Outcome{Ended: why})
	}
	d.endSkipped(why)
	d.endPortals(slices.Clone(d.suspended.portals), why)
}
