package pgrelay

import (
	"context"
	"crypto/subtle"
	"sync"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// cancels knows which session a CancelRequest is for. The server's own keys pass
// through to the clients, so a request is passed on as it is, also one whose
// session came here another way.
type cancels struct {
	mu     sync.Mutex
	keys   map[uint32]cancelKey
	second time.Time // the start of the current one
	spent  int       // unknown keys passed on in it
}

type cancelKey struct {
	key     []byte
	session *session.Session
}

const (
	// unknownCancels bounds how many keys a second may be tried that belong to no
	// session of ours.
	unknownCancels = 20

	// cancelTimeout bounds the passing on of one request.
	cancelTimeout = 10 * time.Second
)

func (cs *cancels) put(pid uint32, key []byte, s *session.Session) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.keys == nil {
		cs.keys = make(map[uint32]cancelKey)
	}
	cs.keys[pid] = cancelKey{key, s}
}

func (cs *cancels) remove(pid uint32, s *session.Session) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.keys[pid].session == s {
		delete(cs.keys, pid)
	}
}

// find returns the session that a request is for, nil when it is none of ours,
// and whether the request may be passed on.
func (cs *cancels) find(pid uint32, key []byte, now time.Time) (s *session.Session, pass bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if k, ok := cs.keys[pid]; ok && subtle.ConstantTimeCompare(k.key, key) == 1 {
		return k.session, true
	}
	if now.Sub(cs.second) >= time.Second {
		cs.second, cs.spent = now, 0
	}
	cs.spent++
	return nil, cs.spent <= unknownCancels
}

// cancel passes a CancelRequest on. Like the server we answer nothing, whatever
// comes of it.
func (c *conn) cancel(ctx context.Context, request *pgwire.Startup) error {
	target, pass := c.relay.cancels.find(request.ProcessID, request.Key, time.Now())
	m := c.session.Metrics()
	if !pass {
		m.CancelsDropped.Add(1)
		return nil
	}
	m.Cancels.Add(1)
	if target != nil {
		target.Cancelled(c.client.RemoteAddr().String())
	}
	ctx, done := context.WithTimeout(ctx, cancelTimeout)
	defer done()
	server, err := c.relay.dial(ctx)
	if err != nil {
		return &session.EndError{Why: "server gone", Err: err}
	}
	defer server.Close()
	return sendCancel(server, request)
}

func sendCancel(server *protocol.Conn, request *pgwire.Startup) error {
	if _, err := server.Write(pgwire.AppendCancelRequest(nil, request.ProcessID, request.Key)); err != nil {
		return err
	}
	if err := server.Flush(); err != nil {
		return err
	}
	if _, err := server.Peek(1); err == nil {
		return protocol.ErrMalformed // the server only closes
	}
	return nil
}

// forgetKey lets the session be cancelled no more.
func (c *conn) forgetKey() { c.relay.cancels.remove(c.down.pid, c.session) }
