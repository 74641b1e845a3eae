package pgrelay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// maxText is the longest text that is planned, and so the longest that a role
// with masks may send.
const maxText = 256 << 10

// maxBind is the size of the largest Bind that is read as a whole.
const maxBind = 4 << 20

// An up is the pump from the client to the server.
type up struct {
	*conn
	in   *pgwire.Reader
	out  *pgwire.Writer
	left atomic.Bool // the client has said goodbye, or gone

	batch    uint64 // number of the batch being sent: what fails takes the rest of it along
	open     bool   // something of the batch has been sent
	doomed   bool   // a message of the batch was refused: the server skips the rest
	parseMsg pgwire.Parse
	bindMsg  pgwire.Bind
	asked    int    // questions of ours so far
	reserved string // the start of the names in them
}

// begin makes the pump ready to run.
func (u *up) begin(c *conn) {
	u.conn, u.in, u.out = c, c.fromClient, c.toServer
	u.batch = 1
}

// run passes messages on until the client leaves; that is no error. An error ends
// the session at once.
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
	return u.in.CopyTo(u.out)
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
	return write()
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
	u.doomed = e.kind.batched()
	return u.send(e, func() error {
		switch e.kind {
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
	p, err := u.session.Prepare(ctx, string(text))
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
		q, err := u.session.Begin(e.prepared, i, session.Simple)
		if err != nil {
			return err
		}
		e.queries = append(e.queries, q)
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

// parse deals with a Parse.
func (u *up) parse(ctx context.Context, h pgwire.Header) error {
	if h.Size > maxText {
		return u.longParse(h)
	}
	body, err := u.in.Body(maxText)
	if err != nil {
		return err
	}
	m := &u.parseMsg
	if err := m.Decode(body); err != nil {
		return err
	}
	p, err := u.session.Prepare(ctx, string(m.Query))
	if err != nil {
		return u.refuse(parse, err)
	}
	if p.Len() > 1 && u.session.Masked() {
		return u.refuse(parse, u.session.RefuseMessage(session.Multiple()))
	}
	return u.sendParse(string(m.Name), p, func() error {
		if sql := p.SQL(); sql != p.Text {
			m.Query = []byte(sql)
			return u.out.Parse(m)
		}
		return u.whole()
	})
}

// sendParse sends a Parse that makes name stand for p.
func (u *up) sendParse(name string, p *session.Prepared, write func() error) error {
	p.Wire = &statement{sent: p.SQL()}
	e := u.flight.blank(parse)
	e.prepared = p
	e.ticket = u.session.Will(session.Change{Kind: session.StatementName, Name: name, Statement: p})
	return u.send(e, write)
}

// longParse deals with a text too long to be planned.
func (u *up) longParse(h pgwire.Header) error {
	if u.session.Masked() {
		return u.refuse(parse, u.session.RefuseMessage(session.TooLong(h.Size, maxText)))
	}
	start, err := u.start(startOfNames)
	if err != nil {
		return err
	}
	c := protocol.Over(start)
	name := string(c.CString())
	if err := c.Err(); err != nil {
		return err
	}
	return u.sendParse(name, u.session.Unplanned(string(c.Take(min(c.Len(), startOfText)))), u.whole)
}

// bind deals with a Bind.
func (u *up) bind(ctx context.Context, h pgwire.Header) error {
	m := &u.bindMsg
	long := h.Size > maxBind
	if err := u.decodeBind(m, long); err != nil {
		return err
	}
	p, err := u.statementNamed(ctx, m.Statement)
	if err != nil {
		return u.refuse(bind, err)
	}
	if why := u.guarded(p, m, long); why != nil {
		return u.refuse(bind, u.session.RefuseMessage(why))
	}
	b := &portal{prepared: p, formats: formatsOf(m.ResultFormats), formatless: long}
	b.named = session.Portal{Prepared: p, Bound: true, Wire: b}
	e := u.flight.blank(bind)
	e.prepared, e.portal = p, b
	e.ticket = u.session.Will(session.Change{Kind: session.PortalName, Name: string(m.Portal), Portal: &b.named})
	return u.send(e, u.whole)
}

// decodeBind decodes a Bind, of a long one only the names.
func (u *up) decodeBind(m *pgwire.Bind, long bool) error {
	if !long {
		body, err := u.in.Body(maxBind)
		if err != nil {
			return err
		}
		return m.Decode(body)
	}
	start, err := u.start(startOfNames)
	if err != nil {
		return err
	}
	c := protocol.Over(start)
	*m = pgwire.Bind{Portal: bytes.Clone(c.CString()), Statement: bytes.Clone(c.CString())}
	return c.Err()
}

// formatsOf copies the formats of a result; nil is all text.
func formatsOf(formats []int16) []int16 {
	for _, f := range formats {
		if f != pgwire.TextFormat {
			return append([]int16(nil), formats...)
		}
	}
	return nil
}

// statementNamed returns what a Bind or Describe speaks of, planned for now. What
// the session has not seen being made is refused, to a role that sees everything
// it is something unplanned.
func (u *up) statementNamed(ctx context.Context, name []byte) (*session.Prepared, error) {
	p, lookup := u.session.Statement(name)
	if lookup == session.Unclear && u.session.Masked() {
		standing, err := u.Drain(ctx)
		if err != nil {
			return nil, err
		}
		if standing == session.Skipping {
			return nil, session.ErrSkipped
		}
		p, lookup = u.session.Statement(name)
	}
	switch {
	case lookup == session.Known:
	case u.session.Masked():
		return nil, u.session.RefuseMessage(session.UnknownStatement(string(name)))
	case p == nil:
		p = u.session.Unplanned("EXECUTE")
	}
	renewed, err := u.session.Renew(ctx, p)
	if err != nil {
		return nil, err
	}
	if renewed.Wire == nil {
		sent := p.Text // what SQL prepared
		if p.Wire != nil {
			sent = statementOf(p).sent
		}
		renewed.Wire = &statement{sent: sent}
	}
	if renewed.SQL() != statementOf(renewed).sent {
		return nil, u.session.RefuseMessage(session.Outdated())
	}
	if renewed != p {
		u.session.Renewed(name, p, renewed)
	}
	return renewed, nil
}

// guarded returns why a parameter may not be written, or nil.
func (u *up) guarded(p *session.Prepared, m *pgwire.Bind, long bool) *session.Refusal {
	guards := p.Guards(0)
	if long && len(guards) > 0 {
		return session.TooLong(maxBind+1, maxBind)
	}
	for i := range guards {
		g := &guards[i]
		if g.Param > len(m.Parameters) {
			continue
		}
		// The binary format of a text is the text.
		if masking.LooksMasked(g.Mask, string(m.Parameters[g.Param-1])) {
			return session.WriteBack(g)
		}
	}
	return nil
}

// describe deals with a Describe.
func (u *up) describe(ctx context.Context) error {
	body, err := u.in.Body(maxText)
	if err != nil {
		return err
	}
	o, err := pgwire.DecodeObject(body)
	if err != nil {
		return err
	}
	if o.Portal {
		return u.describePortal(ctx, o.Name)
	}
	p, err := u.statementNamed(ctx, o.Name)
	if err != nil {
		return u.refuse(describeStatement, err)
	}
	e := u.flight.blank(describeStatement)
	e.prepared = p
	statementOf(p).batch = u.batch
	return u.send(e, u.whole)
}

func (u *up) describePortal(ctx context.Context, name []byte) error {
	b, err := u.portalNamed(ctx, name)
	if err != nil {
		return u.refuse(describePortal, err)
	}
	e := u.flight.blank(describePortal)
	e.portal, e.prepared = b, b.prepared
	b.batch = u.batch
	return u.send(e, u.whole)
}

// portalNamed returns what an Execute or Describe speaks of. What the session has
// not seen being made is refused, to a role that sees everything it is something
// unplanned.
func (u *up) portalNamed(ctx context.Context, name []byte) (*portal, error) {
	b, lookup := u.session.Portal(name)
	if lookup == session.Unclear && u.session.Masked() {
		standing, err := u.Drain(ctx)
		if err != nil {
			return nil, err
		}
		if standing == session.Skipping {
			return nil, session.ErrSkipped
		}
		b, lookup = u.session.Portal(name)
	}
	switch {
	case lookup == session.Known:
	case u.session.Masked():
		return nil, u.session.RefuseMessage(session.UnknownCursor(string(name)))
	case b == nil:
		return &portal{prepared: u.session.Unplanned("FETCH"), formatless: true}, nil
	}
	if b.Wire == nil { // SQL declared it
		b.Wire = &portal{prepared: u.session.CursorQuery(b), formatless: true}
	}
	return b.Wire.(*portal), nil
}

// execute deals with an Execute.
func (u *up) execute(ctx context.Context) error {
	body, err := u.in.Body(maxText)
	if err != nil {
		return err
	}
	name, _, err := pgwire.DecodeExecute(body)
	if err != nil {
		return err
	}
	b, err := u.portalNamed(ctx, name)
	if err != nil {
		return u.refuse(execute, err)
	}
	e := u.flight.blank(execute)
	e.portal = b
	if err := u.beginPortal(e, b); err != nil {
		return u.refuseEntry(e, err)
	}
	e.prepared = b.prepared
	if err := u.probe(name, b); err != nil {
		return err
	}
	return u.send(e, u.whole)
}

// beginPortal puts the statement of a portal on record, unless this Execute goes
// on where one before was suspended.
func (u *up) beginPortal(e *entry, b *portal) error {
	if q := b.running(u.flight); q != nil {
		e.queries = append(e.queries, q)
		return nil
	}
	p, err := u.session.Rejudge(b.prepared)
	if err != nil {
		return err
	}
	if p != b.prepared {
		b.judged(u.flight, p)
	}
	if p.Len() == 0 {
		return nil // an empty statement
	}
	q, err := u.session.Begin(p, 0, session.Extended)
	if err != nil {
		return err
	}
	b.run(u.flight, q)
	e.queries = append(e.queries, q)
	return nil
}

// probe asks the server for the columns of a portal before it is executed, unless
// the client did or they are known. Without them neither the types of the cells
// nor what the server knows of their origin could be told.
func (u *up) probe(name []byte, b *portal) error {
	if !u.session.Masked() || !b.prepared.Rows(0) || b.described(u.flight, u.batch) {
		return nil
	}
	b.batch = u.batch
	e := u.flight.blank(describePortal)
	e.probe, e.portal, e.prepared = true, b, b.prepared
	return u.send(e, func() error {
		return u.out.Describe(pgwire.Object{Portal: true, Name: name})
	})
}

// close deals with a Close.
func (u *up) close() error {
	body, err := u.in.Body(maxText)
	if err != nil {
		return err
	}
	o, err := pgwire.DecodeObject(body)
	if err != nil {
		return err
	}
	e := u.flight.blank(closeObject)
	c := session.Change{Kind: session.StatementName, Name: string(o.Name)}
	if o.Portal {
		c.Kind = session.PortalName
		if named, lookup := u.session.Portal(o.Name); lookup == session.Known && named.Wire != nil {
			e.portal = named.Wire.(*portal)
		}
	}
	e.ticket = u.session.Will(c)
	return u.send(e, u.whole)
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
