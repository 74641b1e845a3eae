package pgrelay

import (
	"errors"
	"slices"

	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// columns rewrite the rows of one result. They belong to one session.
type columns struct {
	cells []pgwire.CellRewriter // nil when no column has a mask
	count int64                 // of masked cells that were not counted yet
}

// taken returns how many cells have been masked since the last call.
func (c *columns) taken() int64 {
	n := c.count
	c.count = 0
	return n
}

// A cell masks the cells of one column.
type cell struct {
	*pgwire.Cell
	of *columns
}

// AppendCell implements [pgwire.CellRewriter].
func (c *cell) AppendCell(dst, value []byte) ([]byte, bool) {
	c.of.count++
	return c.Cell.AppendCell(dst, value)
}

// A textMask is a mask over the text of values of one type.
type textMask struct {
	mask masking.Mask
	kind masking.Type
	down *down
}

// Append implements [pgwire.TextMask]. In an encoding other than UTF-8 a mask
// cannot tell the characters of a value apart, so what is not ASCII is redacted.
func (m *textMask) Append(dst, text []byte) ([]byte, bool) {
	if m.down.ascii && !isASCII(text) {
		return masking.Neutral(dst, m.kind)
	}
	return masking.Apply(m.mask, dst, text, m.kind)
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// maskable is a type of the wire as masks know it; the kinds have the same order.
func maskable(t pgwire.Type) masking.Type {
	return masking.Type{
		Kind: masking.Kind(t.Kind), Bits: t.Bits, Unsigned: t.Unsigned,
		Length: t.Length, Precision: t.Precision, Scale: t.Scale,
	}
}

// cellOf returns what masks the cells of a column.
func (d *down) cellOf(mask masking.Mask, t pgwire.Type, format int16, of *columns) pgwire.CellRewriter {
	text := &textMask{mask: mask, kind: maskable(t), down: d}
	return &cell{Cell: pgwire.NewCell(pgwire.Codec{Type: t, Format: format}, text), of: of}
}

// prepare makes the columns of a result. It fails with a *[session.MismatchError].
func (d *down) prepare(p *session.Prepared, i int, fields []pgwire.FieldDescription, format func(column int) int16) (*columns, error) {
	origins := make([]session.Origin, len(fields))
	for j, f := range fields {
		origins[j] = session.Origin{Rel: f.TableOID, Att: f.Attribute}
	}
	masks, err := d.session.Describe(p, i, origins)
	if err != nil {
		return nil, err
	}
	c := &columns{}
	if masks == nil {
		return c, nil
	}
	c.cells = make([]pgwire.CellRewriter, len(fields))
	for j, mask := range masks {
		if mask != nil {
			t := pgwire.TypeOf(fields[j].TypeOID, fields[j].TypeModifier)
			c.cells[j] = d.cellOf(mask, t, format(j), c)
		}
	}
	return c, nil
}

// rowDescription deals with a RowDescription.
func (d *down) rowDescription(e *entry) error {
	if e.prepared == nil || e.prepared.Open() {
		return d.pass(e.probe)
	}
	body, err := d.in.Body(maxReply)
	if err != nil {
		return err
	}
	if d.fields, err = pgwire.DecodeRowDescription(d.fields[:0], body); err != nil {
		return err
	}
	switch e.kind {
	case describeStatement:
		statementOf(e.prepared).shape.Store(shapeOf(d.fields, false))
	case describePortal:
		e.portal.shape.Store(shapeOf(d.fields, true))
		if !e.portal.formatless {
			statementOf(e.prepared).shape.CompareAndSwap(nil, shapeOf(d.fields, false))
		}
	default:
		if d.columns, err = d.prepare(e.prepared, e.at, d.fields, d.fieldFormat); err != nil {
			return d.withhold(e, err)
		}
	}
	return d.pass(e.probe)
}

func (d *down) fieldFormat(column int) int16 { return d.fields[column].Format }

// shapeOf keeps what a RowDescription told.
func shapeOf(fields []pgwire.FieldDescription, formats bool) *shape {
	s := &shape{fields: slices.Clone(fields), formats: formats}
	for i := range s.fields {
		s.fields[i].Name = nil // it aliases the message
	}
	return s
}

// errNoColumns says that rows came before their description.
var errNoColumns = errors.New("rows without a description")

// columnsOf returns what rewrites the rows that answer an entry.
func (d *down) columnsOf(e *entry) (*columns, error) {
	if e.kind == query {
		if d.columns == nil {
			return nil, errNoColumns
		}
		return d.columns, nil
	}
	b := e.portal
	if b.columns == nil {
		var err error
		if b.columns, err = d.portalColumns(b); err != nil {
			return nil, err
		}
	}
	return b.columns, nil
}

// portalColumns prepares the columns of a portal: in the formats that its own
// description told, or in those of its Bind.
func (d *down) portalColumns(b *portal) (*columns, error) {
	if s := b.shape.Load(); s != nil {
		return d.prepare(b.prepared, 0, s.fields, func(column int) int16 { return s.fields[column].Format })
	}
	if b.formatless {
		return nil, errNoColumns
	}
	st := statementOf(b.prepared)
	if m := st.made.Load(); m != nil && slices.Equal(m.formats, b.formats) {
		return m.columns, nil
	}
	s := st.shape.Load()
	if s == nil {
		return nil, errNoColumns
	}
	bind := pgwire.Bind{ResultFormats: b.formats}
	c, err := d.prepare(b.prepared, 0, s.fields, bind.ResultFormat)
	if err == nil {
		st.made.Store(&made{b.formats, c})
	}
	return c, err
}

// row deals with a DataRow, and with those that follow it in the buffer where
// they pass as they are.
func (d *down) row(e *entry, h pgwire.Header) error {
	if d.muted {
		return nil
	}
	var cells []pgwire.CellRewriter
	if e.prepared != nil && !e.prepared.Open() {
		c, err := d.columnsOf(e)
		if err != nil {
			return d.withhold(e, err)
		}
		cells = c.cells
	}
	q := e.current()
	if cells == nil {
		rows, bytes, err := d.in.PassRun(d.out)
		if q != nil {
			q.Rows += rows
			q.Bytes += bytes
		}
		return err
	}
	return d.maskRow(e, h, cells, q)
}

// maskRow rewrites one row.
func (d *down) maskRow(e *entry, h pgwire.Header, cells []pgwire.CellRewriter, q *session.Query) error {
	body, err := d.in.Body(maxRow)
	if errors.Is(err, protocol.ErrTooLarge) {
		return d.withhold(e, err)
	}
	if err != nil {
		return err
	}
	dst, err := d.out.Begin(pgwire.MsgDataRow, len(body))
	if err != nil {
		return err
	}
	if dst, err = pgwire.RewriteRow(dst, body, cells); err != nil {
		return err
	}
	if q != nil {
		q.Rows++
		q.Bytes += int64(h.Size)
	}
	return d.out.End(dst)
}

// withhold releases nothing of a result that is not as planned: the client gets an
// error in its place. The server knows nothing of that error and goes on, so what
// it answers is hidden up to its next ReadyForQuery. Where it would execute
// something else until then, which a client does not expect behind an error, the
// session ends.
func (d *down) withhold(e *entry, err error) error {
	var mismatch *session.MismatchError
	why := &session.Refusal{Code: "SV301", Message: "no row is released: " + err.Error()}
	if errors.As(err, &mismatch) {
		why = mismatch.Refusal()
	}
	if e.kind != query && !d.harmlessRest() {
		return d.bye(session.StateOf(why), why.Message+" ("+why.Code+")")
	}
	d.endStatement(e, session.Outcome{SQLState: session.StateOf(why)})
	if err := d.refused(why); err != nil {
		return err
	}
	d.muted = true
	return nil
}

// harmlessRest says whether the server executes nothing more before its next
// ReadyForQuery.
func (d *down) harmlessRest() bool {
	harmless := true
	closed := d.flight.restOfBatch(func(e *entry) { harmless = harmless && e.kind != execute })
	return closed && harmless
}

// refused tells the client of a refusal.
func (d *down) refused(why *session.Refusal) error {
	return d.out.ErrorResponse(&pgwire.Diagnostic{
		Severity: pgwire.SeverityError, Code: session.StateOf(why), Message: why.Error(), Hint: why.Hint,
		Position: int32(why.Position),
	})
}
