package myrelay

import (
	"errors"
	"fmt"

	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// maxRow bounds a row of a result with masks, which is held in memory.
const maxRow = 256 << 20

// columns rewrite the rows of one result. They belong to one session.
type columns struct {
	cells    []mywire.CellRewriter // nil when no cell is to be looked at
	rewrite  mywire.Rewrite        // of a row with these cells
	masked   bool                  // some of them are masked
	foreseen bool                  // by the plan alone
	subjects int64                 // how many columns identify a person
	query    *session.Query        // whose rows these are
	outs     bool                  // what a procedure put into parameters
}

// A cell masks the cells of one column.
type cell struct {
	*mywire.Cell
	of *columns
}

// AppendCell implements [mywire.CellRewriter].
func (c *cell) AppendCell(dst, value []byte) ([]byte, bool) {
	if c.of.query != nil {
		c.of.query.MaskedCells++
	}
	return c.Cell.AppendCell(dst, value)
}

// A textCell masks the cells of a column whose values stand on the wire as text.
type textCell struct{ textMask }

// AppendCell implements [mywire.CellRewriter].
func (c *textCell) AppendCell(dst, value []byte) ([]byte, bool) {
	if c.of.query != nil {
		c.of.query.MaskedCells++
	}
	if c.subject != "" || c.foreign {
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
	foreign bool // the text may not be UTF-8
	session *session.Session
	subject string // the class, where the values identify persons
	of      *columns
}

// Append implements [mywire.TextMask]. In a character set other than UTF-8 a mask
// cannot tell the characters of a value apart, so what is not ASCII is redacted.
func (m *textMask) Append(dst, text []byte) ([]byte, bool) {
	m.note(text)
	if m.foreign && !isASCII(text) {
		return m.mask.Neutral(dst)
	}
	return m.mask.Append(dst, text)
}

// note puts the person whom a value identifies on record.
func (m *textMask) note(text []byte) {
	if m.subject != "" && m.of.query != nil {
		m.session.Subject(m.of.query, m.subject, text)
	}
}

// A witness sees the values of a column that identifies persons to a role that
// sees them in clear, and leaves them as they are.
type witness struct {
	textMask
	codec mywire.Codec
	text  []byte
}

// AppendCell implements [mywire.CellRewriter].
func (w *witness) AppendCell(dst, value []byte) ([]byte, bool) {
	var ok bool
	if w.text, ok = w.codec.AppendText(w.text[:0], value); ok {
		w.note(w.text)
	}
	return append(dst, value...), true
}

// isASCII also refuses NUL bytes, which ASCII has in character sets of two or four
// bytes.
func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= 0x80 || b == 0 {
			return false
		}
	}
	return true
}

// inUTF8 says whether text in a collation's character set is UTF-8.
// https://dev.mysql.com/doc/refman/8.4/en/charset-charsets.html
func inUTF8(collation uint16) bool {
	id := collation &^ 1024 // MariaDB's collations without padding
	switch {
	case id == 33, id == 83, id == 76, id >= 192 && id <= 223: // utf8mb3
		return true
	case id == 45, id == 46, id >= 224 && id <= 247, collation >= 255 && collation <= 323: // utf8mb4
		return true
	}
	return false
}

// kinds are the kinds of the wire as masks know them.
var kinds = [...]masking.Kind{
	mywire.KindOther:     masking.KindOther,
	mywire.KindText:      masking.KindText,
	mywire.KindInteger:   masking.KindInteger,
	mywire.KindNumeric:   masking.KindNumeric,
	mywire.KindFloat:     masking.KindFloat,
	mywire.KindDate:      masking.KindDate,
	mywire.KindTime:      masking.KindTime,
	mywire.KindTimestamp: masking.KindTimestamp,
	mywire.KindJSON:      masking.KindJSON,
	mywire.KindBytes:     masking.KindBytes,
}

