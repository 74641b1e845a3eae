package loop

import "iter"

// A Task is a function that runs by turns: it gives up its thread where it waits and
// goes on there when that has come. Only the function itself may call the methods.
type Task struct {
	loop   *Loop
	f      func(*Task)
	resume func() (struct{}, bool) // gives the function a turn; false when it has returned; nil before it begins
	yield  func(struct{}) bool     // ends the turn
	free   func()                  // a turn in a goroutine of its own, bound once
	at     *side                   // what the function waits for when its turn ends, nil for nothing
	state  uint32                  // of at meanwhile
	again  *side                   // what the function is called anew for when it has returned, nil for nothing
	alone  bool                    // the turn has a goroutine of its own
	tired  bool                    // the turn was given for the task to rest
}

// Start runs f as a task in a goroutine of its own, until it waits.
func Start(f func(*Task)) { go pick().task(f).turn(true) }

// Start runs f as another task of the same loop.
func (t *Task) Start(f func(*Task)) { t.loop.post(t.loop.task(f)) }

func (l *Loop) task(f func(*Task)) *Task {
	t := &Task{loop: l, f: f}
	t.free = func() { t.turn(true) }
	return t
}

// begin makes the function ready to run from its beginning, on a stack of its own.
func (t *Task) begin() {
	t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		t.f(t)
	})
}

// turn lets the task run until it waits. The caller must not touch it afterwards:
// somebody else may have resumed it.
func (t *Task) turn(alone bool) {
	if t.resume == nil {
		t.begin()
	}
	for {
		t.alone = alone
		_, goesOn := t.resume()
		switch {
		case !goesOn:
			t.rest()
			return
		case t.at != nil:
			if !t.at.park(t, t.state) {
				t.loop.post(t)
			}
			return
		case !alone:
			go t.free()
			return
		}
	}
}

// rest lets go of what the function has held, which has returned and is to be called
// anew.
func (t *Task) rest() {
	at := t.again
	if at == nil {
		return
	}
	t.again, t.resume, t.yield = nil, nil, nil
	if !at.park(t, resting) {
		t.loop.post(t)
	}
}

// Aside makes the task go on in a goroutine of its own up to its next wait, so that
// it may block. What is no task, nil, may block anyway.
func (t *Task) Aside() {
	if t == nil || t.alone {
		return
	}
	t.at = nil
	t.yield(struct{}{})
}

// Pause lets the others of the loop have a turn.
func (t *Task) Pause() {
	var never side
	never.state.Store(ready)
	t.wait(&never, waiting)
}

// wait ends the turn until s is rung, and leaves s in this state. It may return without
// that.
func (t *Task) wait(s *side, state uint32) {
	t.at, t.state, t.tired = s, state, false
	t.yield(struct{}{})
}
