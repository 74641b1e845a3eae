package myrelay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

const (
	// maxText is the longest text that a role with masks may send.
	maxText = 8 << 20
	// maxOpenText is the longest text that is planned for a role that sees
	// everything, for the audit log alone.
	maxOpenText = 64 << 10
	// maxPacket is the longest command that is looked at as a whole.
	maxPacket = 1 << 30
	// maxReply bounds the packets of the server that are no rows.
	maxReply = 16 << 20
)

// A phase is where in the answer to a command the server is. The moves:
//
//	phase      packet            next
//	first      OK                first if more results follow, else idle
//	first      ERR               idle
//	first      LOCAL INFILE      localFile, then first
//	first      column count      columns
//	columns    as many columns   rows (behind an EOF, where that is not deprecated)
//	columns    ERR for that EOF  idle
//	rows       row               rows
//	rows       EOF, OK           first if more results follow, else idle
//	rows       ERR               idle
type phase uint8

const (
	idle phase = iota
	firstPacket
)

// An answer is what is known of the answer to a command.
type answer struct {
	prepared *session.Prepared
	queries  []*session.Query // one for each statement
	at       int              // the statement that is answered next
	binary   bool
	cursor   bool             // the client asked for a cursor
	muted    bool             // the client was told of an error of ours: the rest is not passed on
	of       *statement       // of COM_STMT_EXECUTE, nil for a text
	rows     uint64           // of parameters, of COM_STMT_BULK_EXECUTE
	meets    *session.Session // whom a KILL is for, nil for none of ours
}

// opens says whether the rows of a result wait to be fetched. While a procedure
// runs the status may be that of a cursor of its own.
func (a *answer) opens(status mywire.Status) bool {
	return a.cursor && status.Has(mywire.StatusCursor) && !status.Has(mywire.StatusMoreResults)
}

// query returns the record of the statement that is being answered, nil for none.
func (a *answer) query() *session.Query {
	if a.at < len(a.queries) && !a.queries[a.at].Done() {
		return a.queries[a.at]
	}
	return nil
}

// command deals with one command. An io.EOF is the client's goodbye.
func (c *conn) command(ctx context.Context, h mywire.Header) error {
	c.session.NextMessage()
	err := c.dispatch(ctx, h)
	if _, ok := errors.AsType[*commandError](err); ok {
		return c.malformed(mywire.Command(h.First))
	}
	return err
}

func (c *conn) dispatch(ctx context.Context, h mywire.Header) error {
	command := mywire.Command(h.First)
	if h.Size == 0 {
		return c.unknown(command)
	}
	switch command {
	case mywire.ComQuit:
		return c.quit()
	case mywire.ComQuery:
		return c.query(ctx, h)
	case mywire.ComStmtPrepare:
		return c.prepare(ctx, h)
	case mywire.ComStmtExecute, mywire.ComStmtBulkExecute:
		return c.execute(ctx, command, h)
	case mywire.ComStmtFetch:
		return c.fetch(ctx)
	case mywire.ComStmtSendLongData:
		return c.longData(h)
	case mywire.ComStmtClose:
		return c.closeStatement()
	case mywire.ComStmtReset:
		return c.resetStatement()
	case mywire.ComInitDB:
		return c.asText(ctx, "USE ")
	case mywire.ComCreateDB:
		return c.asText(ctx, "CREATE DATABASE ")
	case mywire.ComDropDB:
		return c.asText(ctx, "DROP DATABASE ")
	case mywire.ComProcessKill:
		return c.kill(ctx)
	case mywire.ComResetConnection:
		return c.resetConnection()
	case mywire.ComPing, mywire.ComStatistics, mywire.ComDebug, mywire.ComSetOption:
		return c.passed()
	case mywire.ComChangeUser:
		return c.changeUser()
	case mywire.ComFieldList:
		return c.fieldList(ctx)
	case mywire.ComProcessInfo:
		return c.processInfo(ctx)
	default:
		return c.unknown(command)
	}
}

// quit passes the client's goodbye on.
func (c *conn) quit() error {
	c.server.Restart()
	if err := c.client.CopyTo(c.server); err != nil {
		return io.EOF // there is nobody left to tell
	}
	if err := c.server.Flush(); err != nil {
		return io.EOF
	}
	return io.EOF
}

// refuse answers a command with a refusal; any other error it returns.
func (c *conn) refuse(err error) error {
	var why *session.Refusal
	if !errors.As(err, &why) {
		return err
	}
	told := errorOf(why)
	if c.asked != nil && c.asked.Message == why.Message {
		told = c.asked
	}
	c.asked = nil
	if err := c.client.Discard(); err != nil {
		return err
	}
	return c.client.Write(told.Append(nil))
}