// maskable is a type of the wire as masks know it.
func maskable(t mywire.Type) masking.Type {
	return masking.Type{
		Kind: kinds[t.Kind], Bits: t.Bits, Unsigned: t.Unsigned,
		Length: t.Length, Precision: t.Precision, Scale: t.Scale,
	}
}

// cellOf returns what rewrites the cells of a column, nil for nothing.
func (c *conn) cellOf(mask masking.Mask, subject string, col *mywire.Column, kind masking.Type, binary bool, of *columns) mywire.CellRewriter {
	text := textMask{
		mask: masking.Fit(mask, kind), foreign: !inUTF8(col.Collation),
		session: c.session, subject: subject, of: of,
	}
	codec := mywire.NewCodec(col, binary)
	switch {
	case mask != nil:
		of.masked = true
		if codec.Plain() {
			return &textCell{text}
		}
		return &cell{Cell: mywire.NewCell(codec, &text), of: of}
	case subject != "":
		return &witness{textMask: text, codec: codec}
	}
	return nil
}

// describe makes the columns of a result. It fails with a *[session.MismatchError].
func (c *conn) describe(p *session.Prepared, i int, described []mywire.Column, binary bool) (*columns, error) {
	origins := make([]session.Origin, len(described))
	names := make([]string, len(described))
	types := make([]mywire.FieldType, len(described))
	of := &columns{}
	for j := range described {
		col := &described[j]
		types[j] = col.Type
		names[j] = string(col.Name)
		origins[j] = p.OriginOf(string(col.Database), string(col.OriginalTable), string(col.OriginalName))
	}
	p = p.ForResult(i, names)
	masks, err := c.session.Describe(p, i, origins)
	if err != nil {
		return nil, err
	}
	of.foreseen = p.Open() || p.Foreseen(i, masks)
	if masks == nil && !p.Subjects(i) {
		return of, nil
	}
	of.cells = make([]mywire.CellRewriter, len(described))
	for j := range described {
		var mask masking.Mask
		if masks != nil {
			mask = masks[j]
		}
		subject := p.Subject(i, j)
		if subject != "" {
			of.subjects++
		}
		kind := maskable(described[j].TypeOf())
		if mask != nil && kind.Kind == masking.KindText && p.Document(i, j) {
			kind.Kind = masking.KindJSON
		}
		of.cells[j] = c.cellOf(mask, subject, &described[j], kind, binary, of)
		if mask != nil {
			described[j].Extended = nil // a masked document is no document
		}
	}
	if binary {
		of.rewrite = mywire.NewBinaryRows(types, of.cells).Rewrite
	} else {
		of.rewrite = mywire.NewTextRows(of.cells).Rewrite
	}
	return of, nil
}

// watched says whether the rows of a statement have to be looked at.
func watched(p *session.Prepared, i int) bool { return !p.Open() || p.Subjects(i) }

// result deals with a result from the number of its columns on.
func (c *conn) result(a *answer) (phase, error) {
	body, err := c.server.Body(maxReply)
	if err != nil {
		return idle, err
	}
	n, anew, err := mywire.DecodeColumnCount(body, c.agreed)
	if err != nil {
		return idle, err
	}
	if a.prepared == nil || !watched(a.prepared, a.at) {
		return c.openResult(a, n, anew)
	}
	if err := c.definitions(a, n, anew); err != nil {
		return idle, err
	}
	first, out, err := c.outParameters(a, n)
	if err != nil {
		return idle, err
	}
	if out {
		return c.outResult(a, anew, first)
	}
	of, err := c.judge(a, anew)
	if err != nil {
		return idle, err
	}
	if !c.agreed.Has(mywire.CapDeprecateEOF) {
		status, failed, err := c.columnsEnd(a)
		if err != nil || failed {
			return idle, err
		}
		if a.opens(status) {
			return c.opened(a, of, status)
		}
	}
	if first != nil && !a.muted {
		of.query = a.query()
		if err := c.rewritten(a, of, first); err != nil {
			return idle, err
		}
	}
	return c.rows(a, of)
}

