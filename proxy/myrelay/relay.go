package myrelay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/loop"
	"sqlveil/protocol/mywire"
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

	LoginTimeout time.Duration // from the first byte to the server's OK; a minute when zero
	WriteTimeout time.Duration // a peer that takes nothing for so long is given up; never when zero

	// Kill ends what the session with this number runs at the server, whose client has
	// left; nothing does when nil.
	Kill func(ctx context.Context, thread uint32) error

	threads threads
}

const defaultLoginTimeout = time.Minute

// A conn is one session: both connections and what is known of them.
type conn struct {
	relay     *Relay
	ctx       context.Context // ends with the session
	stop      context.CancelFunc
	session   *session.Session
	client    *mywire.Conn
	server    *mywire.Conn
	agreed    mywire.Capabilities // both sides speak so
	version   string              // of the server
	thread    uint32              // the session's number at the server
	challenge []byte              // that the client was given last, to prove its password with
	started   bool                // the session's start is on record

	statements map[uint32]*statement
	last       *statement // prepared last
	held       int        // what the statements take in memory
	longHeld   int        // bytes of parameters that came in pieces
	asked      *mywire.Error
	status     mywire.Status    // what the server told last
	withheld   bool             // the warnings of the last result may tell of protected values
	running    []*session.Query // that have begun and perhaps not ended
	now        answer           // to the command at hand
	heard      words            // column definitions of the result at hand
	told       words            // what the client is told of them
	plain      columns          // of results that pass as they are
	described  map[session.Identity]*described
	ahead      *mywire.Header // of the server's packet that was read before its turn, nil for none

	mu       sync.Mutex
	waiting  bool  // for a command; guarded by mu
	stopping bool  // guarded by mu
	watch    watch // guarded by mu
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
	if started, err := c.start(); err != nil || !started {
		return err
	}
	begun = true
	s.GoOn(c.goOn)
	return nil
}

// goOn deals with commands until the session ends or rests. A session that waits does
// so below it, on a stack that the runtime halves as long as little of it is in use: so
// what the session's end needs is kept in conn.
func (c *conn) goOn() error {
	err := c.contained(c.ctx)
	if err == loop.ErrRest {
		c.client.Transport().Again()
		return err
	}
	return c.finish(err)
}

func (r *Relay) newConn(ctx context.Context, nc net.Conn, s *session.Session) *conn {
	c := &conn{relay: r, session: s, client: mywire.NewConn(protocol.NewConn(nc)), statements: make(map[uint32]*statement)}
	c.ctx, c.stop = context.WithCancel(ctx)
	c.client.Transport().WriteTimeout = r.WriteTimeout
	return c
}

// close gives back what the session holds.
func (c *conn) close() {
	c.stop()
	c.client.Transport().Close()
	if c.server != nil {
		c.server.Transport().Close()
	}
}

// start logs the client in. It returns false when the session ended before that.
func (c *conn) start() (started bool, err error) {
	unhook := context.AfterFunc(c.ctx, func() { c.client.Transport().Close() })
	started, err = c.logIn(c.ctx)
	unhook()
	if err != nil || !started {
		return started, err
	}
	task := c.session.Task()
	protocol.Leave(task, c.client.Transport(), c.server.Transport())
	for _, conn := range []*protocol.Conn{c.client.Transport(), c.server.Transport()} {
		conn.ReadBy(task)
		conn.WriteBy(task)
	}
	context.AfterFunc(c.ctx, func() {
		c.client.Transport().Close()
		c.server.Transport().Close()
	})
	c.client.Transport().FlushOnWait(c.server.Transport())
	c.server.Transport().FlushOnWait(c.client.Transport())
	c.session.Stop(c.shutDown)
	c.relay.threads.put(c.thread, c.session)
	return true, nil
}

// finish closes everything and ends the records of what runs; err says why the session ended, unless the
// client had left before or it was stopped from outside.
func (c *conn) finish(err error) error {
	defer c.close()
	defer c.relay.threads.remove(c.thread, c.session)
	c.session.Task().Aside()
	if c.endWatch() {
		err = &session.EndError{Why: "client gone", Err: err}
	}
	if c.ctx.Err() != nil {
		err = &session.EndError{Why: "proxy stopped"}
	}
	c.abandon(session.Why(err))
	return err
}

// contained runs the session; a panic in it is an error.
func (c *conn) contained(ctx context.Context) (err error) {
	defer func() {
		if errors.Is(err, session.ErrPanic) {
			_ = c.sayInternal() // the client may have left
		}
	}()
	defer session.Contain(c.session, &err)
	return c.run(ctx)
}

// sayInternal tells the client of a fault of ours.
func (c *conn) sayInternal() error {
	e := mywire.Error{Code: mywire.CodeUnknown, Message: "sqlveil: internal error"}
	if err := c.client.Write(e.Append(nil)); err != nil {
		return err
	}
	return c.client.Flush()
}