// unknown deals with a command that goes around all SQL.
func (c *conn) unknown(command mywire.Command) error {
	if c.session.Masked() {
		return c.refuse(c.session.RefuseMessage(session.ProtocolRefusal(command.String())))
	}
	p := c.session.Unplanned(command.String())
	q, err := c.session.Begin(p, 0, session.Simple, nil)
	if err != nil {
		return c.refuse(err)
	}
	c.running = append(c.running[:0], q)
	if err := c.send(); err != nil {
		return err
	}
	switch command {
	case mywire.ComBinlogDump, mywire.ComBinlogDumpGTID, mywire.ComTableDump:
		return c.stream(q)
	}
	return c.short(&answer{prepared: p, queries: c.running})
}

// stream passes on all that the server sends until it is done.
func (c *conn) stream(q *session.Query) error {
	for {
		h, err := c.fromServer()
		if err != nil {
			return err
		}
		if err := c.server.CopyTo(c.client); err != nil {
			return err
		}
		q.Bytes += int64(h.Size)
		switch mywire.ReplyOf(h) {
		case mywire.ReplyError, mywire.ReplyEOF:
			c.session.End(q, session.Succeeded)
			return nil
		}
	}
}

// fromServer sends what waits to be sent and waits for the server's next packet.
func (c *conn) fromServer() (mywire.Header, error) {
	if c.ahead != nil {
		h := *c.ahead
		c.ahead = nil
		return h, nil
	}
	if err := c.server.Flush(); err != nil {
		return mywire.Header{}, &serverError{err}
	}
	for {
		h, err := c.server.Next()
		if err != nil {
			return h, &serverError{err}
		}
		if progress, err := c.progress(h); !progress {
			return h, err
		}
	}
}

// progress deals with a packet that only tells how far the server is; err says why
// one could not be dealt with. Roles with masks do without: what they are told may
// be an answer of ours already.
func (c *conn) progress(h mywire.Header) (is bool, err error) {
	if mywire.ReplyOf(h) != mywire.ReplyError || !c.agreed.Has(mywire.CapMariaDBProgress) {
		return false, nil
	}
	body, err := c.server.Body(maxReply)
	if err != nil || !mywire.IsProgress(body, c.agreed) {
		return false, err
	}
	if c.session.Masked() {
		return true, nil
	}
	if err := c.server.CopyTo(c.client); err != nil {
		return false, err
	}
	return true, nil
}

// send passes the command at hand on as it is.
func (c *conn) send() error {
	c.server.Restart()
	return c.client.CopyTo(c.server)
}

// passed passes on a command that no role may abuse, and its answer of one packet.
func (c *conn) passed() error {
	if err := c.send(); err != nil {
		return err
	}
	if _, err := c.fromServer(); err != nil {
		return err
	}
	return c.server.CopyTo(c.client)
}

// short passes on an answer of one packet.
func (c *conn) short(a *answer) error {
	h, err := c.fromServer()
	if err != nil {
		return err
	}
	switch mywire.ReplyOf(h) {
	case mywire.ReplyOK:
		_, err := c.ok(a)
		return err
	case mywire.ReplyError:
		return c.failed(a)
	}
	c.end(a, session.Succeeded)
	return c.server.CopyTo(c.client)
}

// query deals with COM_QUERY.
func (c *conn) query(ctx context.Context, h mywire.Header) error {
	most := maxText
	if !c.session.Masked() {
		most = maxOpenText
	}
	if h.Size > most {
		return c.longQuery(h)
	}
	body, err := c.client.Body(maxPacket)
	if err != nil {
		return err
	}
	var q mywire.Query
	if err := q.Decode(body, c.agreed); err != nil {
		return &commandError{err}
	}
	p, err := c.session.PrepareOnce(ctx, q.Text)
	if err == nil {
		err = c.clear(p)
	}
	if err != nil {
		return c.refuse(err)
	}
	a, err := c.begin(p, session.Simple, nil)
	if err != nil {
		return c.refuse(err)
	}
	if sql := p.SQL(); sql != p.Text {
		q.Text = []byte(sql)
		c.server.Restart()
		if err := c.server.Write(q.Append(nil, c.agreed)); err != nil {
			return &serverError{err}
		}
	} else if err := c.send(); err != nil {
		return err
	}
	if err := c.answered(a); err != nil {
		return err
	}
	c.session.SpareText(p)
	return nil
}

// clear refuses a text of which nobody could tell which statement a result
// belongs to.
func (c *conn) clear(p *session.Prepared) error {
	if p.Open() || p.Len() < 2 {
		return nil
	}
	for i := range p.Len() {
		if p.Several(i) {
			return c.session.RefuseMessage(session.Ambiguous())
		}
	}
	return nil
}

