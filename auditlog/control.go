package auditlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"sqlveil/auditlog/segment"
)

// A Look is what somebody did with the log: a search, a report, a proof.
type Look struct {
	Command string `json:"command"`
	Query   string `json:"query,omitempty"` // its filters, free of values
	Rows    int    `json:"rows,omitempty"`  // records shown
}

// A Request is what another process wants of the one that writes the log.
// Exactly one field is set.
type Request struct {
	Look      *Look  `json:"look,omitempty"`
	Hold      *Hold  `json:"hold,omitempty"`
	Lift      string `json:"lift,omitempty"`
	RotateKey bool   `json:"rotate_key,omitempty"`
}

// reply is the answer.
type reply struct {
	Error string `json:"error,omitempty"`
}

const (
	requestLimit = 64 << 10
	requestTime  = 10 * time.Second
	socketPath   = 100 // bytes that a socket's path may have, about
)

// Ask carries out a request on the log in a directory: through the process that
// writes it, or by opening it where there is none. That makes every look at the
// log a record of the log itself, in the same chain.
func Ask(o Options, r Request) error {
	conn, err := dialControl(o.Directory)
	if err == nil {
		return errors.Join(converse(conn, &r), conn.Close())
	}
	absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
	if !absent {
		return fmt.Errorf("audit log: %w", err)
	}
	l, err := Open(o)
	if err != nil {
		return err
	}
	return errors.Join(l.do(&r, os.Getuid()), l.Close())
}

func converse(conn net.Conn, r *Request) error {
	if err := conn.SetDeadline(time.Now().Add(requestTime)); err != nil {
		return err
	}
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return err
	}
	var answer reply
	if err := json.NewDecoder(io.LimitReader(conn, requestLimit)).Decode(&answer); err != nil {
		return fmt.Errorf("audit log: no answer: %w", err)
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}

// do carries out a request of a user of this machine.
func (l *Log) do(r *Request, uid int) error {
	name := userName(uid)
	switch {
	case r.Look != nil:
		_, err := l.Append(r.Look.event(name), true)
		return err
	case r.Hold != nil:
		hold := *r.Hold
		hold.By, hold.Set = name, l.options.now().UTC()
		return l.Hold(hold)
	case r.Lift != "":
		return l.Lift(r.Lift, name)
	case r.RotateKey:
		return l.RotateKey()
	}
	return errors.New("audit log: empty request")
}

func (k *Look) event(by string) *Event {
	return &Event{
		Kind: AuditRead, Who: Who{Person: by, Verified: true}, Result: Result{OK: true, Rows: int64(k.Rows)},
		Detail: []Detail{{"command", k.Command}, {"query", k.Query}},
	}
}

// userName is what the system calls a user, by number where it has no name.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}

// control answers requests of other processes, over a socket in the log's
// directory: who may reach it, the directory's permissions say, and who asks,
// the kernel.
type control struct {
	log      *Log
	mu       sync.Mutex
	listener *net.UnixListener
	closed   bool
}

func listenControl(l *Log) (*control, error) {
	c := &control{log: l}
	return c, c.listen()
}

// listen makes the socket, in place of what is there.
func (c *control) listen() error {
	path := c.log.path(segment.SocketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var listener *net.UnixListener
	err := shortened(path, func(path string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	c.mu.Lock()
	old := c.listener
	c.listener = listener
	c.mu.Unlock()
	if old != nil {
		err = old.Close() // serve goes on with the new one
	}
	return errors.Join(err, os.Chmod(path, 0o660))
}

// current returns the socket, or nil after close.
func (c *control) current() *net.UnixListener {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	return c.listener
}

func (c *control) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	_ = c.listener.Close() // Accept tells
}

func dialControl(dir string) (conn net.Conn, err error) {
	err = shortened(filepath.Join(dir, segment.SocketFile), func(path string) (err error) {
		conn, err = net.DialTimeout("unix", path, requestTime)
		return err
	})
	return conn, err
}

// shortened calls f with a path to the same place that fits a socket address.
func shortened(path string, f func(path string) error) error {
	if len(path) < socketPath {
		return f(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	return errors.Join(err, dir.Close())
}

// serve answers until the log closes.
func (c *control) serve(ctx context.Context) {
	unhook := context.AfterFunc(ctx, c.close)
	defer unhook()
	var talks sync.WaitGroup
	defer talks.Wait()
	for listener := c.current(); listener != nil; listener = c.current() {
		conn, err := listener.AcceptUnix()
		switch {
		case err == nil:
			talks.Go(func() { c.answer(ctx, conn) })
		case !errors.Is(err, net.ErrClosed):
			time.Sleep(requestTime / 10) // out of file descriptors, perhaps
		}
	}
}

// answer serves one connection. Its errors are the other side's, who has hung up.
func (c *control) answer(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer unhook()
	if err := conn.SetDeadline(time.Now().Add(requestTime)); err != nil {
		return
	}
	uid, err := peer(conn)
	if err == nil {
		var r Request
		if err = json.NewDecoder(io.LimitReader(conn, requestLimit)).Decode(&r); err == nil {
			err = c.log.do(&r, uid)
		}
	}
	var out reply
	if err != nil {
		out.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(out)
}

// peer is the user at the other end.
func peer(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var cred *syscall.Ucred
		if cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(controlErr, err)
}
