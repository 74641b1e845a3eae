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

// A flusher has synced what the writer has written, and wakes those who wait for
// it. One sync serves all records written before it began (group commit).
//
// What somebody waits for the writer syncs itself, as soon as it is written: each
// goroutine more on the way would cost a wake-up, which is more than the record
// does. The queue takes what comes meanwhile. What nobody waits for is synced in a
// goroutine of its own, so that a slow disk holds up only those who wait for it.
//
// A sync costs many times what a record does, so the next one is put off a little
// for those whom the last one let go: sessions that come back at once then share
// it, where else they would fall into two groups that keep missing each other.
type flusher struct {
	request chan struct{} // to run: sync what is written
	late    *time.Timer   // see giveUp
	busy    since         // the sync under way

	mu      sync.Mutex
	idle    *sync.Cond // running has ended
	file    file
	written mark
	synced  mark
	running bool  // a sync is under way
	held    bool  // none may begin: the writer is at the file itself
	failed  error // of the last sync; the writer mends it
	closed  bool

	target mark // what the sync under way, or the last one, brings to the disk
	began  time.Time
	served int // how many had come for it

	waiting []waiter
	spare   []*stop // for those to come
	size    int     // how many have come since the last sync began
	quorum  int     // how many are to come before the next one begins, at least 1
}

// A waiter is who waits for his record to be synced.
type waiter struct {
	seq    uint64
	synced func(error) // called once, with f.mu held
}

// A stop holds up one goroutine.
type stop struct {
	end chan error
	on  func(error) // sends to end
}

const (
	// mostShare is how many records a sync is put off for at most.
	mostShare = 256
	// longestWait is for how long, at most, besides what the last sync took.
	longestWait = 5 * time.Millisecond
)

func (f *flusher) init() {
	f.request = make(chan struct{}, 1)
	f.idle = sync.NewCond(&f.mu)
	f.late = time.NewTimer(longestWait)
	f.quorum = 1
}

// run syncs what nobody waits for, until the flusher is closed.
func (f *flusher) run(l *Log) {
	defer f.late.Stop()
	for {
		select {
		case _, open := <-f.request:
			if !open {
				return
			}
			_ = f.sync(l, f.begin(l)) // the writer finds it in progress
		case <-f.late.C:
			f.giveUp(l)
		}
	}
}

// ask has run sync what is written.
func (f *flusher) ask() {
	select {
	case f.request <- struct{}{}:
	default:
	}
}

// serve syncs for those who wait, if there are any. It is the writer's.
func (f *flusher) serve(l *Log) error {
	if !f.waited() {
		return nil
	}
	return f.sync(l, f.begin(l))
}

func (f *flusher) waited() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting) > 0
}

// begin returns the file to sync, nil when there is none, or somebody at it.
func (f *flusher) begin(l *Log) file {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running || f.held || f.failed != nil || f.written == f.synced {
		return nil
	}
	f.running, f.target = true, f.written
	f.served, f.size = f.size, 0
	f.began = time.Now()
	f.busy.begin(l)
	return f.file
}

// sync syncs what begin has returned, and wakes those who waited for it.
func (f *flusher) sync(l *Log, out file) (err error) {
	if out == nil {
		return nil
	}
	err = out.Sync()
	if err != nil {
		l.trouble.set(fault, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy.end()
	f.running = false
	f.idle.Broadcast()
	f.quorum = max(1, min(f.served+f.size, mostShare))
	if f.failed = err; err != nil {
		f.quorum = 1
		f.letGo(l)
		l.rouse(true)
		return err
	}
	f.synced = f.target
	f.letGo(l)
	switch {
	case f.ripe():
		l.rouse(true)
	case f.quorum > 1:
		f.late.Reset(max(1, min(time.Since(f.began), longestWait)))
	}
	return nil
}

// letGo wakes those whose records are synced, and all when the log is in trouble.
// f.mu is held.
func (f *flusher) letGo(l *Log) {
	trouble := l.trouble.get()
	rest := f.waiting[:0]
	for _, w := range f.waiting {
		switch {
		case w.seq < f.synced.seq:
			w.synced(nil)
		case trouble != nil:
			w.synced(trouble)
		default:
			rest = append(rest, w)
		}
	}
	clear(f.waiting[len(rest):]) // sessions that may end
	f.waiting = rest
}

// giveUp lets the next sync begin with those who have come.
func (f *flusher) giveUp(l *Log) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quorum = 1
	if f.ripe() {
		l.rouse(true)
	}
}

// ripe says whether a sync is due for somebody who waits. f.mu is held.
func (f *flusher) ripe() bool {
	return len(f.waiting) > 0 && !f.running && (f.quorum == 1 || f.size >= f.quorum)
}

// pressing says whether the writer is waited for.
func (f *flusher) pressing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ripe()
}

// wrote tells what the writer has handed to the operating system.
func (f *flusher) wrote(m mark) {
	f.mu.Lock()
	f.written = m
	f.mu.Unlock()
}

// wait returns when the record is synced, or when the log is in trouble.
func (f *flusher) wait(l *Log, seq uint64) error {
	s := f.fresh()
	f.enter(l, seq, s.on)
	err := <-s.end
	f.leave(s)
	return err
}

// enter sees to it that the record is synced and synced called.
func (f *flusher) enter(l *Log, seq uint64, synced func(error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size++
	f.waiting = append(f.waiting, waiter{seq, synced})
	if f.ripe() {
		l.rouse(true)
	}
	if seq < f.synced.seq || l.trouble.get() != nil {
		f.letGo(l)
	}
}

// fresh returns a stop that holds nobody up.
func (f *flusher) fresh() *stop {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.spare)
	if n == 0 {
		end := make(chan error, 1)
		return &stop{end, func(err error) { end <- err }}
	}
	s := f.spare[n-1]
	f.spare = f.spare[:n-1]
	return s
}

// leave gives a stop back.
func (f *flusher) leave(s *stop) {
	f.mu.Lock()
	f.spare = append(f.spare, s)
	f.mu.Unlock()
}

// hold waits until no sync is under way and lets no other begin before reset.
func (f *flusher) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = true
	for f.running {
		f.idle.Wait()
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
func (f *flusher) fail(l *Log, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = err
	f.letGo(l)
}

// reset says that everything up to m is synced in this file.
func (f *flusher) reset(l *Log, out file, m mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file, f.written, f.synced, f.failed, f.held = out, m, m, nil, false
	f.size, f.quorum = 0, 1
	f.letGo(l)
}

// tell lets those who wait know of the log's trouble.
func (f *flusher) tell(l *Log) {
	f.mu.Lock()
	f.letGo(l)
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
