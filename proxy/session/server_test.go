package session

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// relayFunc is a Relay that serves by a function.
type relayFunc func(ctx context.Context, client net.Conn, s *Session) error

func (f relayFunc) Serve(ctx context.Context, client net.Conn, s *Session) error {
	return f(ctx, client, s)
}

func (f relayFunc) Refuse(client net.Conn, why *Refusal) {
	if _, err := io.WriteString(client, StateOf(why)); err != nil {
		return // the client has gone
	}
}

// serve starts a server and returns its address.
func serve(t *testing.T, srv *Server) string {
	t.Helper()
	srv.Options.Log, srv.Options.Metrics = zerolog.Nop(), &Metrics{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		if n := srv.Options.Metrics.Sessions.Load(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// echo relays nothing and returns when the client leaves or ctx ends.
func echo(ctx context.Context, client net.Conn, s *Session) error {
	unhook := context.AfterFunc(ctx, func() { client.Close() })
	defer unhook()
	s.Stop(func() { client.Close() })
	if _, err := io.Copy(client, client); err != nil {
		return &EndError{Why: "client gone", Err: err}
	}
	return nil
}

// Servers that share a room have so many sessions together, and a session that ends
// makes room for the next.
func TestServerLimits(t *testing.T) {
	room := NewRoom(1)
	one, other := serve(t, &Server{Relay: relayFunc(echo), Room: room}), serve(t, &Server{Relay: relayFunc(echo), Room: room})
	first := dial(t, one)
	if got := echoed(first); got != "x" {
		t.Fatalf("the first: %q", got)
	}
	for _, addr := range []string{one, other} {
		if got, err := io.ReadAll(dial(t, addr)); err != nil || string(got) != StateTooManyConnections {
			t.Errorf("the second: %q %v", got, err)
		}
	}
	first.Close()
	for room.taken.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	if got := echoed(dial(t, other)); got != "x" {
		t.Errorf("the next: %q", got)
	}
}

// echoed is what comes back for an x.
func echoed(c net.Conn) string {
	b := make([]byte, 1)
	if _, err := io.WriteString(c, "x"); err != nil {
		return err.Error()
	}
	n, err := c.Read(b)
	if err != nil {
		return err.Error()
	}
	return string(b[:n])
}

// A fault in one session ends that session alone.
func TestServerContainsPanics(t *testing.T) {
	srv := &Server{Relay: relayFunc(func(ctx context.Context, client net.Conn, s *Session) error {
		b := make([]byte, 1)
		if _, err := client.Read(b); err != nil {
			return err
		}
		if b[0] == '!' {
			panic("a fault")
		}
		return echo(ctx, client, s)
	})}
	addr := serve(t, srv)
	bad := dial(t, addr)
	if _, err := io.WriteString(bad, "!"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(bad); err != nil {
		t.Fatal(err)
	}
	good := dial(t, addr)
	if _, err := io.WriteString(good, "xy"); err != nil {
		t.Fatal(err)
	}
	if _, err := good.Read(make([]byte, 1)); err != nil {
		t.Errorf("another session: %v", err)
	}
	if n := srv.Options.Metrics.Panics.Load(); n != 1 {
		t.Errorf("%d panics counted", n)
	}
}

func TestServerShutdown(t *testing.T) {
	for name, tt := range map[string]struct {
		relay relayFunc
		want  error
	}{
		"sessions that stop when asked": {echo, nil},
		"sessions that do not": {func(ctx context.Context, _ net.Conn, _ *Session) error {
			<-ctx.Done()
			return nil
		}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			srv := &Server{Relay: tt.relay}
			addr := serve(t, srv)
			dial(t, addr)
			for srv.Options.Metrics.Sessions.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			if err := srv.Shutdown(ctx); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if _, err := net.Dial("tcp", addr); err == nil {
				t.Error("it still accepts")
			}
		})
	}
}
