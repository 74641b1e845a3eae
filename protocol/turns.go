package protocol

import (
	"net"
	"time"

	"sqlveil/protocol/loop"
)

// mostStreak is how many bytes a task reads in a row before the others of its loop
// have a turn.
const mostStreak = 4 * BufferSize

// ReadBy makes t the task that reads from c from now on.
func (c *Conn) ReadBy(t *loop.Task) { c.reader = t }

// WriteBy makes t the task that writes to c from now on.
func (c *Conn) WriteBy(t *loop.Task) { c.writer = t }

// Leave leaves two connections to the loop of a task: who reads or writes them gives
// up its thread while it waits, instead of blocking. Neither is changed unless there
// are sockets beneath both, with or without TLS; then nobody may be reading or writing
// them, as the task that waits for one must not be held up by the other.
func Leave(t *loop.Task, one, other *Conn) {
	if rawConn(one.base()) == nil || rawConn(other.base()) == nil {
		return
	}
	if one.leave(t) {
		other.leave(t)
	}
}

// base is the connection without the TLS that StartTLS has put over it.
func (c *Conn) base() net.Conn {
	if c.wire != nil {
		return c.wire.Conn
	}
	return c.conn
}

func (c *Conn) leave(t *loop.Task) bool {
	sock, err := t.Take(c.base())
	if err != nil {
		return false // not on this system, or no file descriptors
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sock = sock
	if c.wire != nil {
		c.wire.sock.Store(sock)
	}
	return true
}

// sockRead reads once, waiting if it must; for long only unless it may rest.
func (c *Conn) sockRead(rests bool) error {
	for {
		if c.secure != nil || !c.sock.Drained() { // crypto/tls may have more than the socket
			if more, err := c.sockPoll(); more || err != nil {
				return err
			}
		}
		if c.wire != nil {
			_ = c.wire.flush() // answers of crypto/tls: if they do not get out, who writes next is told
		}
		if err := c.awaitInput(rests); err != nil {
			return err
		}
	}
}

func (c *Conn) awaitInput(rests bool) error {
	if rests {
		return c.sock.AwaitReadOrRest(c.reader)
	}
	return c.sock.AwaitRead(c.reader)
}

// sockPoll reads what has arrived behind what is in the buffer, or into one that it
// borrows.
func (c *Conn) sockPoll() (more bool, err error) {
	if c.in == nil {
		c.in = borrow(c.filled)
	}
	n, err := c.receive(c.in[len(c.in):cap(c.in)])
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
	c.share(n)
	return true, nil
}

// receive reads once without waiting.
func (c *Conn) receive(p []byte) (int, error) {
	if c.secure == nil {
		return c.sock.Read(p)
	}
	n, err := c.secure.Read(p)
	if n > 0 {
		return n, nil // the error, if any, is told again
	}
	return 0, err
}

// share lets others have a turn when there is more and more to read; n bytes were.
func (c *Conn) share(n int) {
	if c.sock.Drained() {
		c.streak = 0
		return
	}
	if c.streak += n; c.streak >= mostStreak {
		c.streak = 0
		c.reader.Pause()
	}
}

// sockWrite writes p, waiting for room if it must.
func (c *Conn) sockWrite(p []byte) error {
	if c.secure != nil {
		return c.seal(p)
	}
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

// seal writes p as TLS records, likewise.
func (c *Conn) seal(p []byte) error {
	for len(p) > 0 {
		n, err := c.secure.Write(p[:min(len(p), BufferSize)])
		if err == nil {
			err = c.drain()
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// drain waits until the socket has taken all records.
func (c *Conn) drain() error {
	for {
		err := c.wire.flush()
		if err != loop.ErrAgain {
			return err
		}
		if err := c.awaitRoom(); err != nil {
			return err
		}
	}
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
