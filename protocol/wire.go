package protocol

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sqlveil/protocol/loop"
)

// errUnread says that a peer asks for new keys again and again, and reads none of the
// answers.
var errUnread = errors.New("protocol: the peer reads no answers to its KeyUpdates")

// A wire is what crypto/tls takes for the network. It is a net.Conn until its Conn is
// left to a loop, and then a socket for which nobody waits inside of crypto/tls: that
// holds locks there which the task at the other direction may want.
//
//   - Where Read would have to wait it fails with [loop.ErrAgain], a temporary error
//     after which tls.Conn.Read can be called again.
//   - Write keeps the record, so it takes all of it: crypto/tls writes nothing more
//     after a write that fails. Whoever wrote calls flush, and waits for room outside.
//
// Reading writes as well, where the peer wants an answer to its KeyUpdate or breaks
// the rules. Who reads calls flush before waiting; what the socket does not take then
// goes out before what is written next.
// https://www.rfc-editor.org/rfc/rfc8446#section-4.6.3
type wire struct {
	net.Conn
	head []byte                      // has been read already
	sock atomic.Pointer[loop.Socket] // in the place of Conn once it is left to a loop, nil before

	mu   sync.Mutex // guards kept and the order in which the socket is written
	kept []byte     // a buffer of sealed with what the socket has not taken, nil when there is nothing
}

func (w *wire) Read(p []byte) (int, error) {
	if len(w.head) > 0 {
		n := copy(p, w.head)
		w.head = w.head[n:]
		return n, nil
	}
	sock := w.sock.Load()
	switch {
	case sock == nil:
		return w.Conn.Read(p)
	case sock.Drained():
		return 0, loop.ErrAgain
	}
	return sock.Read(p)
}

func (w *wire) Write(p []byte) (int, error) {
	sock := w.sock.Load()
	if sock == nil {
		return w.Conn.Write(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept == nil {
		w.kept = sealed.Get().(*[sealedSize]byte)[:0]
	}
	if len(p) > cap(w.kept)-len(w.kept) {
		return 0, &net.OpError{Op: "write", Net: sock.LocalAddr().Network(), Source: sock.LocalAddr(), Addr: sock.RemoteAddr(), Err: errUnread}
	}
	w.kept = append(w.kept, p...)
	return len(p), nil
}

// flush writes what is kept. It fails with [loop.ErrAgain] when the socket does not
// take all of it.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept == nil {
		return nil
	}
	for rest := w.kept; len(rest) > 0; {
		n, err := w.sock.Load().Write(rest)
		if err != nil {
			w.kept = w.kept[:copy(w.kept, rest)]
			return err
		}
		rest = rest[n:]
	}
	sealed.Put((*[sealedSize]byte)(w.kept[:sealedSize]))
	w.kept = nil
	return nil
}

// SetWriteDeadline bounds writing. crypto/tls calls it before its last word, which
// waits for nothing once the connection is left to a loop.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.sock.Load() != nil {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}

// Close closes what is below, after a last attempt to write what is kept.
func (w *wire) Close() error {
	sock := w.sock.Load()
	if sock == nil {
		return w.Conn.Close()
	}
	_ = w.flush() // the peer may have left, or not read for long
	return sock.Close()
}