// abandon ends the records of what runs.
func (c *conn) abandon(why string) {
	if why == "" {
		why = "client gone"
	}
	for _, q := range c.running {
		if !q.Done() {
			c.session.End(q, session.Outcome{Ended: why})
		}
	}
	for _, st := range c.statements {
		c.closeCursor(st, why)
	}
}

// shutDown ends the session when no command is being carried out: now, or after
// the one that is. It is called from anywhere.
func (c *conn) shutDown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	if c.waiting {
		_ = c.client.Transport().SetReadDeadline(time.Now()) // a closed connection needs no waking
	}
}

// wait notes that the session waits for a command, or does not any more, and
// returns false when it is to end instead.
func (c *conn) wait(waiting bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = waiting
	if !waiting {
		c.lookAfter()
	}
	return !c.stopping
}

// run deals with commands until either side leaves or the proxy stops, or until there
// was none for long, which is [loop.ErrRest]. It waits for each, so it is kept small.
func (c *conn) run(ctx context.Context) error {
	for {
		if err := c.ready(); err != nil {
			return err
		}
		c.client.Transport().RestOnWait(true)
		h, err := c.client.Next()
		c.client.Transport().RestOnWait(false) // a file that it loads is part of a command
		if err == loop.ErrRest {
			return err
		}
		if err = c.turn(ctx, h, err); err != nil {
			return notGoodbye(err)
		}
	}
}

// ready makes the session wait for a command.
func (c *conn) ready() error {
	if err := c.client.Flush(); err != nil {
		return &session.EndError{Why: "client gone", Err: err}
	}
	c.client.Restart()
	if !c.wait(true) {
		return c.terminated()
	}
	return nil
}

// turn deals with a command, or with what there is in its place. An io.EOF is the
// client's goodbye.
func (c *conn) turn(ctx context.Context, h mywire.Header, err error) error {
	if !c.wait(false) {
		return c.terminated()
	}
	if err != nil {
		return c.clientLeft(err)
	}
	switch err := c.command(ctx, h); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err == nil:
		return nil
	default:
		return c.broken(err)
	}
}

// notGoodbye makes nothing of the client's goodbye.
func notGoodbye(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// clientLeft is the end of a session whose client sends nothing more, or nothing
// that can be understood.
func (c *conn) clientLeft(err error) error {
	var flush *protocol.FlushError
	switch {
	case errors.As(err, &flush):
		return &session.EndError{Why: "server gone", Err: flush.Err}
	case errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrTooLarge), errors.Is(err, mywire.ErrSequence):
		return c.broken(err)
	}
	return &session.EndError{Why: "client gone", Err: err}
}

// A serverError is an error of the connection to the server.
type serverError struct{ error }

func (e *serverError) Unwrap() error { return e.error }

// broken is the end of a session in the middle of a command.
func (c *conn) broken(err error) error {
	var flush *protocol.FlushError
	var server *serverError
	var end *session.EndError
	switch {
	case errors.As(err, &end):
		return err
	case errors.As(err, &flush), errors.Is(err, os.ErrDeadlineExceeded):
		return &session.EndError{Why: "client gone", Err: err}
	case errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrTooLarge), errors.Is(err, mywire.ErrSequence):
		return errors.Join(c.bye(mywire.CodeUnknown, "08S01", "a message was not understood"), err)
	case errors.As(err, &server):
		if ferr := c.client.Flush(); ferr != nil {
			return &session.EndError{Why: "server gone", Err: errors.Join(err, ferr)}
		}
		return &session.EndError{Why: "server gone", Err: err}
	}
	return &session.EndError{Why: "client gone", Err: err}
}

// terminated ends the session because the proxy shuts down.
func (c *conn) terminated() error {
	e := mywire.Error{Code: mywire.CodeShutdown, State: "08S01", Message: "Server shutdown in progress"}
	err := c.client.Write(e.Append(nil))
	if err == nil {
		err = c.client.Flush()
	}
	return errors.Join(&session.EndError{Why: "proxy stopped"}, err)
}

// bye ends the session by an error that the client is told.
func (c *conn) bye(code uint16, state, message string) error {
	e := mywire.Error{Code: code, State: state, Message: "sqlveil: " + message}
	err := c.client.Write(e.Append(nil))
	if err == nil {
		err = c.client.Flush()
	}
	return &session.EndError{Why: message, Err: err}
}

// Refuse implements [session.Relay].
func (r *Relay) Refuse(nc net.Conn, why *session.Refusal) {
	w := mywire.NewConn(protocol.NewConn(nc))
	if err := w.Write(errorOf(why).Append(nil)); err != nil {
		return // a client that does not want to know
	}
	_ = w.Flush() // likewise
}
