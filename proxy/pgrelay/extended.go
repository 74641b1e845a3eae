package pgrelay

import (
	"bytes"
	"context"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// maxBind is the size of the largest Bind that is read as a whole.
const maxBind = 4 << 20

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
	b := u.newPortal(m.Portal)
	b.prepared, b.formatless = p, long
	b.formats = appendFormats(b.formats, m.ResultFormats)
	b.persons = u.persons(b.persons, p, m)
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

// newPortal returns the portal for a Bind to fill in.
func (u *up) newPortal(name []byte) *portal {
	if len(name) > 0 {
		return new(portal)
	}
	return u.nursery.portal(u)
}

// appendFormats copies the formats of a result; none is all text.
func appendFormats(dst, formats []int16) []int16 {
	for _, f := range formats {
		if f != pgwire.TextFormat {
			return append(dst, formats...)
		}
	}
	return dst
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
		if why := g.Check(m.Parameters[g.Param-1]); why != nil {
			return why
		}
	}
	return nil
}

// persons appends whom the parameters of a Bind name.
func (u *up) persons(dst session.Persons, p *session.Prepared, m *pgwire.Bind) session.Persons {
	return u.session.Bound(dst, p, func(n int, columnType string) ([]byte, bool) {
		if n > len(m.Parameters) || m.Parameters[n-1] == nil {
			return nil, false
		}
		value, format := m.Parameters[n-1], m.ParameterFormat(n-1)
		if format == pgwire.TextFormat {
			return value, true
		}
		return pgwire.Codec{Type: typeNamed(typeBeside(columnType, len(value))), Format: format}.AppendText(nil, value)
	})
}

// typeBeside is the type of a parameter of some bytes that is compared with a
// column: the column's own, but for integers, which come in any length.
func typeBeside(columnType string, size int) string {
	integers := map[int]string{2: "smallint", 4: "integer", 8: "bigint"}
	switch columnType {
	case "smallint", "integer", "bigint":
		if t, ok := integers[size]; ok {
			return t
		}
	}
	return columnType
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
		return &portal{prepared: u.session.Unplanned("FETCH"), formatless: true, named: session.Portal{Bound: true}}, nil
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
	if err := u.beginPortal(ctx, e, b); err != nil {
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
func (u *up) beginPortal(ctx context.Context, e *entry, b *portal) error {
	if q := b.running(u.flight); q != nil {
		e.queries = append(e.queries, q)
		return nil
	}
	p, err := u.session.Rejudge(ctx, b.prepared)
	if err != nil {
		return err
	}
	if p != b.prepared {
		b.judged(u.flight, p)
	}
	if p.Len() == 0 {
		return nil // an empty statement
	}
	q, err := u.session.Begin(p, 0, session.Extended, b.persons)
	if err != nil {
		return err
	}
	b.run(u.flight, q)
	b.begun = q
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
