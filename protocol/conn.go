package protocol

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"sqlveil/protocol/loop"
)

const (
	// straightSize is the size from which bytes are written without being
	// gathered first.
	straightSize = BufferSize / 2

	// pollSize is how much must wait to be flushed for another look at the input
	// to be worth a system call.
	pollSize = 4 << 10
)

// smallRest is the size up to which unread bytes are moved to make room before
// the buffer is full.
const smallRest = 4 << 10

// A Conn is a connection with a buffer on either side. One goroutine may read
// and another write at the same time; Close and the deadlines may come from
// anywhere.
//
// Reading works on the buffer itself: Peek makes sure that so many bytes are
// there, Buffered shows all that are, Skip consumes. Writing gathers until
// Flush, which a Conn paired by FlushOnWait calls before it waits for input:
// a batch read at once is so written at once, and nothing is ever held back
// while there is nothing else to do.
//
// Either buffer is borrowed when the first byte arrives and given back when the
// last one is gone, so a connection that waits holds none. It is a small one until
// there is more than it holds.
//
// After [Leave] it reads and writes only in the tasks that ReadBy and WriteBy name.
type Conn struct {
	// WriteTimeout ends a write that makes no progress for about as long. Zero
	// means never. Set it before the first write.
	WriteTimeout time.Duration

	mu     sync.Mutex // guards changes of conn and sock, and readers of them that are not the session's own goroutines
	conn   net.Conn
	sock   *loop.Socket          // in the place of conn once it is left to a loop, nil before
	secure *tls.Conn             // conn, where StartTLS has made it one, nil else
	wire   *wire                 // beneath secure
	reader *loop.Task            // who reads, nil for a goroutine
	writer *loop.Task            // who writes, likewise
	streak int                   // how many bytes were read in a row with more behind them
	raw    syscall.RawConn       // nil where there is no socket to read and write by itself (TLS, pipes)
	try    func(fd uintptr) bool // c.tryRead, bound once so that it costs no allocation
	once   func(fd uintptr) bool // c.tryOnce, likewise
	emit   func(fd uintptr) bool // c.tryWrite, likewise
	lead   [1]byte               // the byte that a Conn without raw waits for
	out    *Conn                 // flushed before c waits
	rests  bool                  // see RestOnWait
	in     []byte                // what has been read and not been consumed is in[r:]
	r      int                   // how much of in is consumed
	filled int                   // how much was in it when the last of it was consumed
	pend   []byte                // what has been written and not been flushed
	sent   int                   // how much was flushed the last time
	rerr   error                 // what tryRead failed with
	unsent []byte                // what tryWrite has to write
	werr   error                 // the first failure to write; sticks
	due    time.Time             // the write deadline in force
}

// NewConn returns a Conn over nc, which it owns from now on.
func NewConn(nc net.Conn) *Conn {
	c := &Conn{conn: nc, raw: rawConn(nc)}
	c.try, c.once, c.emit = c.tryRead, c.tryOnce, c.tryWrite
	return c
}

// FlushOnWait makes c flush out before c waits for input. The goroutine that
// reads c must be the one that writes out. Nil ends the pairing.
func (c *Conn) FlushOnWait(out *Conn) { c.out = out }

// RestOnWait says whether Peek fails with [loop.ErrRest] when nothing is buffered and
// nothing has come for long, so that the task that reads can return. It does so only
// when c was left to a loop.
func (c *Conn) RestOnWait(rests bool) { c.rests = rests }

// Again makes the function of the task that reads be called anew, when it has returned,
// as soon as there is something to read.
func (c *Conn) Again() { c.sock.Again(c.reader) }

