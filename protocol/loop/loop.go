package loop

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A Loop resumes the tasks whose sockets have something for them. Its leader is the
// goroutine that does.
type Loop struct {
	poll poller
	held atomic.Int64 // sockets that it looks after, to share them out by

	mu      sync.Mutex
	turns   uint64 // how many turns the leaders have given; see relieve
	ready   queue
	round   int       // how many of ready may have a turn before the next look at the sockets
	looks   int       // how often somebody looked whether the leader is to be relieved
	due     bool      // the leader is to give way to the scheduler
	asleep  bool      // the leader waits in the kernel
	term    uint64    // number of the leader
	sockets []*Socket // by index; nil where free
	free    []uint32
	seq     uint32 // of the socket added last
}

// all are the loops of the process, made when the first is needed: half as many as
// processors, as the log has work as well, and where the machine is shared so have
// those between whom the proxy stands.
var all = sync.OnceValue(func() []*Loop {
	loops := make([]*Loop, max(1, runtime.GOMAXPROCS(0)/2))
	for i := range loops {
		l := &Loop{}
		if l.poll.open() != nil {
			return nil // not on this system, or no file descriptors: sessions wait in the runtime
		}
		loops[i] = l
		go l.lead(0)
	}
	// A leader that waits in the kernel keeps a processor of the runtime's, though none of
	// the machine's. Without one to spare the runtime takes it away again and again.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + len(loops))
	go look(loops)
	return loops
})

// pick returns the loop that has the fewest sockets.
func pick() *Loop {
	var least *Loop
	for _, l := range all() {
		if least == nil || l.held.Load() < least.held.Load() {
			least = l
		}
	}
	return least
}

// lead gives turns until the leader is relieved.
func (l *Loop) lead(term uint64) {
	var events found
	for l.gather(term, &events) {
		l.giveWay()
		for t := l.take(term); t != nil; t = l.take(term) {
			t.turn(false)
		}
	}
}

// gather begins a round: with the tasks that are ready and those whose sockets are,
// for which it waits when there is nothing else to do. It returns false when the
// leader has been relieved.
func (l *Loop) gather(term uint64, events *found) bool {
	n := l.poll.look(events, false)
	if n == 0 && l.mayWait(term) {
		n = l.poll.look(events, true)
		defer awake()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range n {
		index, seq, happened := events.event(i)
		if s := l.socket(index, seq); s != nil {
			l.happened(s, happened)
		}
	}
	if l.term != term {
		l.handOver()
		return false
	}
	l.asleep = false
	l.round = l.ready.len()
	return true
}

// giveWay lets the runtime's scheduler have the leader's processor for a moment, now
// and then.
func (l *Loop) giveWay() {
	l.mu.Lock()
	due := l.due
	l.due = false
	l.mu.Unlock()
	if due {
		runtime.Gosched()
	}
}

// mayWait says whether there is nothing to do for the leader, who counts as asleep
// then.
func (l *Loop) mayWait(term uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != term || l.ready.len() > 0 {
		return false
	}
	l.asleep = true
	return true
}

// rouse wakes the leader if it sleeps though there are tasks to be resumed. l.mu is
// held.
func (l *Loop) rouse() {
	if l.asleep && l.ready.len() > 0 {
		l.asleep = false
		l.poll.wake()
	}
}

// handOver wakes the new leader if there are tasks to be resumed, whoever has been
// told to already: the bell may have been heard by the old one. l.mu is held.
func (l *Loop) handOver() {
	if l.ready.len() > 0 {
		l.asleep = false
		l.poll.wake()
	}
}

// happened readies the tasks that wait for what a socket has. l.mu is held.
func (l *Loop) happened(s *Socket, e happening) {
	if e.ended {
		s.ended.Store(true)
	}
	if e.in {
		l.readied(&s.in)
	}
	if e.out {
		l.readied(&s.out)
	}
}

func (l *Loop) readied(s *side) {
	if t := s.rung(); t != nil {
		l.ready.put(t)
	}
}

// take returns the next task of the round, nil when there is none or the leader has
// been relieved.
func (l *Loop) take(term uint64) *Task {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.round == 0 || l.term != term {
		return nil
	}
	l.round--
	l.turns++
	return l.ready.take()
}

// post makes a task ready for its next turn. It may be called from anywhere.
func (l *Loop) post(t *Task) {
	if l == nil { // there are none on this system
		go t.free()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready.put(t)
	l.rouse()
}

// add looks after a socket from now on.
func (l *Loop) add(s *Socket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		s.index, l.free = l.free[n-1], l.free[:n-1]
	} else {
		s.index = uint32(len(l.sockets))
		l.sockets = append(l.sockets, nil)
	}
	l.seq++
	s.seq = l.seq
	if err := l.poll.add(s.fd, s.index, s.seq); err != nil {
		l.free = append(l.free, s.index)
		return err
	}
	l.sockets[s.index] = s
	l.held.Add(1)
	return nil
}

// remove forgets a socket, which is about to be closed.
func (l *Loop) remove(s *Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets[s.index] = nil
	l.free = append(l.free, s.index)
	l.held.Add(-1)
}

// socket is the one that an event is about, nil when it has been removed.
func (l *Loop) socket(index, seq uint32) *Socket {
	if int(index) >= len(l.sockets) {
		return nil
	}
	if s := l.sockets[index]; s != nil && s.seq == seq {
		return s
	}
	return nil
}

// A queue is a ring of tasks, first in, first out.
type queue struct {
	ring  []*Task // its length is a power of two
	first int
	held  int
}

func (q *queue) len() int { return q.held }

func (q *queue) put(t *Task) {
	if q.held == len(q.ring) {
		wider := make([]*Task, max(64, 2*len(q.ring)))
		for i := range q.held {
			wider[i] = q.ring[(q.first+i)&(len(q.ring)-1)]
		}
		q.ring, q.first = wider, 0
	}
	q.ring[(q.first+q.held)&(len(q.ring)-1)] = t
	q.held++
}

func (q *queue) take() *Task {
	t := q.ring[q.first]
	q.ring[q.first] = nil
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.held--
	return t
}
