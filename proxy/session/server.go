package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"sqlveil/protocol/loop"
)

// A Relay speaks one wire protocol.
type Relay interface {
	// Serve relays between a client and a server until either leaves, and closes
	// the client's connection. When ctx ends it returns soon. What it returns says
	// why the session ended; nil is a goodbye of the client's. It may also return
	// nil when the client has logged in, and leave all else to what it has given
	// to [Session.GoOn].
	Serve(ctx context.Context, client net.Conn, s *Session) error
	// Refuse tells a client that it is turned away.
	Refuse(client net.Conn, why *Refusal)
}

// A Server accepts the connections of one listener.
type Server struct {
	Relay   Relay
	Options Options

	// Room bounds the sessions of this server and of others with the same one.
	// Nil: no limit.
	Room *Room

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sessions  map[*Session]struct{}
	wait      sync.WaitGroup
	closed    bool
	base      context.Context
	cancel    context.CancelFunc
}

// init makes what the zero Server lacks. It is called with mu held.
func (srv *Server) init() {
	if srv.base == nil {
		srv.base, srv.cancel = context.WithCancel(context.Background())
		srv.listeners = make(map[net.Listener]struct{})
		srv.sessions = make(map[*Session]struct{})
	}
}

// acceptPause is the rest after an accept that failed, as when the process has no
// file descriptors left.
const acceptPause = 50 * time.Millisecond

// Serve accepts connections until Shutdown or Close and returns
// [ErrServerClosed] then. It closes the listener.
func (srv *Server) Serve(l net.Listener) error {
	if !srv.track(l) {
		_ = l.Close()
		return ErrServerClosed
	}
	defer srv.untrack(l)
	for {
		conn, err := l.Accept()
		if err == nil {
			srv.open(conn)
			continue
		}
		if srv.isClosed() {
			return ErrServerClosed
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		srv.Options.Log.Warn().Err(err).Msg("accept")
		time.Sleep(acceptPause)
	}
}

func (srv *Server) track(l net.Listener) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.init()
	if srv.closed {
		return false
	}
	srv.listeners[l] = struct{}{}
	return true
}

func (srv *Server) untrack(l net.Listener) {
	srv.mu.Lock()
	delete(srv.listeners, l)
	srv.mu.Unlock()
	_ = l.Close()
}

func (srv *Server) isClosed() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.closed
}

// open starts the session of a connection.
func (srv *Server) open(conn net.Conn) {
	s := newSession(&srv.Options, addrOf(conn))
	srv.mu.Lock()
	full := !srv.closed && !srv.Room.enter()
	if srv.closed || full {
		srv.mu.Unlock()
		srv.turnAway(conn, full)
		return
	}
	srv.sessions[s] = struct{}{}
	srv.wait.Add(1)
	srv.mu.Unlock()
	loop.Start(func(t *loop.Task) { srv.run(t, conn, s) })
}

// turnAway refuses a connection without waiting for it.
func (srv *Server) turnAway(conn net.Conn, full bool) {
	if !full {
		_ = conn.Close()
		return
	}
	srv.Options.Metrics.SessionsFull.Add(1)
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	srv.Relay.Refuse(conn, &Refusal{SQLState: StateTooManyConnections, Message: "sqlveil: too many connections"})
	_ = conn.Close()
}

func addrOf(conn net.Conn) string {
	if a := conn.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// run is one session from beginning to end, or from one rest to the next.
func (srv *Server) run(t *loop.Task, conn net.Conn, s *Session) {
	if s.task == nil {
		s.task, s.aside = t, t.Aside
		if err := srv.begin(conn, s); err != nil || s.relay == nil {
			srv.end(conn, s, err)
			return
		}
	}
	if err := s.goOn(); err != loop.ErrRest {
		srv.end(conn, s, err)
	}
}

// end is the end of a session; err says why.
func (srv *Server) end(conn net.Conn, s *Session, err error) {
	_ = conn.Close()
	s.finish(Why(err))
	if err != nil && !errors.Is(err, ErrNoRole) {
		s.Log.Info().Err(err).Msg("session ended")
	}
	srv.Options.Metrics.Sessions.Add(-1)
	srv.mu.Lock()
	delete(srv.sessions, s)
	srv.mu.Unlock()
	srv.Room.leave()
	srv.wait.Done()
}

// begin contains the panics of a relay.
func (srv *Server) begin(conn net.Conn, s *Session) (err error) {
	srv.Options.Metrics.Sessions.Add(1)
	srv.Options.Metrics.SessionsTotal.Add(1)
	defer Contain(s, &err)
	return srv.Relay.Serve(srv.base, conn, s)
}

// GoOn makes relay do what is left of the session when Serve has returned nil: what it
// returns is what Serve would. Where it fails with [loop.ErrRest] it is called again, by
// the occasion that it has named to [loop.Socket.Again].
func (s *Session) GoOn(relay func() error) { s.relay = relay }

func (s *Session) goOn() (err error) {
	defer Contain(s, &err)
	return s.relay()
}

// ErrPanic is the end of a session by a fault of the program.
var ErrPanic = errors.New("internal error")

// Contain is deferred by each goroutine of a session, so that a fault in it ends
// that session alone: it turns a panic into an error. The program's log gets the
// kind and the places of it, not its text, which may hold a value.
func Contain(s *Session, err *error) {
	p := recover()
	if p == nil {
		return
	}
	*err = ErrPanic
	s.fault(p)
}

// fault reports a panic.
func (s *Session) fault(p any) {
	s.options.Metrics.Panics.Add(1)
	s.Log.Error().Str("panic", fmt.Sprintf("%T", p)).Bytes("stack", debug.Stack()).Msg("internal error")
}

// An EndError says why a session ended that did not end by itself.
type EndError struct {
	Why string // for the audit log: "client gone", "server gone", ...
	Err error
}

func (e *EndError) Error() string {
	if e.Err == nil {
		return e.Why
	}
	return e.Why + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *EndError) Unwrap() error { return e.Err }

// Why is the reason of a session's end for the audit log.
func Why(err error) string {
	var end *EndError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &end):
		return end.Why
	case errors.Is(err, ErrPanic):
		return "internal error"
	default:
		return "broken off"
	}
}

// Shutdown stops accepting and ends every session when the statement that runs
// in it is complete. When ctx ends first, what is left is broken off and the
// error of ctx returned.
func (srv *Server) Shutdown(ctx context.Context) error {
	for _, s := range srv.stopAccepting() {
		s.shutDown()
	}
	done := make(chan struct{})
	go func() {
		srv.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		srv.cancel()
		<-done
		return ctx.Err()
	}
}

// Close stops accepting, breaks off all sessions and waits for their ends.
func (srv *Server) Close() {
	srv.stopAccepting()
	srv.cancel()
	srv.wait.Wait()
}

func (srv *Server) stopAccepting() []*Session {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.init()
	srv.closed = true
	for l := range srv.listeners {
		_ = l.Close()
	}
	sessions := make([]*Session, 0, len(srv.sessions))
	for s := range srv.sessions {
		sessions = append(sessions, s)
	}
	return sessions
}
