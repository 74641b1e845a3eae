package auditlog

import (
	"sync"
	"sync/atomic"
	"time"
)

// A mark is a place in the growing segment: the next sequence number and the
// bytes before it.
type mark struct {
	seq    uint64
	offset int64
}

// A flusher syncs what the writer has written, in a goroutine of its own, so
// that a slow disk holds up only those who wait for it. One sync serves all
// records written before it began (group commit).
//
// A sync costs many times what a record does, so the next one is put off a little
// for those whom the last one let go: sessions that come back at once then share
// it, where else they would fall into two groups that keep missing each other.
type flusher struct {
	request chan struct{} // to the goroutine: written has moved, sync it

	mu      sync.Mutex
	moved   *sync.Cond // any of the fields below, or the log's trouble, has changed
	file    file
	written mark
	synced  mark
	running bool  // a sync is under way
	held    bool  // none may begin: the writer is at the file itself
	failed  error // of the last sync; the writer mends it
	closed  bool

	last   uint64 // the highest number that an Append has waited for
	size   int    // how many have come since the last sync began
	quorum int    // how many are to come before the next one begins, at least 1

	busy since // the sync under way
}

const (
	// mostShare is how many records a sync is put off for at most.
	mostShare = 256
	// longestWait is for how long, at most, besides what the last sync took.
	longestWait = 5 * time.Millisecond
)

func (f *flusher) init() {
	f.request = make(chan struct{}, 1)
	f.moved = sync.NewCond(&f.mu)
	f.quorum = 1
}

// run syncs until the flusher is closed.
func (f *flusher) run(l *Log) {
	late := time.NewTimer(longestWait)
	defer late.Stop()
	for {
		select {
		case _, open := <-f.request:
			if !open {
				return
			}
			if wait := f.sync(l); wait > 0 {
				late.Reset(wait)
			}
		case <-late.C:
			f.giveUp(l)
		}
	}
}

// sync syncs what is written, and returns how long to wait for those who may share
// the next sync.
func (f *flusher) sync(l *Log) (wait time.Duration) {
	f.mu.Lock()
	target, out := f.written, f.file
	if f.held || f.failed != nil || target == f.synced {
		f.mu.Unlock()
		return 0
	}
	f.running = true
	served := f.size
	f.size = 0
	f.mu.Unlock()

	f.busy.begin(l)
	began := time.Now()
	err := out.Sync()
	took := time.Since(began)
	f.busy.end()

	if err != nil {
		l.trouble.set(fault, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = false
	if f.failed = err; err == nil {
		f.synced = target
	}
	f.moved.Broadcast()
	f.quorum = max(1, min(served+f.size, mostShare))
	switch {
	case err != nil:
		f.quorum = 1
		l.rouse(true)
	case f.ripe():
		f.press(l)
	case f.quorum > 1:
		return max(1, min(took, longestWait))
	}
	return 0
}

// giveUp lets the next sync begin with those who have come.
func (f *flusher) giveUp(l *Log) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quorum = 1
	if f.ripe() {
		f.press(l)
	}
}

// ripe says whether a sync is due for somebody who waits. f.mu is held.
func (f *flusher) ripe() bool {
	return f.last >= f.synced.seq && !f.running && (f.quorum == 1 || f.size >= f.quorum)
}

// press has what is waited for written, if it is not, and synced. f.mu is held.
func (f *flusher) press(l *Log) {
	if f.last < f.written.seq {
		f.ask()
	} else {
		l.rouse(true)
	}
}

// pressing says whether the writer is waited for.
func (f *flusher) pressing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ripe() && f.last >= f.written.seq
}

// ask starts a sync unless one is asked for already.
func (f *flusher) ask() {
	select {
	case f.request <- struct{}{}:
	default:
	}
}

// wrote tells what the writer has handed to the operating system.
func (f *flusher) wrote(m mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = m
	if f.last >= f.synced.seq {
		f.ask()
	}
}

// wait returns when the record is synced, or when the log is in trouble.
func (f *flusher) wait(l *Log, seq uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = max(f.last, seq)
	f.size++
	if f.ripe() {
		f.press(l)
	}
	for f.synced.seq <= seq {
		if err := l.trouble.get(); err != nil {
			return err
		}
		f.moved.Wait()
	}
	return nil
}

// hold waits until no sync is under way and lets no other begin before reset.
func (f *flusher) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = true
	for f.running {
		f.moved.Wait()
	}
}

// progress returns how far syncing has come and whether it failed since.
func (f *flusher) progress() (synced mark, failed error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.synced, f.failed
}

// reached returns how far writing has come.
func (f *flusher) reached() mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.written
}

// growing returns the file being synced.
func (f *flusher) growing() file {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file
}

// fail has the writer repair what somebody else found.
func (f *flusher) fail(err error) {
	f.mu.Lock()
	f.failed = err
	f.moved.Broadcast()
	f.mu.Unlock()
}

// reset says that everything up to m is synced in this file.
func (f *flusher) reset(out file, m mark) {
	f.mu.Lock()
	f.file, f.written, f.synced, f.failed, f.held = out, m, m, nil, false
	f.size, f.quorum = 0, 1
	f.moved.Broadcast()
	f.mu.Unlock()
}

// tell wakes those who wait, to look at the log's trouble.
func (f *flusher) tell() {
	f.mu.Lock()
	f.moved.Broadcast()
	f.mu.Unlock()
}

func (f *flusher) close() {
	if !f.closed {
		f.closed = true
		close(f.request)
	}
}

// since tells for how long something has been going on.
type since struct{ at atomic.Int64 } // on the log's monotonic clock; 0: nothing

func (s *since) begin(l *Log) { s.at.Store(int64(time.Since(l.started)) | 1) }
func (s *since) end()         { s.at.Store(0) }

func (s *since) length(l *Log) time.Duration {
	at := s.at.Load()
	if at == 0 {
		return 0
	}
	return time.Since(l.started) - time.Duration(at)
}
