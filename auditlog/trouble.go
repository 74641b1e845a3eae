package auditlog

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Sources of trouble. Each is set and cleared by itself.
const (
	fault   = iota // the disk refuses; the writer mends it
	stalled        // the disk does not answer
	ended          // the log is closed
	sources
)

// trouble is why nothing can be recorded. Sessions read it without a lock.
type trouble struct {
	current atomic.Pointer[error]
	mu      sync.Mutex // guards what follows, and changes of current
	reasons [sources]error
}

func (t *trouble) get() error {
	if err := t.current.Load(); err != nil {
		return *err
	}
	return nil
}

// set puts a reason in place; nil takes it back.
func (t *trouble) set(source int, reason error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reasons[source] = reason
	for _, reason := range t.reasons {
		if reason != nil {
			err := fmt.Errorf("%w: %w", ErrUnavailable, reason)
			t.current.Store(&err)
			return
		}
	}
	t.current.Store(nil)
}

// lost counts what could not be recorded.
type lost struct {
	any atomic.Bool // there is something to take
	mu  sync.Mutex
	n   losses // guarded by mu
}

// losses are records that are not in the log.
type losses struct {
	refused      uint64 // statements that were not let through
	shed         uint64 // statements that were
	outcomes     uint64 // of statements that ran
	since, until time.Time
}

// add counts one with one of the fields of n.
func (l *lost) add(at time.Time, n losses) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.any.Swap(true) {
		l.n.since = at
	}
	l.n.until = at
	l.n.refused += n.refused
	l.n.shed += n.shed
	l.n.outcomes += n.outcomes
}

// take returns the counts and begins new ones.
func (l *lost) take() losses {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.any.Store(false)
	n := l.n
	l.n = losses{}
	return n
}
