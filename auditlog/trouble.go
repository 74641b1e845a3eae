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
	mu           sync.Mutex
	refused      uint64 // statements that were not let through
	shed         uint64 // statements that were
	since, until time.Time
}

func (l *lost) add(at time.Time, shed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused+l.shed == 0 {
		l.since = at
	}
	l.until = at
	if shed {
		l.shed++
	} else {
		l.refused++
	}
}

// take returns the count and begins a new one.
func (l *lost) take() (refused, shed uint64, since, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	refused, shed, since, until = l.refused, l.shed, l.since, l.until
	l.refused, l.shed = 0, 0
	return
}
