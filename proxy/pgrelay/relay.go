package pgrelay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/loop"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// A Relay relays the sessions of one listener. Its fields are not changed once it
// serves.
type Relay struct {
	Network string // of the server: "tcp", or "unix" for a socket's path
	Address string

	ServerTLS    *tls.Config // for the modes other than disable: certificate authorities, a certificate of ours
	ServerTLSMod session.TLSMode
	ClientTLS    func() *tls.Config // for the modes other than disable: the certificate and ClientCAs of now
	ClientTLSMod session.TLSMode

	// Dial connects to the server; a net.Dialer does when nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Fixed says that a setting may not have a value which a role with masks brings
	// along in its StartupMessage; nil is never.
	Fixed func(name, value string) bool

	LoginTimeout time.Duration // from the first byte to ReadyForQuery; a minute when zero
	WriteTimeout time.Duration // a peer that takes nothing for so long is given up; never when zero

	cancels cancels
}

const defaultLoginTimeout = time.Minute

// A conn is one session: both connections and what the pumps share.
type conn struct {
	relay   *Relay
	session *session.Session
	client  *protocol.Conn
	server  *protocol.Conn

	fromClient *pgwire.Reader
	toClient   *pgwire.Writer // the down pump's, once both run
	fromServer *pgwire.Reader
	toServer   *pgwire.Writer // the up pump's, once both run

	shown []byte // the certificate that the client saw

	flight *flight
	up     up
	down   down

	ctx  context.Context // ends with the session
	stop context.CancelCauseFunc
	pump sync.WaitGroup // of the down pump

	first   sync.Once // of the ends
	cause   error     // of it
	stopped bool      // from outside

	goodbye sync.Once
}

// Serve implements [session.Relay]. It logs the client in; goOn does the rest.
func (r *Relay) Serve(ctx context.Context, nc net.Conn, s *session.Session) error {
	c := r.newConn(ctx, nc, s)
	begun := false
	defer func() {
		if !begun {
			c.close()
		}
	}()
	if started, err := c.begin(); err != nil || !started {
		return err
	}
	begun = true
	s.GoOn(c.goOn)
	return nil
}

// goOn runs the up pump until the session ends or rests. A session that waits does so
// below it, on a stack that the runtime halves as long as little of it is in use: so
// what the session's end needs is kept in conn.
func (c *conn) goOn() error {
	err := c.runUp()
	if err == loop.ErrRest {
		c.client.Again()
		return err
	}
	return c.finish(err)
}

func (r *Relay) newConn(ctx context.Context, nc net.Conn, s *session.Session) *conn {
	c := &conn{relay: r, session: s, client: protocol.NewConn(nc), flight: newFlight()}
	c.ctx, c.stop = context.WithCancelCause(ctx)
	c.client.WriteTimeout = r.WriteTimeout
	c.fromClient, c.toClient = pgwire.NewReader(c.client), pgwire.NewWriter(c.client)
	return c
}

// close gives back what the session holds.
func (c *conn) close() {
	c.stop(nil)
	c.forgetKey()
	c.client.Close()
	if c.server != nil {
		c.server.Close()
	}
}

// begin logs the client in and starts the down pump. It returns false when the
// session ended before that.
func (c *conn) begin() (started bool, err error) {
	unhook := context.AfterFunc(c.ctx, func() { c.client.Close() })
	started, err = c.logIn(c.ctx)
	unhook()
	if err != nil || !started {
		return started, err
	}
	up := c.session.Task()
	protocol.Leave(up, c.client, c.server)
	c.flight.up = up
	c.client.ReadBy(up)
	c.server.WriteBy(up)
	context.AfterFunc(c.ctx, func() {
		c.client.Close()
		c.server.Close()
		c.flight.end(context.Cause(c.ctx))
	})
	c.up.begin(c)
	c.down.begin(c)
	c.client.FlushOnWait(c.server)
	c.server.FlushOnWait(c.client)
	c.client.RestOnWait(true)
	c.server.RestOnWait(true)
	c.session.Stop(c.shutDown)
	c.pump.Add(1)
	up.Start(c.pumpDown)
	return true, nil
}

