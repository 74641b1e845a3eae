package myrelay

import (
	"context"
	"errors"
	"fmt"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// A statement is what the relay keeps of one that COM_STMT_PREPARE made.
type statement struct {
	id       uint32
	prepared *session.Prepared
	sent     string // what the server has prepared
	planned  bool
	params   int
	execute  mywire.Execute
	long     map[uint16][]byte // parameters that came in pieces
	lost     bool              // and not all of them were kept
	size     int               // about what it takes in memory
	heard    words             // the columns of its result, where the server need not describe them again

	described *described // its last result, nil for none

	columns *columns       // of the open cursor
	running *session.Query // the execution whose cursor is open
}

// lastStatement is how MariaDB's clients name the statement prepared last, whose
// number they do not know yet.
const lastStatement = 0xffffffff

// find returns the statement of that number, nil when none is known.
func (c *conn) find(id uint32) *statement {
	if id == lastStatement {
		return c.last
	}
	return c.statements[id]
}

// closeCursor ends the record of an execution whose rows are not all fetched.
func (c *conn) closeCursor(st *statement, why string) {
	if st.running != nil && !st.running.Done() {
		c.session.End(st.running, session.Outcome{Ended: why})
	}
	st.running, st.columns = nil, nil
}

// prepare deals with COM_STMT_PREPARE.
func (c *conn) prepare(ctx context.Context, h mywire.Header) error {
	c.last = nil
	if err := c.full(); err != nil {
		return c.refuse(err)
	}
	if h.Size > maxText {
		if c.session.Masked() {
			return c.refuse(c.session.RefuseMessage(session.TooLong(h.Size, maxText)))
		}
		p := c.session.Unplanned("PREPARE")
		if err := c.send(); err != nil {
			return err
		}
		return c.prepared(&statement{prepared: p, sent: p.SQL()})
	}
	body, err := c.client.Body(maxPacket)
	if err != nil {
		return err
	}
	text, err := mywire.DecodeText(body)
	if err != nil {
		return err
	}
	p, err := c.session.Prepare(ctx, string(text))
	if err == nil && p.Len() != 1 && !p.Open() {
		err = c.session.RefuseMessage(notOne(p.Len()))
	}
	if err != nil {
		return c.refuse(err)
	}
	st := &statement{prepared: p, sent: p.SQL(), planned: true}
	if st.sent == p.Text {
		err = c.send()
	} else {
		c.server.Restart()
		err = c.server.Write(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte(st.sent)))
	}
	if err != nil {
		return err
	}
	return c.prepared(st)
}

// notOne refuses a text to prepare that is not one statement, in the words of the server
// where it has some.
func notOne(statements int) *session.Refusal {
	if statements == 0 {
		return &session.Refusal{Code: session.CodeProtocol, SQLState: "42601", Message: "Query was empty"}
	}
	return session.Multiple()
}

// prepared passes on the answer to COM_STMT_PREPARE.
func (c *conn) prepared(st *statement) error {
	h, err := c.fromServer()
	if err != nil {
		return err
	}
	a := &answer{prepared: st.prepared}
	if mywire.ReplyOf(h) == mywire.ReplyError {
		return c.failed(a)
	}
	body, err := c.server.Body(maxReply)
	if err != nil {
		return err
	}
	made, err := mywire.DecodePrepareOK(body)
	if err != nil {
		return err
	}
	if err := c.server.CopyTo(c.client); err != nil {
		return err
	}
	if err := c.preparedColumns(int(made.Parameters), nil); err != nil {
		return err
	}
	if err := c.preparedColumns(int(made.Columns), c.hearing(st)); err != nil {
		return err
	}
	st.id, st.params = made.Statement, int(made.Parameters)
	c.hold(st)
	return nil
}

// preparedColumns passes on n columns, of parameters or of the result, and the EOF
// behind them.
func (c *conn) preparedColumns(n int, heard *words) error {
	if n == 0 {
		return nil
	}
	if err := c.passDefinitions(n, heard); err != nil {
		return err
	}
	if c.agreed.Has(mywire.CapDeprecateEOF) {
		return nil
	}
	if _, err := c.fromServer(); err != nil {
		return err
	}
	return c.server.CopyTo(c.client)
}