// longQuery deals with a text too long to be planned.
func (c *conn) longQuery(h mywire.Header) error {
	if c.session.Masked() {
		return c.refuse(c.session.RefuseMessage(session.TooLong(h.Size, maxText)))
	}
	const start = 64 // enough to tell the command
	head, err := c.client.Transport().Peek(start)
	if err != nil {
		return err
	}
	p := c.session.Unplanned(string(head[5:]))
	a, err := c.begin(p, session.Simple, nil)
	if err != nil {
		return c.refuse(err)
	}
	if err := c.send(); err != nil {
		return err
	}
	return c.answered(a)
}

// begin puts the statements of a text on record.
func (c *conn) begin(p *session.Prepared, how string, bound session.Persons) (*answer, error) {
	for _, q := range c.running { // of the command before; an open cursor's has not ended
		if q.Done() {
			c.session.Spare(q)
		}
	}
	c.running = c.running[:0]
	for i := range p.Len() {
		q, err := c.session.Begin(p, i, how, bound)
		if err != nil {
			for _, q := range c.running {
				c.session.End(q, session.Outcome{Ended: "skipped"})
			}
			return nil, err
		}
		c.running = append(c.running, q)
	}
	c.now = answer{prepared: p, queries: c.running, meets: c.meets(p)}
	return &c.now, nil
}

// asText deals with a command that is another way to write a statement about a
// database, and is judged as that.
func (c *conn) asText(ctx context.Context, statement string) error {
	body, err := c.client.Body(maxReply)
	if err != nil {
		return err
	}
	name, err := mywire.DecodeText(body)
	if err != nil {
		return err
	}
	return c.judged(ctx, statement+quoted(name))
}

// quoted is a name as a text has it.
func quoted(name []byte) string { return "`" + strings.ReplaceAll(string(name), "`", "``") + "`" }

// kill deals with COM_PROCESS_KILL.
func (c *conn) kill(ctx context.Context) error {
	body, err := c.client.Body(maxReply)
	if err != nil {
		return err
	}
	in := protocol.Over(body)
	in.Uint8()
	id := in.Uint32LE()
	if err := in.Err(); err != nil {
		return &commandError{err}
	}
	return c.judged(ctx, fmt.Sprintf("KILL %d", id))
}

// processInfo deals with COM_PROCESS_INFO, whose answer is that of SHOW PROCESSLIST.
func (c *conn) processInfo(ctx context.Context) error {
	a, err := c.sendAs(ctx, "SHOW PROCESSLIST")
	if a == nil {
		return err
	}
	return c.answered(a)
}

// judged passes the command at hand on if the statement that says the same may be
// sent, and its answer of one packet.
func (c *conn) judged(ctx context.Context, text string) error {
	a, err := c.sendAs(ctx, text)
	if a == nil {
		return err
	}
	return c.short(a)
}

// sendAs passes the command at hand on as the statement that says the same; a nil
// answer says that it was refused, or could not be sent.
func (c *conn) sendAs(ctx context.Context, text string) (*answer, error) {
	p, err := c.session.Prepare(ctx, text)
	if err != nil {
		return nil, c.refuse(err)
	}
	a, err := c.begin(p, session.Simple, nil)
	if err != nil {
		return nil, c.refuse(err)
	}
	if err := c.send(); err != nil {
		return nil, err
	}
	return a, nil
}

// resetConnection deals with COM_RESET_CONNECTION.
func (c *conn) resetConnection() error {
	if err := c.send(); err != nil {
		return err
	}
	h, err := c.fromServer()
	if err != nil {
		return err
	}
	if mywire.ReplyOf(h) == mywire.ReplyOK {
		c.dropAll()
		c.session.TransactionOver()
		c.session.Reset()
	}
	return c.server.CopyTo(c.client)
}

// changeUser deals with COM_CHANGE_USER, a new login in the same connection: the
// role is decided anew before the client learns that the server let it in. One that
// the server refuses leaves the user as it was, if the server does not end the session.
func (c *conn) changeUser() error {
	body, err := c.client.Body(maxClientLogin)
	if err != nil {
		return err
	}
	u, err := mywire.DecodeChangeUser(append([]byte(nil), body...), c.agreed)
	if err != nil {
		return &commandError{err}
	}
	c.dropAll()
	if err := c.send(); err != nil {
		return err
	}
	c.session.TransactionOver()
	c.session.Reset()
	in, err := c.authenticate(&mywire.Login{User: u.User, Database: u.Database, Attributes: u.Attributes}, u.Plugin)
	switch {
	case errors.Is(err, errRejected):
		return nil
	case err == nil && !in:
		return &session.EndError{Why: "login refused"}
	}
	return err
}

