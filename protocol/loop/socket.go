package loop

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrAgain says that nothing can be read or written for now. It is a temporary
// [net.Error], after which crypto/tls reads on where it was.
var ErrAgain error = again{}

type again struct{}

func (again) Error() string   { return "loop: not ready" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// A Socket is a stream socket that tasks wait for. One task may read and another
// write at the same time; Close and the deadlines may come from anywhere. It reads
// and writes without waiting: what would have to wait fails with [ErrAgain].
type Socket struct {
	loop  *Loop
	fd    int
	users atomic.Int32 // of fd, with closing when no more may come; the last one closes it
	index uint32       // in the loop's table
	seq   uint32       // number in the loop, as an index is used again

	in      side
	out     side
	ended   atomic.Bool // the peer sends no more, or the connection is broken
	drained bool        // there was nothing left to read; the reader's

	network       string
	local, remote net.Addr

	mu    sync.Mutex // guards the deadlines
	until [2]deadline
	late  [2]atomic.Bool // the deadline has passed
}

// closing is in users once the socket is to be closed.
const closing = 1 << 30

// directions of until.
const (
	reading = iota
	writing
)

// A deadline is when waiting for one direction ends.
type deadline struct {
	at    time.Time // zero for never
	timer *time.Timer
}

// hold keeps the file descriptor from being closed and used for something else. It
// returns false when the socket is closed.
func (s *Socket) hold() bool {
	for {
		users := s.users.Load()
		if users&closing != 0 {
			return false
		}
		if s.users.CompareAndSwap(users, users+1) {
			return true
		}
	}
}

// letGo ends hold.
func (s *Socket) letGo() {
	if s.users.Add(-1) == closing {
		s.free()
	}
}

// Close closes the socket; who waits for it goes on and fails with [net.ErrClosed].
func (s *Socket) Close() error {
	for {
		users := s.users.Load()
		if users&closing != 0 {
			return net.ErrClosed
		}
		if s.users.CompareAndSwap(users, users|closing) {
			break
		}
	}
	s.mu.Lock()
	for i := range s.until {
		s.until[i].stop()
	}
	s.mu.Unlock()
	s.letGo() // the hold that it was made with
	s.in.ring()
	s.out.ring()
	return nil
}

// AwaitRead ends the task's turn until there is something to read. It fails when the
// socket is closed or the deadline has passed. It may return without either.
func (s *Socket) AwaitRead(t *Task) error { return s.await(t, &s.in, reading, waiting) }

// AwaitReadOrRest does so, and fails with [ErrRest] when that takes long.
func (s *Socket) AwaitReadOrRest(t *Task) error { return s.await(t, &s.in, reading, dozing) }

// Again makes the task's function be called anew, when it has returned, as soon as there
// is something to read or AwaitRead would fail.
func (s *Socket) Again(t *Task) { t.again = &s.in }

// AwaitWrite does so until there is room to write.
func (s *Socket) AwaitWrite(t *Task) error { return s.await(t, &s.out, writing, waiting) }

func (s *Socket) await(t *Task, side *side, direction int, state uint32) error {
	if err := s.over(direction); err != nil {
		return err
	}
	t.wait(side, state)
	if direction == reading {
		s.drained = false
	}
	if t.tired {
		return ErrRest
	}
	return s.over(direction)
}

// over says why there is nothing more to wait for.
func (s *Socket) over(direction int) error {
	switch {
	case s.users.Load()&closing != 0:
		return s.failed(direction, net.ErrClosed)
	case s.late[direction].Load():
		return s.failed(direction, os.ErrDeadlineExceeded)
	}
	return nil
}

// Drained says that nothing was left to read when it was read last, so that trying
// again is a waste before AwaitRead. It is the reader's to ask.
func (s *Socket) Drained() bool { return s.drained && !s.ended.Load() }

// SetReadDeadline bounds the wait for something to read, as for a [net.Conn].
func (s *Socket) SetReadDeadline(t time.Time) error { return s.setDeadline(reading, t) }

// SetWriteDeadline bounds the wait for room to write.
func (s *Socket) SetWriteDeadline(t time.Time) error { return s.setDeadline(writing, t) }

// SetDeadline bounds both.
func (s *Socket) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

func (s *Socket) setDeadline(direction int, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users.Load()&closing != 0 {
		return net.ErrClosed
	}
	d := &s.until[direction]
	d.stop()
	d.at = t
	s.late[direction].Store(false)
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		s.pass(direction)
	default:
		d.timer = time.AfterFunc(left, func() { s.expire(direction) })
	}
	return nil
}

// expire is called when a deadline is due that may have been moved since.
func (s *Socket) expire(direction int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.until[direction].at; !at.IsZero() && !time.Now().Before(at) {
		s.pass(direction)
	}
}

// pass makes a deadline have passed. s.mu is held.
func (s *Socket) pass(direction int) {
	s.late[direction].Store(true)
	if direction == reading {
		s.in.ring()
	} else {
		s.out.ring()
	}
}

// stop forgets the deadline.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = time.Time{}
}

// RemoteAddr returns the peer's address.
func (s *Socket) RemoteAddr() net.Addr { return s.remote }

// LocalAddr returns our address.
func (s *Socket) LocalAddr() net.Addr { return s.local }

// operations are the names of both directions.
var operations = [2]string{reading: "read", writing: "write"}

// failed is an error in the form that package net gives it.
func (s *Socket) failed(direction int, err error) error {
	return &net.OpError{Op: operations[direction], Net: s.network, Source: s.local, Addr: s.remote, Err: err}
}