// execute deals with COM_STMT_EXECUTE and with COM_STMT_BULK_EXECUTE, which
// executes a statement once for each of several rows of parameters.
func (c *conn) execute(ctx context.Context, command mywire.Command, h mywire.Header) error {
	body, err := c.executeBody(h)
	if err != nil {
		return c.refuse(err)
	}
	in := protocol.Over(body)
	in.Uint8()
	id := in.Uint32LE()
	cursor := mywire.AsksForCursor(in.Uint8()) && command == mywire.ComStmtExecute
	if err := in.Err(); err != nil {
		return &commandError{err}
	}
	st := c.find(id)
	if st == nil {
		return c.executeUnknown(id, cursor)
	}
	c.closeCursor(st, "closed")
	p, err := c.session.Renew(ctx, st.prepared)
	if err == nil {
		err = c.executable(st, p, body)
	}
	if err != nil {
		return c.refuse(err)
	}
	st.prepared = p
	bound := c.persons(st, p, body)
	rows, err := c.bulkRows(st, body)
	if err != nil {
		return c.refuse(err)
	}
	c.dropLong(st)
	a, err := c.begin(p, session.Extended, bound)
	if err != nil {
		return c.refuse(err)
	}
	a.binary, a.cursor, a.of, a.rows = true, cursor, st, rows
	if err := c.send(); err != nil {
		return err
	}
	return c.answered(a)
}

// executable refuses to execute what the server has prepared in another form, and
// what writes a masked value over the real one.
func (c *conn) executable(st *statement, p *session.Prepared, body []byte) error {
	switch {
	case !st.planned && c.session.Masked():
		return c.session.RefuseMessage(session.UnknownStatement(fmt.Sprint(st.id)))
	case p.SQL() != st.sent, !p.Open() && p.Len() != 1:
		return c.session.RefuseMessage(session.Outdated())
	case p.Open():
		return nil
	}
	return c.guarded(st, p, body)
}

// parameterRows calls f with each row of parameters of an execution.
func (c *conn) parameterRows(st *statement, body []byte, f func(row []mywire.Parameter) error) error {
	row := func() error { return f(st.execute.Parameters) }
	if mywire.Command(body[0]) == mywire.ComStmtBulkExecute {
		return st.execute.DecodeBulk(body, st.params, row)
	}
	if err := st.execute.Decode(body, st.params, c.agreed); err != nil {
		return err
	}
	return row()
}

// bulkRows is how many rows of parameters COM_STMT_BULK_EXECUTE has, for a role
// with masks: the server's own count may tell which of them were there already.
func (c *conn) bulkRows(st *statement, body []byte) (rows uint64, err error) {
	if !c.session.Masked() || mywire.Command(body[0]) != mywire.ComStmtBulkExecute {
		return 0, nil
	}
	err = c.parameterRows(st, body, func([]mywire.Parameter) error { rows++; return nil })
	if err != nil {
		return 0, c.session.RefuseMessage(session.Outdated())
	}
	return rows, nil
}

// guarded refuses parameters that hold a masked value of the column that they
// would be written to. A client gives the types of parameters once: where that was
// before there were guards, it has to prepare the statement again.
func (c *conn) guarded(st *statement, p *session.Prepared, body []byte) error {
	guards := p.Guards(0)
	if len(guards) == 0 {
		return nil
	}
	var why *session.Refusal
	err := c.parameterRows(st, body, func(row []mywire.Parameter) error {
		for i := range guards {
			if why = st.guarded(&guards[i], row); why != nil {
				return why
			}
		}
		return nil
	})
	switch {
	case why != nil:
		return c.session.RefuseMessage(why)
	case err != nil:
		return c.session.RefuseMessage(session.Outdated())
	}
	return nil
}

// guarded says why a row of parameters may not be written, nil if it may.
func (st *statement) guarded(g *session.Guard, row []mywire.Parameter) *session.Refusal {
	if g.Param < 1 || g.Param > len(row) {
		return nil
	}
	parameter := row[g.Param-1]
	text, ok := st.longText(g.Param - 1)
	if !parameter.Long {
		if parameter.Null {
			return nil
		}
		text, ok = parameter.AppendText(nil)
	}
	if !ok {
		return session.WriteBack(g)
	}
	return g.Check(text)
}

// maxPersons bounds the persons that the rows of parameters of one execution name.
const maxPersons = 200

// errEnoughPersons ends the search for them.
var errEnoughPersons = errors.New("enough persons are named")

// persons returns whom the parameters of an execution name. A client gives the
// types of parameters once: without them nobody is named.
func (c *conn) persons(st *statement, p *session.Prepared, body []byte) (bound session.Persons) {
	if !p.NamesByParameter() {
		return nil
	}
	// What cannot be decoded names nobody: the server judges it.
	_ = c.parameterRows(st, body, func(row []mywire.Parameter) error {
		bound = c.session.Bound(bound, p, func(n int, _ string) ([]byte, bool) { return st.text(row, n) })
		if len(bound) >= maxPersons {
			return errEnoughPersons
		}
		return nil
	})
	return bound
}

// text is the text form of a parameter, from 1.
func (st *statement) text(row []mywire.Parameter, n int) ([]byte, bool) {
	if n > len(row) || row[n-1].Null && !row[n-1].Long {
		return nil, false
	}
	if row[n-1].Long {
		return st.longText(n - 1)
	}
	return row[n-1].AppendText(nil)
}