// judge decides about the columns that were heard, anew or before, and passes them
// on. It returns nil columns where they are withheld.
func (c *conn) judge(a *answer, anew bool) (*columns, error) {
	if a.muted {
		return nil, nil
	}
	if d := c.known(a); d != nil {
		return d.columns, c.release(&d.told, anew)
	}
	described, err := c.decoded()
	if err != nil {
		return nil, err
	}
	of, err := c.describe(a.prepared, a.at, described, a.binary)
	switch {
	case err != nil && a.prepared.Open():
		of = c.unwatched()
	case err != nil:
		return nil, c.withhold(a, err)
	}
	c.tell(described)
	c.keep(a, of)
	return of, c.release(&c.told, anew)
}

// openResult is result for rows that pass as they are.
func (c *conn) openResult(a *answer, n int, anew bool) (phase, error) {
	if err := c.server.CopyTo(c.client); err != nil {
		return idle, err
	}
	if anew {
		if err := c.passDefinitions(n, c.hearing(a.of)); err != nil {
			return idle, err
		}
	}
	if !c.agreed.Has(mywire.CapDeprecateEOF) {
		status, failed, err := c.columnsEnd(a)
		if err != nil || failed {
			return idle, err
		}
		if a.opens(status) {
			return c.opened(a, c.unwatched(), status)
		}
	}
	return c.rows(a, c.unwatched())
}

// unwatched are columns that nobody looks at. Results take turns with them.
func (c *conn) unwatched() *columns {
	c.plain = columns{}
	return &c.plain
}

// columnsEnd passes on the EOF behind the columns, or the error in its place:
// opening a cursor may fail when the columns have been told.
func (c *conn) columnsEnd(a *answer) (status mywire.Status, failed bool, err error) {
	h, err := c.fromServer()
	if err != nil {
		return 0, false, err
	}
	if mywire.ReplyOf(h) == mywire.ReplyError {
		return 0, true, c.failed(a)
	}
	body, err := c.server.Body(maxReply)
	if err != nil {
		return 0, false, err
	}
	status, err = mywire.DecodeEOF(body)
	switch {
	case err != nil, a.muted:
		return status, false, err
	case a.touches():
		return status, false, c.writeEOF(status)
	}
	return status, false, c.server.CopyTo(c.client)
}

// withhold releases nothing of a result that is not as planned: the client gets an
// error in its place, and the rest of the answer is not passed on.
func (c *conn) withhold(a *answer, err error) error {
	var mismatch *session.MismatchError
	why := &session.Refusal{Code: "SV301", Message: "no row is released: " + err.Error()}
	if errors.As(err, &mismatch) {
		why = mismatch.Refusal()
	}
	a.muted = true
	c.end(a, session.Outcome{SQLState: session.StateOf(why)})
	a.at-- // the rest of the result is still this statement's
	return c.client.Write(errorOf(why).Append(nil))
}

// rows deals with rows up to the packet behind the last.
func (c *conn) rows(a *answer, of *columns) (phase, error) {
	if of != nil {
		of.query = a.query()
	}
	for {
		h, err := c.fromServer()
		if err != nil {
			return idle, err
		}
		switch mywire.AfterColumns(h, c.agreed) {
		case mywire.ReplyRow:
			if err := c.row(a, of, h); err != nil {
				return idle, err
			}
		case mywire.ReplyError:
			return idle, c.failed(a)
		default:
			return c.rowsEnd(a, of)
		}
	}
}

