package loop

import (
	"sync/atomic"
	"time"
)

// A task may block without having said Aside: on a lock whose holder waits for his
// turn, say, and then the loop would stand still for good. So somebody looks at the
// loops while they work, and where the same turn has lasted from one look to the next,
// another goroutine takes the lead. The old leader leaves when the turn is over.
const (
	patience = 4 * time.Millisecond

	// stint is after how many looks a leader gives way. The runtime's scheduler takes a
	// processor away from whoever has it for 10 ms, and its count of these does not see
	// that tasks take turns: it would interrupt the leader with signals ever again.
	stint = 2

	// drowsy is how many looks find all loops asleep before nobody looks any more.
	drowsy = 25
)

var (
	looking atomic.Bool // somebody looks
	roused  = make(chan struct{}, 1)
)

// awake sees to it that somebody looks. It is called when a leader has slept.
func awake() {
	if !looking.Load() && looking.CompareAndSwap(false, true) {
		roused <- struct{}{}
	}
}

// look looks at the loops while any works.
func look(loops []*Loop) {
	seen := make([]uint64, len(loops))
	for range roused {
		for idle := 0; idle < drowsy || !restful(loops); idle++ {
			time.Sleep(patience)
			for i, l := range loops {
				if !l.relieve(&seen[i]) {
					idle = 0
				}
			}
		}
	}
}

// restful ends the looking, unless a leader woke up meanwhile who relies on it.
func restful(loops []*Loop) bool {
	looking.Store(false)
	for _, l := range loops {
		if !l.sleeps() {
			return !looking.CompareAndSwap(false, true)
		}
	}
	return true
}

// sleeps says whether the leader waits in the kernel.
func (l *Loop) sleeps() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asleep
}

// relieve gives the loop another leader when the turn number seen still lasts, and lets
// the one it has give way every stint looks. It returns true when the leader is asleep.
func (l *Loop) relieve(seen *uint64) (asleep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asleep && l.turns == *seen {
		l.term++
		go l.lead(l.term)
	}
	*seen = l.turns
	if l.looks++; l.looks%stint == 0 {
		l.due = true
	}
	return l.asleep
}