// executeUnknown deals with a statement that we have not seen being made.
func (c *conn) executeUnknown(id uint32, cursor bool) error {
	if c.session.Masked() {
		return c.refuse(c.session.RefuseMessage(session.UnknownStatement(fmt.Sprint(id))))
	}
	a, err := c.begin(c.session.Unplanned("EXECUTE"), session.Extended, nil)
	if err != nil {
		return c.refuse(err)
	}
	a.binary, a.cursor = true, cursor
	if err := c.send(); err != nil {
		return err
	}
	return c.answered(a)
}

// opened notes that an execution has opened a cursor: its rows wait to be fetched.
func (c *conn) opened(a *answer, of *columns, status mywire.Status) (phase, error) {
	c.status = status
	if c.agreed.Has(mywire.CapDeprecateEOF) && !a.muted {
		if err := c.server.CopyTo(c.client); err != nil {
			return idle, err
		}
	}
	if a.of == nil || a.muted {
		return idle, nil
	}
	a.of.columns, a.of.running = of, a.query()
	return idle, nil
}

// fetch deals with COM_STMT_FETCH.
func (c *conn) fetch(ctx context.Context) error {
	body, err := c.client.Body(maxReply)
	if err != nil {
		return err
	}
	id, _, err := mywire.DecodeFetch(body)
	if err != nil {
		return &commandError{err}
	}
	st := c.find(id)
	if c.session.Masked() {
		if st == nil || !st.planned || st.columns == nil || st.running == nil {
			return c.refuse(c.session.RefuseMessage(session.UnknownStatement(fmt.Sprint(id))))
		}
		p, err := c.session.Rejudge(ctx, st.prepared)
		if err == nil && p != st.prepared {
			err = c.session.RefuseMessage(session.Outdated())
		}
		if err != nil {
			return c.refuse(err)
		}
	}
	if err := c.send(); err != nil {
		return err
	}
	return c.fetched(st)
}

// fetched passes on the rows of a cursor.
func (c *conn) fetched(st *statement) error {
	c.now = answer{binary: true}
	a, of := &c.now, c.unwatched()
	if st != nil {
		a.prepared = st.prepared
		if st.columns != nil {
			of = st.columns
			of.query = st.running
		}
	}
	for {
		h, err := c.fromServer()
		if err != nil {
			return err
		}
		switch mywire.AfterColumns(h, c.agreed) {
		case mywire.ReplyRow:
			err = c.row(a, of, h)
		case mywire.ReplyError:
			if st != nil {
				c.closeCursor(st, "failed")
			}
			return c.failed(a)
		default:
			return c.fetchEnd(st, a)
		}
		if err != nil {
			return err
		}
	}
}

// fetchEnd deals with the packet behind the rows of a fetch.
func (c *conn) fetchEnd(st *statement, a *answer) error {
	_, status, ok, err := c.lastPacket()
	if err != nil {
		return err
	}
	c.status = status
	if st != nil && st.running != nil && status.Has(mywire.StatusLastRow) {
		c.session.End(st.running, session.Succeeded)
		st.running, st.columns = nil, nil
	}
	return c.passEnd(a, status, ok)
}

// shortestLong is the size of a COM_STMT_SEND_LONG_DATA without data: the command,
// the numbers of the statement and of the parameter.
const shortestLong = 1 + 4 + 2

// longData deals with COM_STMT_SEND_LONG_DATA, which is not answered, unless it is
// cut off: MySQL has an error for that, which would be taken for the next answer.
func (c *conn) longData(h mywire.Header) error {
	if !c.session.Masked() && h.Size >= shortestLong {
		return c.send()
	}
	body, err := c.client.Body(maxPacket)
	if err != nil {
		return err
	}
	piece, err := mywire.DecodeLongData(body)
	if err != nil {
		return &commandError{err}
	}
	if st := c.find(piece.Statement); st != nil {
		c.keepLong(st, piece)
	}
	return c.send()
}

// closeStatement deals with COM_STMT_CLOSE, which is not answered.
func (c *conn) closeStatement() error {
	body, err := c.client.Body(maxReply)
	if err != nil {
		return err
	}
	id, err := mywire.DecodeStatement(body)
	if err != nil {
		return &commandError{err}
	}
	if st := c.find(id); st != nil {
		c.drop(st)
	}
	return c.send()
}

// resetStatement deals with COM_STMT_RESET.
func (c *conn) resetStatement() error {
	body, err := c.client.Body(maxReply)
	if err != nil {
		return err
	}
	id, err := mywire.DecodeStatement(body)
	if err != nil {
		return &commandError{err}
	}
	if st := c.find(id); st != nil {
		c.closeCursor(st, "closed")
		c.dropLong(st)
	}
	return c.passed()
}
