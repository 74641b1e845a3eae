package auditlog

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowFile is a file of which only Sync is used, which takes its time.
type slowFile struct {
	file
	syncs atomic.Int64
}

const syncTakes = 4 * time.Millisecond

func (f *slowFile) Sync() error {
	f.syncs.Add(1)
	time.Sleep(syncTakes)
	return nil
}

// A strictLog is a flusher with a writer that writes at once when it is woken.
type strictLog struct {
	log  *Log
	file *slowFile
	next atomic.Uint64
	ends sync.WaitGroup
}

func newStrictLog() *strictLog {
	s := &strictLog{log: &Log{wake: make(chan struct{}, 1), started: time.Now()}, file: &slowFile{}}
	l := s.log
	l.resting.Store(napped)
	l.flush.init()
	l.flush.reset(l, s.file, mark{seq: 1})
	s.ends.Go(func() { l.flush.run(l) })
	s.ends.Go(func() {
		for range l.wake {
			l.flush.wrote(mark{seq: s.next.Load() + 1})
			if err := l.flush.serve(l); err != nil {
				panic(err)
			}
		}
	})
	return s
}

func (s *strictLog) close() {
	close(s.log.wake)
	s.log.flush.close()
	s.ends.Wait()
}

// statements waits for some records, one after the other, as a session does that
// executes a statement for a moment in between.
func (s *strictLog) statements(t *testing.T, n int) {
	for range n {
		if err := s.log.flush.wait(s.log, s.next.Add(1)); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func TestSessionsShareSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions, each = 8, 50
		s := newStrictLog()
		defer s.close()
		var all sync.WaitGroup
		for range sessions {
			all.Go(func() { s.statements(t, each) })
		}
		all.Wait()
		if n := s.file.syncs.Load(); n > each+2 {
			t.Errorf("%d syncs for %d statements of each of %d sessions", n, each, sessions)
		}
	})
}

// The clock is the test's own: it stands still but for what the code waits for.
func TestOneSessionIsNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 50
		s := newStrictLog()
		defer s.close()
		began := time.Now()
		s.statements(t, each)
		if took, least := time.Since(began), each*(syncTakes+100*time.Microsecond); took != least {
			t.Errorf("%d statements took %s, want %s", each, took, least)
		}
	})
}

func TestSessionsThatLeftAreWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrictLog()
		defer s.close()
		var others sync.WaitGroup
		for range 7 {
			others.Go(func() { s.statements(t, 10) })
		}
		others.Wait()
		const each = 10
		began := time.Now()
		s.statements(t, each)
		if took, most := time.Since(began), each*(syncTakes+100*time.Microsecond)+syncTakes; took > most {
			t.Errorf("%d statements took %s, want at most %s", each, took, most)
		}
	})
}