// Peek waits until n bytes are buffered and returns them without consuming
// them. At most BufferSize may be asked for. It fails with io.EOF when the peer
// has left with nothing unread, and with io.ErrUnexpectedEOF in mid-message.
func (c *Conn) Peek(n int) ([]byte, error) {
	for len(c.in)-c.r < n {
		if err := c.fill(len(c.in) == c.r); err != nil {
			if errors.Is(err, io.EOF) && len(c.in) > c.r {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return c.in[c.r : c.r+n : c.r+n], nil
}

// Buffered returns all that can be consumed without waiting.
func (c *Conn) Buffered() []byte { return c.in[c.r:len(c.in):len(c.in)] }

// Skip consumes n of the buffered bytes.
func (c *Conn) Skip(n int) {
	if n < 0 || n > len(c.in)-c.r {
		panic("protocol: Skip beyond what is buffered")
	}
	c.r += n
}

// Fill reads once more, waiting if it must; as with any io.Reader, that may
// bring nothing. Unlike Peek it takes the connection for busy, in the middle of
// a message, and has a buffer ready. It fails with io.ErrShortBuffer when
// BufferSize bytes are buffered already.
func (c *Conn) Fill() error { return c.fill(false) }

// fill is Fill, for a connection that may be idle.
func (c *Conn) fill(idle bool) error {
	c.makeRoom()
	if c.in != nil && len(c.in) == cap(c.in) {
		return io.ErrShortBuffer
	}
	if c.out != nil && c.out.pend != nil {
		if more, err := c.poll(); more || err != nil {
			return err
		}
		if err := c.out.Flush(); err != nil {
			return &FlushError{err}
		}
	}
	if c.sock != nil {
		return c.sockRead(idle && c.rests)
	}
	c.reader.Aside()
	switch {
	case c.raw != nil:
		return c.rawRead(c.try)
	case idle:
		return c.await()
	default:
		if c.in == nil {
			c.in = borrow(c.filled)
		}
		n, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
		return c.took(n, err)
	}
}

// makeRoom gives the input buffer back when there is nothing in it, takes a wide
// one for what does not end in a small one, and moves what is in it to the front
// when that is little or the buffer full.
func (c *Conn) makeRoom() {
	switch rest := len(c.in) - c.r; {
	case c.in == nil:
	case rest == 0:
		c.filled = len(c.in)
		c.release()
	case cap(c.in) == smallSize && len(c.in) > smallSize/2:
		c.in, c.r = widen(c.in, c.r), 0
	case c.r > 0 && (rest < smallRest || len(c.in) == cap(c.in)):
		c.in = c.in[:copy(c.in, c.in[c.r:])]
		c.r = 0
	}
}

// poll reads what has arrived already, if much waits to be flushed: a result
// that comes faster than it can be passed on is written in larger pieces.
func (c *Conn) poll() (more bool, err error) {
	if c.raw == nil && c.sock == nil || len(c.out.pend) < pollSize || len(c.out.pend) > cap(c.out.pend)-smallRest {
		return false, nil
	}
	if c.sock != nil {
		return c.sockPoll()
	}
	before := len(c.in)
	err = c.rawRead(c.once)
	return len(c.in) > before, err
}

// rawRead lets try read, again and again as long as it returns false.
func (c *Conn) rawRead(try func(fd uintptr) bool) error {
	c.rerr = nil
	if err := c.raw.Read(try); err != nil {
		return err
	}
	return c.rerr
}

// release gives the input buffer back.
func (c *Conn) release() {
	if c.in != nil {
		giveBack(c.in)
	}
	c.in, c.r = nil, 0
}

// await waits for a byte, and borrows a buffer for it then.
func (c *Conn) await() error {
	n, err := c.conn.Read(c.lead[:])
	if n == 0 {
		return err
	}
	c.in = append(borrow(c.filled), c.lead[0])
	return nil
}

// took accounts for n bytes read behind those in the buffer.
func (c *Conn) took(n int, err error) error {
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

// Write gathers p, or writes it straight on when it is long.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.makeSpace(len(p)); err != nil {
		return 0, err
	}
	if len(c.pend) == 0 && len(p) >= straightSize {
		if err := c.send(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if c.pend == nil {
		c.pend = borrow(max(c.sent, len(p)))
	}
	c.pend = append(c.pend, p...)
	return len(p), nil
}

// Reserve returns the bytes that wait to be flushed, for the caller to append
// to and hand to Commit, with room for n more if that is possible without
// growing. Nothing else may be written in between.
func (c *Conn) Reserve(n int) ([]byte, error) {
	if err := c.makeSpace(2 * n); err != nil { // what is appended may be longer than what it is made of
		return nil, err
	}
	switch {
	case c.pend == nil && n > BufferSize:
		c.pend = BorrowLarge()
	case c.pend == nil:
		c.pend = borrow(max(c.sent, 2*n))
	}
	return c.pend, nil
}

// makeSpace makes room for n more bytes to be flushed if there is none: in a wide
// buffer, or by flushing. It fails when a write has failed.
func (c *Conn) makeSpace(n int) error {
	switch {
	case c.pend == nil || n <= cap(c.pend)-len(c.pend):
	case cap(c.pend) == smallSize && n <= BufferSize-smallSize:
		c.pend = widen(c.pend, 0)
	default:
		return c.Flush()
	}
	return c.werr
}

// Commit makes what Reserve returned, with something appended, what waits to be
// flushed. A buffer that had to grow is flushed at once.
func (c *Conn) Commit(pend []byte) error {
	grown := cap(pend) != cap(c.pend)
	if grown {
		giveBack(c.pend)
	}
	c.pend = pend
	if grown || len(pend) >= BufferSize {
		return c.Flush()
	}
	return nil
}

// Pending returns how many bytes wait to be flushed.
func (c *Conn) Pending() int { return len(c.pend) }

// Flush writes what was gathered.
func (c *Conn) Flush() error {
	if c.pend == nil {
		return c.werr
	}
	if len(c.pend) > 0 && c.werr == nil {
		c.werr = c.send(c.pend)
	}
	c.sent = len(c.pend)
	giveBack(c.pend)
	c.pend = nil
	return c.werr
}

// send writes p to the network.
func (c *Conn) send(p []byte) error {
	if c.sock != nil {
		c.werr = c.sockWrite(p)
		return c.werr
	}
	c.writer.Aside()
	if c.WriteTimeout > 0 {
		if err := c.postpone(); err != nil {
			return err
		}
	}
	if c.raw == nil {
		_, c.werr = c.conn.Write(p)
		return c.werr
	}
	c.unsent = p
	err := c.raw.Write(c.emit)
	c.unsent = nil
	if c.werr == nil {
		c.werr = err
	}
	return c.werr
}

// postpone moves the write deadline away, but not on every write: setting a
// deadline costs more than looking at the clock.
func (c *Conn) postpone() error {
	now := time.Now()
	if c.due.Sub(now) > c.WriteTimeout*3/4 {
		return nil
	}
	c.due = now.Add(c.WriteTimeout)
	return c.conn.SetWriteDeadline(c.due)
}

// current returns the connection for callers that may run beside a handshake.
func (c *Conn) current() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// A bounded is what a net.Conn and a Socket have in common.
type bounded interface {
	SetReadDeadline(time.Time) error
	SetDeadline(time.Time) error
	Close() error
}

// below returns what the connection waits for, likewise.
func (c *Conn) below() bounded {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sock != nil {
		return c.sock
	}
	return c.conn
}

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.current().RemoteAddr() }

// LocalAddr returns our address.
func (c *Conn) LocalAddr() net.Addr { return c.current().LocalAddr() }

// SetReadDeadline bounds the wait for input, as for a net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.below().SetReadDeadline(t) }

// SetDeadline bounds all reads and writes, as for a net.Conn. With a
// WriteTimeout the next write sets its own deadline again.
func (c *Conn) SetDeadline(t time.Time) error { return c.below().SetDeadline(t) }

// Close closes the connection; what waits to be flushed is lost. A read or
// write in progress fails. A peer that speaks TLS is told.
func (c *Conn) Close() error {
	t := c.encrypted()
	if t == nil {
		return c.below().Close()
	}
	err := t.Close()
	_ = c.below().Close() // closed by now, unless an earlier Close came while it was left to the loop
	return err
}
