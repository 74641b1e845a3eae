package pgrelay

import (
	"fmt"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// maxCopyRow bounds a row of a COPY with masks, which is held in memory.
const maxCopyRow = maxRow

// A copyOut is a COPY to the client whose cells are masked.
type copyOut struct {
	rows    *pgwire.Copy   // nil: nothing is masked
	rewrite pgwire.Rewrite // of what they stand in
	columns *columns
}

// copyOut deals with a CopyOutResponse.
func (d *down) copyOut(e *entry) error {
	if e.prepared == nil || e.prepared.Open() {
		return d.pass(false)
	}
	body, err := d.in.Body(maxReply)
	if err != nil {
		return err
	}
	response, err := pgwire.DecodeCopyResponse(body)
	if err != nil {
		return err
	}
	if d.copy, err = d.prepareCopy(e, response); err != nil {
		return d.withhold(e, err)
	}
	return d.pass(false)
}

// prepareCopy compares a COPY with its plan. The server tells the number of its
// columns and whether they are binary, but neither types nor origins.
func (d *down) prepareCopy(e *entry, response pgwire.CopyResponse) (*copyOut, error) {
	format := e.prepared.Copy(e.at)
	if format == nil {
		return nil, &session.MismatchError{Got: len(response.Formats)}
	}
	origins := make([]session.Origin, len(response.Formats))
	masks, err := d.session.Describe(e.prepared, e.at, origins)
	if err == nil {
		certain := e.prepared.Vouched(e.at, origins)
		err = d.confirm(e.prepared, e.at, &certain)
	}
	if err != nil || masks == nil {
		return &copyOut{}, err
	}
	c := &columns{cells: make([]pgwire.CellRewriter, len(masks)), query: e.current()}
	for i, column := range e.prepared.Columns(e.at) {
		if masks[i] != nil {
			c.cells[i] = d.cellOf(masks[i], e.prepared.Subject(e.at, i), typeNamed(column.Type), response.Formats[i], c)
		}
	}
	o := copyOptions(format, response.Binary)
	for _, column := range e.prepared.Columns(e.at) {
		o.Quoted = append(o.Quoted, format.Quotes(column.Name))
	}
	rows := pgwire.NewCopy(o, c.cells, maxCopyRow)
	return &copyOut{rows: rows, rewrite: rows.Rewrite, columns: c}, nil
}

// copyOptions are the options of a COPY in the codec's words.
func copyOptions(f *session.CopyFormat, binary bool) pgwire.CopyOptions {
	o := pgwire.CopyOptions{
		Binary: binary, CSV: f.Format == "csv", Header: f.Header,
		Delimiter: first(f.Delimiter), Quote: first(f.Quote), Escape: first(f.Escape),
	}
	if f.HasNull {
		o.Null = []byte(f.Null)
	}
	return o
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// copyData deals with CopyData from the server.
func (d *down) copyData(e *entry) error {
	if d.muted {
		return nil
	}
	q := e.current()
	if e.prepared != nil && !e.prepared.Open() && d.copy == nil {
		return fmt.Errorf("%w: COPY data out of turn", protocol.ErrMalformed)
	}
	if d.copy == nil || d.copy.rows == nil {
		_, bytes, err := d.in.PassRun(d.out)
		if q != nil {
			q.Bytes += bytes
		}
		return err
	}
	if _, err := d.in.Body(maxCopyRow); err != nil {
		return err
	}
	_, bytes, err := d.in.RewriteRun(d.out, d.copy.rewrite)
	if q != nil {
		q.Bytes += bytes
		q.MaskedCells += d.copy.columns.taken()
	}
	return err
}

// copyDone deals with the end of a COPY to the client.
func (d *down) copyDone(e *entry) error {
	if c := d.copy; c != nil && c.rows != nil && !d.muted {
		if err := c.rows.End(); err != nil {
			return err
		}
		if q := e.current(); q != nil {
			q.Rows = c.rows.Rows()
		}
	}
	return d.pass(false)
}
