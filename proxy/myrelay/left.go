package myrelay

import (
	"context"
	"sync"
	"time"
)

// While the server works for a client nobody reads what the client sends, so that it
// leaves is not noticed. A lookout looks after it: when the client has left, what runs
// is ended at the server and the session with it.
const (
	// lookout is how long a command takes at least before the client is looked after,
	// and twice that at most; and how often it is.
	lookout = time.Second

	// killTimeout bounds the ending of what runs at the server.
	killTimeout = 5 * time.Second
)

// A watch is the lookout of one session. Its fields are guarded by the mutex of conn.
type watch struct {
	timer   *time.Timer
	set     bool           // the timer will fire: it is not stopped between commands
	turn    uint64         // number of the command
	seen    uint64         // number of the command when the timer fired last
	over    bool           // the session has ended
	left    bool           // the client has left
	looking sync.WaitGroup // who ends what runs
}

// lookAfter sees to it that the lookout has its turn. It is called with mu held.
func (c *conn) lookAfter() {
	c.watch.turn++
	switch {
	case c.watch.set:
		return
	case c.watch.timer == nil:
		c.watch.timer = time.AfterFunc(lookout, c.look)
	default:
		c.watch.timer.Reset(lookout)
	}
	c.watch.set = true
}

// look is the lookout's turn.
func (c *conn) look() {
	c.mu.Lock()
	working := !c.waiting && !c.watch.over
	left := working && c.watch.seen == c.watch.turn && c.client.Transport().PeerLeft()
	c.watch.seen, c.watch.set = c.watch.turn, working && !left
	switch {
	case left:
		c.watch.left = true
		c.watch.looking.Add(1)
	case working:
		c.watch.timer.Reset(lookout)
	}
	c.mu.Unlock()
	if left {
		defer c.watch.looking.Done()
		c.endAtServer()
	}
}

// endAtServer ends what runs in the session. Without the means to do so the server
// learns of it when it has something to say.
func (c *conn) endAtServer() {
	defer c.server.Transport().Close()
	c.session.Cancelled("the client left")
	if c.relay.Kill == nil {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), killTimeout)
	defer done()
	if err := c.relay.Kill(ctx, c.thread); err != nil {
		c.session.Log.Warn().Err(err).Msg("a statement whose client left could not be ended at the server")
	}
}

// endWatch ends the looking out for good, and says whether the client had left.
func (c *conn) endWatch() (left bool) {
	c.mu.Lock()
	c.watch.over = true
	if c.watch.timer != nil {
		c.watch.timer.Stop()
	}
	left = c.watch.left
	c.mu.Unlock()
	c.watch.looking.Wait()
	return left
}
