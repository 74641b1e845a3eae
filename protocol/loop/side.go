package loop

import "sync/atomic"

// States of a side.
const (
	quiet   uint32 = iota
	ready          // it was rung while nobody waited
	waiting        // a task waits
)

// A side is something that one task waits for and anybody rings.
type side struct {
	state atomic.Uint32
	task  *Task // who waits; good while the state is waiting
}

// park makes the task wait, unless the side was rung meanwhile.
func (s *side) park(t *Task) bool {
	s.task = t
	if s.state.CompareAndSwap(quiet, waiting) {
		return true
	}
	s.state.Store(quiet)
	return false
}

// rung returns the task that may go on now, if one waits, and remembers it else.
func (s *side) rung() *Task {
	for {
		switch s.state.Load() {
		case quiet:
			if s.state.CompareAndSwap(quiet, ready) {
				return nil
			}
		case ready:
			return nil
		case waiting:
			t := s.task
			if s.state.CompareAndSwap(waiting, quiet) {
				return t
			}
		}
	}
}

// ring lets the task go on that waits, or that will wait next.
func (s *side) ring() {
	if t := s.rung(); t != nil {
		t.loop.post(t)
	}
}

// A Bell lets one task wait for others. Its zero value is ready for use.
type Bell struct{ side side }

// Wait returns when the bell has been rung since the last Wait, and now and then
// without that: the caller looks whether there is still something to wait for.
func (b *Bell) Wait(t *Task) { t.wait(&b.side) }

// Ring may be called from anywhere.
func (b *Bell) Ring() { b.side.ring() }
