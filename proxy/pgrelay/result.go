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
	cells    []pgwire.CellRewriter // nil when no cell is to be looked at
	rewrite  pgwire.Rewrite        // of a row with these cells
	masked   bool                  // some of them are masked
	vouched  bool                  // for what is released: see [session.Prepared.Vouched]
	foreseen bool                  // they are what was planned: where the server knew better, that is on record each time
	subjects int64                 // how many columns identify a person
	count    int64                 // of masked cells that were not counted yet
	query    *session.Query        // whose rows these are
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

// A textCell masks the cells of a column whose values stand on the wire as text.
type textCell struct{ textMask }

// AppendCell implements [pgwire.CellRewriter].
func (c *textCell) AppendCell(dst, value []byte) ([]byte, bool) {
	c.of.count++
	if c.subject != "" || c.down.ascii {
		return c.Append(dst, value)
	}
	if out, ok := c.mask.Try(dst, value); ok {
		return out, true
	}
	return c.mask.Apply(dst, value)
}

// A textMask is a mask over the text of values of one type.
type textMask struct {
	mask    masking.Fitted
	down    *down
	subject string // the class, where the values identify persons
	of      *columns
}

// Append implements [pgwire.TextMask]. In an encoding other than UTF-8 a mask
// cannot tell the characters of a value apart, so what is not ASCII is redacted.
func (m *textMask) Append(dst, text []byte) ([]byte, bool) {
	m.note(text)
	if m.down.ascii && !isASCII(text) {
		return m.mask.Neutral(dst)
	}
	return m.mask.Append(dst, text)
}

// note puts the person whom a value identifies on record.
func (m *textMask) note(text []byte) {
	if m.subject != "" && m.of.query != nil {
		m.down.session.Subject(m.of.query, m.subject, text)
	}
}

// A witness sees the values of a column that identifies persons to a role that
// sees them in clear, and leaves them as they are.
type witness struct {
	textMask
	codec pgwire.Codec
	text  []byte
}