// row deals with a row, and with those that follow it in the buffer where they
// pass as they are.
func (c *conn) row(a *answer, of *columns, h mywire.Header) error {
	if a.muted || c.withheld && a.prepared.Messages(a.at) {
		return nil
	}
	q := of.query
	if of.cells == nil || !of.masked && (q == nil || q.Named()) {
		rows, bytes, err := c.server.PassRows(c.client)
		if q != nil {
			q.Rows += rows
			q.Bytes += bytes
			q.Unnamed(rows * of.subjects)
		}
		return err
	}
	rows, bytes, err := c.server.RewriteRows(c.client, maxRow, of.rewrite)
	if q != nil {
		q.Rows += rows
		q.Bytes += bytes
	}
	if errors.Is(err, protocol.ErrTooLarge) {
		return c.withhold(a, err)
	}
	return err
}

// rewritten passes on a row with its cells masked.
func (c *conn) rewritten(a *answer, of *columns, body []byte) error {
	q := of.query
	dst, err := c.client.Begin(len(body))
	if err != nil {
		return err
	}
	if dst, err = of.rewrite(dst, body); err != nil {
		return err
	}
	if q != nil {
		q.Rows++
		q.Bytes += int64(len(body))
	}
	return c.client.End(dst)
}

// lastPacket decodes what stands behind the last row.
func (c *conn) lastPacket() (body []byte, status mywire.Status, ok mywire.OK, err error) {
	if body, err = c.server.Body(maxReply); err != nil {
		return nil, 0, ok, err
	}
	if !c.agreed.Has(mywire.CapDeprecateEOF) {
		status, err = mywire.DecodeEOF(body)
		return body, status, ok, err
	}
	ok, err = mywire.DecodeOK(body, c.agreed)
	return body, ok.Status, ok, err
}

// rowsEnd deals with the packet behind the last row.
func (c *conn) rowsEnd(a *answer, of *columns) (phase, error) {
	_, status, ok, err := c.lastPacket()
	if err != nil {
		return idle, fmt.Errorf("end of rows: %w", err)
	}
	if a.opens(status) {
		return c.opened(a, of, status)
	}
	if err := c.passEnd(a, status, ok); err != nil {
		return idle, err
	}
	c.noteMessages(a, a.touches())
	for _, change := range ok.Changes {
		if change.Kind != mywire.ChangeState {
			c.session.PathChanged()
		}
	}
	if of != nil && of.outs { // MySQL 5.7 to 9 does not say so, yet an OK follows
		status |= mywire.StatusMoreResults
	}
	next := c.next(status)
	if next == idle || !a.prepared.Several(a.at) {
		c.end(a, session.Succeeded)
	}
	return next, nil
}

// noteMessages notes whether the warnings that the server has kept may tell of
// protected values: those of a result do, until a statement has others.
func (c *conn) noteMessages(a *answer, touches bool) {
	switch {
	case a.prepared == nil || a.prepared.Messages(a.at):
	case touches:
		c.withheld = true
	case a.prepared.UsesTables(a.at):
		c.withheld = false
	}
}

// passEnd passes the packet behind the last row on, without what it would tell of
// warnings about protected values.
func (c *conn) passEnd(a *answer, status mywire.Status, ok mywire.OK) error {
	switch {
	case a.muted:
		return nil
	case !a.touches():
		return c.server.CopyTo(c.client)
	case c.agreed.Has(mywire.CapDeprecateEOF):
		ok.Warnings, ok.Info = 0, nil
		return c.writeOK(ok, true)
	}
	return c.writeEOF(status)
}

func (c *conn) writeOK(ok mywire.OK, asEOF bool) error {
	dst, err := c.client.Begin(okSize + len(ok.Info))
	if err != nil {
		return err
	}
	return c.client.End(mywire.AppendOK(dst, ok, c.agreed, asEOF))
}

func (c *conn) writeEOF(status mywire.Status) error {
	dst, err := c.client.Begin(eofSize)
	if err != nil {
		return err
	}
	return c.client.End(mywire.AppendEOF(dst, status))
}

// Sizes of packets: of an EOF, and of an OK without its text at most.
const (
	eofSize = 5
	okSize  = 32
)
