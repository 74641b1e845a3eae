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
type flusher struct {
	waiting atomic.Int64  // Appends that wait for their record to be synced
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

	busy since // the sync under way
}

func (f *flusher) init() {
	f.request = make(chan struct{}, 1)
	f.moved = sync.NewCond(&f.mu)
}

// run syncs until the flusher is closed.
func (f *flusher) run(l *Log) {
	for range f.request {
		f.mu.Lock()
		target, out := f.written, f.file
		if f.held || f.failed != nil || target == f.synced {
			f.mu.Unlock()
			continue
		}
		f.running = true
		f.mu.Unlock()

		f.busy.begin(l)
		err := out.Sync()
		f.busy.end()

		if err != nil {
			l.trouble.set(fault, err)
		}
		f.mu.Lock()
		f.running = false
		if f.failed = err; err == nil {
			f.synced = target
		}
		f.moved.Broadcast()
		f.mu.Unlock()
		if err != nil {
			l.rouse(true)
		}
	}
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
	f.written = m
	f.mu.Unlock()
	if f.waiting.Load() > 0 {
		f.ask()
	}
}

// wait returns when the record is synced, or when the log is in trouble.
func (f *flusher) wait(l *Log, seq uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
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
