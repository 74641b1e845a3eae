package myrelay

import (
	"context"
	"strings"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// maxAnswer bounds the packets that answer a question of ours.
const maxAnswer = 16 << 20

// Drain implements [session.Wire]. The protocol is half-duplex: when a command is
// looked at, the one before has been answered.
func (c *conn) Drain(context.Context) (session.Standing, error) { return session.Ready, nil }

// Ask implements [session.Wire]. It is called between two commands.
func (c *conn) Ask(_ context.Context, sql string) ([][]*string, error) {
	c.session.Metrics().Questions.Add(1)
	c.server.Restart()
	q := mywire.Query{Text: []byte(sql)}
	if err := c.server.Write(q.Append(nil, c.agreed)); err != nil {
		return nil, &serverError{err}
	}
	h, err := c.fromServer()
	if err != nil {
		return nil, err
	}
	body, err := c.server.Body(maxAnswer)
	if err != nil {
		return nil, &serverError{err}
	}
	switch mywire.ReplyOf(h) {
	case mywire.ReplyOK:
		return nil, nil
	case mywire.ReplyError:
		return nil, c.askFailed(body)
	}
	n, _, err := mywire.DecodeColumnCount(body, c.agreed) // of a text they are described
	if err != nil {
		return nil, err
	}
	skip := n
	if !c.agreed.Has(mywire.CapDeprecateEOF) {
		skip++
	}
	for range skip {
		if _, err := c.fromServer(); err != nil {
			return nil, err
		}
	}
	return c.answers(n)
}

// askFailed keeps the error that a question of ours was answered with.
func (c *conn) askFailed(body []byte) error {
	e, err := mywire.DecodeError(body)
	if err != nil {
		return err
	}
	c.asked = e
	return &session.ServerError{SQLState: e.State, Message: e.Message}
}

// answers reads the rows that answer a question of ours.
func (c *conn) answers(columns int) (rows [][]*string, err error) {
	for {
		h, err := c.fromServer()
		if err != nil {
			return nil, err
		}
		body, err := c.server.Body(maxAnswer)
		if err != nil {
			return nil, &serverError{err}
		}
		switch mywire.AfterColumns(h, c.agreed) {
		case mywire.ReplyError:
			return nil, c.askFailed(body)
		case mywire.ReplyRow:
			cells, err := mywire.DecodeTextRow(nil, body, columns)
			if err != nil {
				return nil, err
			}
			rows = append(rows, texts(cells))
		default:
			return rows, nil
		}
	}
}

func texts(cells [][]byte) []*string {
	row := make([]*string, len(cells))
	for i, cell := range cells {
		if cell != nil {
			text := string(cell)
			row[i] = &text
		}
	}
	return row
}

// surroundings asks for what the meaning of a text depends on: the current
// database, and the mode of package rewrite's scope. The LIMIT keeps
// sql_select_limit out of it.
const surroundings = "SELECT DATABASE(), CONCAT(@@sql_mode, '|', @@character_set_client, ',', @@character_set_connection, '|', VERSION()) LIMIT 1"

// Surroundings implements [session.Wire].
func (c *conn) Surroundings(ctx context.Context) (session.Surroundings, error) {
	rows, err := c.Ask(ctx, surroundings)
	if err != nil {
		return session.Surroundings{}, err
	}
	if len(rows) != 1 || len(rows[0]) != 2 || rows[0][1] == nil || !readable(*rows[0][1]) {
		return session.Surroundings{}, &session.ServerError{SQLState: "HY000", Message: "sqlveil: the session's settings could not be asked for"}
	}
	s := session.Surroundings{Mode: *rows[0][1], Kept: true}
	if database := rows[0][0]; database != nil {
		s.Path = []string{*database}
	}
	return s, nil
}

// readable says whether a mode arrived as it was written: in a character set for
// results that is not a superset of ASCII it does not.
func readable(mode string) bool {
	for i := range len(mode) {
		if mode[i] < ' ' || mode[i] > '~' {
			return false
		}
	}
	parts := strings.Split(mode, "|")
	return len(parts) == 3 && strings.Contains(parts[2], ".")
}