// AppendCell implements [pgwire.CellRewriter].
func (w *witness) AppendCell(dst, value []byte) ([]byte, bool) {
	text := value
	if w.codec.Format != pgwire.TextFormat {
		var ok bool
		if w.text, ok = w.codec.AppendText(w.text[:0], value); !ok {
			return append(dst, value...), true
		}
		text = w.text
	}
	w.note(text)
	return append(dst, value...), true
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

// cellOf returns what rewrites the cells of a column, nil for nothing.
func (d *down) cellOf(mask masking.Mask, subject string, t pgwire.Type, format int16, of *columns) pgwire.CellRewriter {
	text := textMask{mask: masking.Fit(mask, maskable(t)), down: d, subject: subject, of: of}
	codec := pgwire.Codec{Type: t, Format: format}
	switch {
	case mask != nil:
		of.masked = true
		if mask == masking.Null { // of an array as a whole
			codec.Type = pgwire.Type{}
		}
		if codec.Plain() {
			return &textCell{text}
		}
		c := pgwire.NewCell(codec, &text)
		if mask == masking.Withheld {
			c.Empties()
		}
		return &cell{Cell: c, of: of}
	case subject != "":
		return &witness{textMask: text, codec: codec}
	}
	return nil
}

// prepare makes the columns of a result. It fails with a *[session.MismatchError].
func (d *down) prepare(p *session.Prepared, i int, fields []pgwire.FieldDescription, format func(column int) int16) (*columns, error) {
	d.origins = d.origins[:0]
	for _, f := range fields {
		d.origins = append(d.origins, session.Origin{Rel: f.TableOID, Att: f.Attribute})
	}
	masks, err := d.session.Describe(p, i, d.origins)
	if err != nil {
		return nil, err
	}
	c := &columns{vouched: p.Vouched(i, d.origins), foreseen: p.Open() || i < p.Len() && p.Foreseen(i, masks)}
	subjects := p.Subjects(i)
	if masks == nil && !subjects {
		return c, nil
	}
	c.cells = make([]pgwire.CellRewriter, len(fields))
	for j, f := range fields {
		var mask masking.Mask
		if masks != nil {
			mask = masks[j]
		}
		subject := p.Subject(i, j)
		if subject != "" {
			c.subjects++
		}
		c.cells[j] = d.cellOf(mask, subject, pgwire.TypeOf(f.TypeOID, f.TypeModifier), format(j), c)
	}
	c.rewrite = pgwire.NewCells(c.cells).Rewrite
	return c, nil
}

// rowDescription deals with a RowDescription.
func (d *down) rowDescription(e *entry) error {
	if !watched(e) {
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
		d.portalDescribed(e)
	default:
		if d.columns, err = d.queryColumns(e); err != nil {
			return d.withhold(e, err)
		}
	}
	return d.pass(e.probe)
}

// portalDescribed keeps what was told of a portal: the same as the last time, mostly.
func (d *down) portalDescribed(e *entry) {
	if e.portal.formatless {
		e.portal.shape.Store(shapeOf(d.fields, true))
		return
	}
	st := statementOf(e.prepared)
	if st.last == nil || !st.last.tells(d.fields) {
		st.last = shapeOf(d.fields, true)
	}
	e.portal.shape.Store(st.last)
	if st.shape.Load() == nil {
		st.shape.Store(shapeOf(d.fields, false))
	}
}

// A seen is the result of a Query that was prepared last. It is the same again when
// the same statement, judged in the same way, is described in the same words.
type seen struct {
	statement session.Identity
	shape     *shape
	columns   *columns
}

// queryColumns prepares the columns of a result of a Query.
func (d *down) queryColumns(e *entry) (*columns, error) {
	id, ok := e.prepared.Identity(e.at)
	if ok && d.seen.shape != nil && d.seen.statement == id && d.seen.shape.tells(d.fields) {
		d.confirmed = d.seen.columns.vouched
		return d.seen.columns, nil
	}
	c, err := d.prepare(e.prepared, e.at, d.fields, d.fieldFormat)
	if err != nil {
		return nil, err
	}
	d.confirmed = c.vouched
	if ok && c.foreseen {
		d.seen = seen{id, shapeOf(d.fields, true), c}
	}
	return c, nil
}

// watched says whether the rows that answer an entry have to be looked at.
func watched(e *entry) bool {
	return e.prepared != nil && (!e.prepared.Open() || e.prepared.Subjects(e.at))
}

// format is that of a column.
func (s *shape) format(column int) int16 { return s.fields[column].Format }

func (d *down) fieldFormat(column int) int16 { return d.fields[column].Format }

// shapeOf keeps what a RowDescription told.
func shapeOf(fields []pgwire.FieldDescription, formats bool) *shape {
	s := &shape{fields: slices.Clone(fields), formats: formats}
	for i := range s.fields {
		s.fields[i].Name = nil // it aliases the message
	}
	return s
}

// tells says whether a RowDescription tells the same.
func (s *shape) tells(fields []pgwire.FieldDescription) bool {
	return slices.EqualFunc(s.fields, fields, func(a, b pgwire.FieldDescription) bool {
		return a.TableOID == b.TableOID && a.Attribute == b.Attribute && a.TypeOID == b.TypeOID &&
			a.TypeModifier == b.TypeModifier && a.TypeSize == b.TypeSize && a.Format == b.Format
	})
}

// errNoColumns says that rows came before their description.
var errNoColumns = errors.New("rows without a description")

// columnsOf returns what rewrites the rows that answer an entry.
func (d *down) columnsOf(e *entry) (*columns, error) {
	if e.kind == query {
		if d.columns == nil {
			return nil, errNoColumns
		}
		return d.columns, d.confirm(e.prepared, e.at, &d.confirmed)
	}
	b := e.portal
	if b.columns == nil {
		var err error
		if b.columns, err = d.portalColumns(b); err != nil {
			return nil, err
		}
		b.confirmed = b.columns.vouched
	}
	return b.columns, d.confirm(b.prepared, 0, &b.confirmed)
}

// confirm asks once whether a result is still what was planned, unless that is
// certain.
func (d *down) confirm(p *session.Prepared, i int, certain *bool) error {
	if *certain {
		return nil
	}
	*certain = true
	d.task.Aside() // the server is asked
	return d.session.Confirm(d.ctx, p, i)
}

// portalColumns prepares the columns of a portal: in the formats that its own
// description told, or in those of its Bind.
func (d *down) portalColumns(b *portal) (*columns, error) {
	told := b.shape.Load()
	if b.formatless {
		if told == nil {
			return nil, errNoColumns
		}
		return d.prepare(b.prepared, 0, told.fields, told.format)
	}
	st := statementOf(b.prepared)
	if m := st.made.Load(); m != nil && m.shape == told && (told != nil || slices.Equal(m.formats, b.formats)) {
		return m.columns, nil
	}
	fields, format := told, told.format
	if told == nil {
		if fields = st.shape.Load(); fields == nil {
			return nil, errNoColumns
		}
		format = (&pgwire.Bind{ResultFormats: b.formats}).ResultFormat
	}
	c, err := d.prepare(b.prepared, 0, fields.fields, format)
	if err == nil && c.foreseen {
		st.made.Store(&made{slices.Clone(b.formats), told, c})
	}
	return c, err
}

// row deals with a DataRow, and with those that follow it in the buffer.
func (d *down) row(e *entry) error {
	if d.muted {
		return nil
	}
	var c *columns
	if watched(e) {
		var err error
		if c, err = d.columnsOf(e); err != nil {
			if !e.prepared.Open() {
				return d.withhold(e, err)
			}
			c = nil // not described, or otherwise than planned: persons are not recorded
		}
	}
	q := e.current()
	if c == nil || c.cells == nil || !c.masked && (q == nil || q.Named()) {
		rows, bytes, err := d.in.PassRun(d.out)
		if q != nil {
			q.Rows += rows
			q.Bytes += bytes
			if c != nil {
				q.Unnamed(rows * c.subjects)
			}
		}
		return err
	}
	c.query = q
	return d.maskRows(e, c, q)
}

// maskRows rewrites the row at hand, and those that follow it in the buffer.
func (d *down) maskRows(e *entry, c *columns, q *session.Query) error {
	_, err := d.in.Body(maxRow)
	if errors.Is(err, protocol.ErrTooLarge) {
		return d.withhold(e, err)
	}
	if err != nil {
		return err
	}
	rows, bytes, err := d.in.RewriteRun(d.out, c.rewrite)
	masked := c.taken()
	if q != nil {
		q.Rows += rows
		q.Bytes += bytes
		q.MaskedCells += masked
	}
	return err
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
