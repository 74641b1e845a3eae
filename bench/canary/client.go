package main

import (
	"context"
	"io"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"sqlveil/proxy/proxytest"
)

// A way is how a statement is sent.
type way string

// The ways: a Query; Parse to Sync with results in text or in binary; the same
// with rows fetched a few at a time, under names.
const (
	simple   way = "simple"
	extended way = "extended"
	binary   way = "binary"
	portal   way = "portal"
)

var ways = []way{simple, extended, binary, portal}

// A client sends tasks in a session of its own.
type client struct {
	address, user, database string

	conn  *pgconn.PgConn
	names int
}

// run sends one task. What the server answers is the recorder's business; run
// fails only when there is no session to be had.
func (c *client) run(ctx context.Context, t task) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	c.send(ctx, "BEGIN", simple)
	for _, statement := range t.statements {
		if t.parameter != "" {
			c.sendWith(ctx, statement, t)
		} else if !c.send(ctx, statement, t.way) {
			break
		}
	}
	c.send(ctx, "ROLLBACK", simple)
	if t.form == "prepare" || t.form == "guess" { // what a transaction does not undo
		c.send(ctx, "DEALLOCATE ALL", simple)
	}
	return ctx.Err()
}

func (c *client) connect(ctx context.Context) error {
	if c.conn != nil && !c.conn.IsClosed() {
		return nil
	}
	config, err := pgconn.ParseConfig(proxytest.PostgresDSN(c.address, c.user, c.database))
	if err != nil {
		return err
	}
	config.RuntimeParams["statement_timeout"] = "3s"
	c.conn, err = pgconn.ConnectConfig(ctx, config)
	return err
}

func (c *client) close(ctx context.Context) error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close(ctx)
}

// send sends one statement, reads what comes back and reports whether it was no
// error. Errors of the server are answers like others.
func (c *client) send(ctx context.Context, statement string, w way) bool {
	if c.conn.IsClosed() {
		return false
	}
	var err error
	switch {
	case strings.HasPrefix(statement, "COPY "):
		_, err = c.conn.CopyTo(ctx, io.Discard, statement)
	case w == simple || strings.Contains(statement, "; "):
		_, err = c.conn.Exec(ctx, statement).ReadAll()
	case w == portal && givesRows.MatchString(statement):
		return c.portal(ctx, statement)
	default:
		format := []int16{0}
		if w == binary {
			format[0] = 1
		}
		err = c.conn.ExecParams(ctx, statement, nil, nil, nil, format).Read().Err
	}
	return err == nil
}

// sendWith sends a statement with a parameter, in binary where it is text.
func (c *client) sendWith(ctx context.Context, statement string, t task) {
	formats, results := []int16{0}, []int16{0}
	if t.text {
		formats[0] = 1
	}
	if t.way == binary {
		results[0] = 1
	}
	c.conn.ExecParams(ctx, statement, [][]byte{[]byte(t.parameter)}, nil, formats, results).Read()
}

// givesRows is how statements begin whose portal can be run again.
var givesRows = regexp.MustCompile(`^\(?(SELECT|WITH|VALUES|TABLE|FETCH)`)

// portal runs a named statement for two rows, then for the rest.
func (c *client) portal(ctx context.Context, statement string) (ok bool) {
	stop := context.AfterFunc(ctx, func() { c.conn.Conn().Close() })
	defer stop()
	c.names++
	name := "s" + strings.Repeat("x", c.names%7)
	f := c.conn.Frontend()
	f.Send(&pgproto3.Close{ObjectType: 'S', Name: name})
	f.Send(&pgproto3.Parse{Name: name, Query: statement})
	f.Send(&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: name, ResultFormatCodes: []int16{int16(c.names % 2)}})
	if c.names%3 > 0 {
		f.Send(&pgproto3.Describe{ObjectType: 'P', Name: "p"})
	}
	f.Send(&pgproto3.Execute{Portal: "p", MaxRows: 2})
	f.Send(&pgproto3.Execute{Portal: "p"})
	f.Send(&pgproto3.Sync{})
	ok = true
	for err := f.Flush(); ; {
		var message pgproto3.BackendMessage
		if err == nil {
			message, err = f.Receive()
		}
		if err != nil {
			_ = c.conn.Close(ctx) // which says that the session is lost
			return false
		}
		switch message.(type) {
		case *pgproto3.ErrorResponse:
			ok = false
		case *pgproto3.ReadyForQuery:
			return ok
		}
	}
}
