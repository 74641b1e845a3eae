package protocol

import (
	"time"

	"sqlveil/protocol/loop"
)

// mostStreak is how often in a row a task reads a full buffer before the others of
// its loop have a turn.
const mostStreak = 4

// ReadBy makes t the task that reads from c from now on.
func (c *Conn) ReadBy(t *loop.Task) { c.reader = t }

// WriteBy makes t the task that writes to c from now on.
func (c *Conn) WriteBy(t *loop.Task) { c.writer = t }

// Leave leaves two connections to the loop of a task: who reads or writes them gives
// up its thread while it waits, instead of blocking. Neither is changed unless both
// are plain sockets; then nobody may be reading or writing them, as the task that
// waits for one must not be held up by the other.
func Leave(t *loop.Task, one, other *Conn) {
	if one.raw == nil || other.raw == nil {
		return
	}
	if one.leave(t) {
		other.leave(t)
	}
}

func (c *Conn) leave(t *loop.Task) bool {
	sock, err := t.Take(c.conn)
	if err != nil {
		return false // not on this system, or no file descriptors
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sock = sock
	return true
}

// sockRead reads once, waiting if it must.
func (c *Conn) sockRead() error {
	for {
		if !c.sock.Drained() {
			if more, err := c.sockPoll(); more || err != nil {
				return err
			}
		}
		if err := c.sock.AwaitRead(c.reader); err != nil {
			return err
		}
	}
}

// sockPoll reads what has arrived behind what is in the buffer, or into one that it
// borrows.
func (c *Conn) sockPoll() (more bool, err error) {
	if c.in == nil {
		c.in = borrow(c.filled)
	}
	n, err := c.sock.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if len(c.in) == 0 {
		c.release()
	}
	switch {
	case err == loop.ErrAgain:
		return false, nil
	case err != nil:
		return false, err
	}
	c.share()
	return true, nil
}

// share lets others have a turn when there is more and more to read.
func (c *Conn) share() {
	if c.sock.Drained() {
		c.streak = 0
		return
	}
	if c.streak++; c.streak == mostStreak {
		c.streak = 0
		c.reader.Pause()
	}
}

// sockWrite writes p, waiting for room if it must.
func (c *Conn) sockWrite(p []byte) error {
	for len(p) > 0 {
		n, err := c.sock.Write(p)
		p = p[n:]
		switch {
		case err == loop.ErrAgain:
			if err := c.awaitRoom(); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// awaitRoom waits until there is room to write, for so long as WriteTimeout allows.
func (c *Conn) awaitRoom() error {
	if c.WriteTimeout == 0 {
		return c.sock.AwaitWrite(c.writer)
	}
	if err := c.sock.SetWriteDeadline(time.Now().Add(c.WriteTimeout)); err != nil {
		return err
	}
	if err := c.sock.AwaitWrite(c.writer); err != nil {
		return err
	}
	return c.sock.SetWriteDeadline(time.Time{})
}
