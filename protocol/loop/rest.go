package loop

import "errors"

// ErrRest says that a task has waited for long. It may return now, for [Socket.Again]
// to call it anew: one that waits holds a stack of some KiB, one that rests holds none.
var ErrRest = errors.New("loop: nothing to read for long")

// Rest lets those tasks rest that have been in [Socket.AwaitReadOrRest] since the last
// call, and returns how many there are.
func Rest() (tasks int) {
	for _, l := range all() {
		tasks += l.rest()
	}
	return tasks
}

func (l *Loop) rest() (tasks int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sockets {
		if s == nil {
			continue
		}
		if t := s.in.tire(); t != nil {
			t.tired = true
			l.ready.put(t)
			tasks++
		}
	}
	l.rouse()
	return tasks
}
