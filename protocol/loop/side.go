package loop

import "sync/atomic"

// States of a side.
const (
	quiet   uint32 = iota
	ready          // it was rung while nobody waited
	waiting        // a task waits
	dozing         // a task waits that may rest
	weary          // and has waited so since somebody looked
	resting        // a task has returned, and is to be begun anew
)

// A side is something that one task waits for and anybody rings.
type side struct {
	state atomic.Uint32
	task  *Task // who waits; good from waiting on
}

// park makes the task wait in this state, unless the side was rung meanwhile.
func (s *side) park(t *Task, state uint32) bool {
	if s.task != t { // who rings late may still look at it
		s.task = t
	}
	if s.state.CompareAndSwap(quiet, state) {
		return true
	}
	s.state.Store(quiet)
	return false
}

// rung returns the task that may go on now, if one waits, and remembers it else.
func (s *side) rung() *Task {
	for {
		switch state := s.state.Load(); state {
		case quiet:
			if s.state.CompareAndSwap(quiet, ready) {
				return nil
			}
		case ready:
			return nil
		default:
			t := s.task
			if s.state.CompareAndSwap(state, quiet) {
				return t
			}
		}
	}
}

// tire returns the task that may rest, if one has waited since the last call.
func (s *side) tire() *Task {
	switch s.state.Load() {
	case dozing:
		s.state.CompareAndSwap(dozing, weary)
	case weary:
		t := s.task
		if s.state.CompareAndSwap(weary, quiet) {
			return t
		}
	}
	return nil
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
func (b *Bell) Wait(t *Task) { t.wait(&b.side, waiting) }

// Ring may be called from anywhere.
func (b *Bell) Ring() { b.side.ring() }