// answered passes on the whole answer to a text or an execution.
func (c *conn) answered(a *answer) error {
	for next := firstPacket; next != idle; {
		var err error
		if next, err = c.reply(a); err != nil {
			return err
		}
	}
	for _, q := range a.queries {
		if !q.Done() && (a.of == nil || a.of.running != q) {
			c.session.End(q, session.Outcome{Ended: "skipped"})
		}
	}
	if !c.status.Has(mywire.StatusInTransaction) {
		c.session.TransactionOver()
	}
	return nil
}

// reply passes on one answer of the server's: an OK, an error or a result.
func (c *conn) reply(a *answer) (phase, error) {
	h, err := c.fromServer()
	if err != nil {
		return idle, err
	}
	switch mywire.ReplyOf(h) {
	case mywire.ReplyOK:
		return c.ok(a)
	case mywire.ReplyError:
		return idle, c.failed(a)
	case mywire.ReplyLocalFile:
		return firstPacket, c.localFile(a)
	case mywire.ReplyColumns:
		return c.result(a)
	}
	return idle, fmt.Errorf("answer: %w", protocol.ErrMalformed)
}

// touches says whether the server's words about the statement being answered may
// quote protected data.
func (a *answer) touches() bool {
	return a.prepared != nil && !a.prepared.Open() && (a.prepared.Touches(a.at) || a.at >= a.prepared.Len())
}

// reads says whether what the server counts may tell of protected data.
func (a *answer) reads() bool {
	return a.prepared != nil && !a.prepared.Open() && (a.prepared.Reads(a.at) || a.at >= a.prepared.Len())
}

// next is the phase behind a status.
func (c *conn) next(status mywire.Status) phase {
	if lexing := mywire.StatusNoBackslashEscapes | mywire.StatusANSIQuotes; (status^c.status)&lexing != 0 {
		c.session.PathChanged()
	}
	c.status = status
	if status.Has(mywire.StatusMoreResults) {
		return firstPacket
	}
	return idle
}

// ok passes on an OK, which ends a statement.
func (c *conn) ok(a *answer) (phase, error) {
	body, err := c.server.Body(maxReply)
	if err != nil {
		return idle, err
	}
	ok, err := mywire.DecodeOK(body, c.agreed)
	if err != nil {
		return idle, err
	}
	for _, change := range ok.Changes {
		if change.Kind != mywire.ChangeState {
			c.session.PathChanged()
		}
	}
	if q := a.query(); q != nil {
		q.Rows = int64(ok.AffectedRows)
	}
	touches, reads := a.touches(), a.reads()
	altered := touches && c.recount(a, &ok)
	if !touches {
		c.noteMessages(a, false)
	}
	if a.meets != nil {
		a.meets.Cancelled(c.client.Transport().RemoteAddr().String())
	}
	c.end(a, session.Succeeded)
	next := c.next(ok.Status)
	switch {
	case a.muted:
		return next, nil
	case reads && (altered || ok.Warnings != 0 || len(ok.Info) != 0):
		ok.Warnings, ok.Info = 0, nil
		return next, c.writeOK(ok, false)
	case altered:
		return next, c.writeOK(ok, false)
	}
	return next, c.server.CopyTo(c.client)
}

// failed passes on an error, which ends a statement and all behind it.
func (c *conn) failed(a *answer) error {
	body, err := c.server.Body(maxReply)
	if err != nil {
		return err
	}
	e, err := mywire.DecodeError(body)
	if err != nil {
		return err
	}
	touches := a.touches()
	c.end(a, session.Outcome{SQLState: e.State})
	c.session.BatchFailed()
	switch {
	case a.muted:
		return nil
	case touches:
		return c.client.Write(sanitised(e).Append(nil))
	}
	return c.server.CopyTo(c.client)
}

// end puts the outcome of the statement being answered on record and goes on to
// the next.
func (c *conn) end(a *answer, o session.Outcome) {
	if q := a.query(); q != nil {
		c.session.End(q, o)
	}
	a.at++
}

// localFile lets the client send a file, if the statement asks for one.
func (c *conn) localFile(a *answer) error {
	allowed := !a.muted && (a.prepared.Open() || a.prepared.Loads(a.at))
	if !allowed {
		if err := c.server.Discard(); err != nil {
			return err
		}
		return c.server.Write(nil)
	}
	if err := c.server.CopyTo(c.client); err != nil {
		return err
	}
	if err := c.client.Flush(); err != nil {
		return err
	}
	for {
		h, err := c.client.Next()
		if err != nil {
			return err
		}
		if err := c.client.CopyTo(c.server); err != nil {
			return err
		}
		if h.Size == 0 {
			return nil
		}
	}
}