// pumpDown is the down pump's task, until the session ends or the pump rests.
func (c *conn) pumpDown(t *loop.Task) {
	c.down.task = t
	c.server.ReadBy(t)
	c.client.WriteBy(t)
	err := c.runDown()
	if err == loop.ErrRest {
		c.server.Again()
		return
	}
	c.end(err)
	c.pump.Done()
}

// end ends the session because a pump has returned. The first to return says why.
func (c *conn) end(why error) {
	c.first.Do(func() { c.cause, c.stopped = why, c.ctx.Err() != nil })
	c.stop(why)
}

// finish waits for the down pump, closes everything and returns why the session ended; err is the up
// pump's reason.
func (c *conn) finish(err error) error {
	defer c.close()
	switch {
	case errors.Is(err, session.ErrPanic):
		c.say(session.StateInternalError, "internal error")
	case err != nil:
		c.end(err) // else the server answers what is left and closes
	}
	c.session.Task().Aside()
	c.pump.Wait()
	if c.stopped {
		c.cause = &session.EndError{Why: "proxy stopped"}
	}
	c.down.abandon(session.Why(c.cause))
	if errors.Is(c.cause, io.EOF) {
		return nil
	}
	return c.cause
}

// runUp returns nil when the client has said goodbye, or is told why it is over.
func (c *conn) runUp() (err error) {
	defer session.Contain(c.session, &err)
	return c.up.run(c.ctx)
}

// runDown returns io.EOF when the server has closed the connection.
func (c *conn) runDown() (err error) {
	defer session.Contain(c.session, &err)
	err = c.down.run()
	var flush *protocol.FlushError
	var failed *net.OpError // it reads from the server and writes to the client
	switch {
	case errors.As(err, &flush):
		return &session.EndError{Why: "client gone", Err: flush.Err}
	case errors.As(err, &failed) && failed.Op == "write":
		return &session.EndError{Why: "client gone", Err: err}
	case errors.As(err, &failed) && failed.Op == "read":
		return &session.EndError{Why: "server gone", Err: err}
	case errors.Is(err, io.EOF):
		if ferr := c.client.Flush(); ferr != nil {
			return &session.EndError{Why: "client gone", Err: ferr}
		}
		if !c.up.left.Load() {
			return &session.EndError{Why: "server gone"}
		}
	}
	return err
}

// shutDown ends the session when nothing is in flight: now, or at the next
// ReadyForQuery. It is called from anywhere.
func (c *conn) shutDown() {
	if c.flight.stop() {
		_ = c.server.SetReadDeadline(time.Now()) // wakes the down pump; a closed connection needs no waking
	}
}

// Refuse implements [session.Relay].
func (r *Relay) Refuse(nc net.Conn, why *session.Refusal) {
	c := protocol.NewConn(nc)
	if err := fatal(pgwire.NewWriter(c), session.StateOf(why), why.Message, why.Hint); err != nil {
		return // a client that does not want to know
	}
}

// fatal tells a client that its session is over.
func fatal(w *pgwire.Writer, state, message, hint string) error {
	err := w.ErrorResponse(&pgwire.Diagnostic{Severity: pgwire.SeverityFatal, Code: state, Message: message, Hint: hint})
	if err != nil {
		return err
	}
	return w.Flush()
}

// bye ends the session by an error that the client is told.
func (c *conn) bye(state, message string) error {
	err := &session.EndError{Why: message, Err: errors.New("SQLSTATE " + state)}
	c.goodbye.Do(func() {
		if ferr := fatal(c.toClient, state, "sqlveil: "+message, ""); ferr != nil {
			err = &session.EndError{Why: message, Err: fmt.Errorf("the client was not told: %w", ferr)}
		}
	})
	return err
}
