package pgrelay

import (
	"errors"
	"sync"

	"sqlveil/protocol/loop"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// kind is what an entry of the flight queue waits to be answered.
type kind uint8

const (
	query kind = iota // Query: results until ReadyForQuery
	parse
	bind
	describeStatement
	describePortal
	execute
	closeObject
	syncBatch    // Sync: ReadyForQuery
	functionCall // FunctionCall: a result, then ReadyForQuery
	kinds
)

// move is what a message of the server does to the entry that it answers.
type move uint8

const (
	wrong  move = iota // the server must not send it here
	goesOn             // the answer goes on
	step               // one statement of a Query is complete
	ends               // the message is answered
	fails              // the message failed; so did the rest of its batch
)

// moves is the state table of the protocol: what each message of the server does
// to the entry at the head of the queue. Messages that may come at any time are
// not in it: see anytime.
var moves = [kinds][256]move{
	query: {
		pgwire.MsgRowDescription: goesOn, pgwire.MsgDataRow: goesOn,
		pgwire.MsgCopyInResponse: goesOn, pgwire.MsgCopyOutResponse: goesOn, pgwire.MsgCopyBothResponse: goesOn,
		pgwire.MsgCopyData: goesOn, pgwire.MsgCopyDone: goesOn,
		pgwire.MsgCommandComplete: step, pgwire.MsgEmptyQueryResponse: step,
		pgwire.MsgErrorResponse: fails, pgwire.MsgReadyForQuery: ends,
	},
	parse: {pgwire.MsgParseComplete: ends, pgwire.MsgErrorResponse: fails},
	bind:  {pgwire.MsgBindComplete: ends, pgwire.MsgErrorResponse: fails},
	describeStatement: {
		pgwire.MsgParameterDescription: goesOn,
		pgwire.MsgRowDescription:       ends, pgwire.MsgNoData: ends,
		pgwire.MsgErrorResponse: fails,
	},
	describePortal: {pgwire.MsgRowDescription: ends, pgwire.MsgNoData: ends, pgwire.MsgErrorResponse: fails},
	execute: {
		pgwire.MsgDataRow:        goesOn,
		pgwire.MsgCopyInResponse: goesOn, pgwire.MsgCopyOutResponse: goesOn, pgwire.MsgCopyBothResponse: goesOn,
		pgwire.MsgCopyData: goesOn, pgwire.MsgCopyDone: goesOn,
		pgwire.MsgCommandComplete: ends, pgwire.MsgEmptyQueryResponse: ends, pgwire.MsgPortalSuspended: ends,
		pgwire.MsgErrorResponse: fails,
	},
	closeObject:  {pgwire.MsgCloseComplete: ends, pgwire.MsgErrorResponse: fails},
	syncBatch:    {pgwire.MsgReadyForQuery: ends, pgwire.MsgErrorResponse: fails},
	functionCall: {pgwire.MsgFunctionCallResponse: goesOn, pgwire.MsgErrorResponse: fails, pgwire.MsgReadyForQuery: ends},
}

// anytime says whether a message may come at any time and answers nothing.
func anytime(letter byte) bool {
	switch letter {
	case pgwire.MsgNoticeResponse, pgwire.MsgNotificationResponse, pgwire.MsgParameterStatus:
		return true
	}
	return false
}

// batched says whether a message belongs to a batch, the rest of which the server
// skips when it fails.
func (k kind) batched() bool {
	switch k {
	case query, syncBatch, functionCall:
		return false
	}
	return true
}

// prepares says whether a message comes before the execution of a statement.
func (k kind) prepares() bool {
	switch k {
	case parse, bind, describeStatement, describePortal:
		return true
	}
	return false
}

// An entry is a message that the server has to answer. Once it is pushed it
// belongs to the down pump.
type entry struct {
	kind     kind
	own      *question // it is ours: the client sees nothing of the answer
	probe    bool      // it is a Describe of ours
	prepared *session.Prepared
	portal   *portal
	queries  []*session.Query // what has begun: of a Query one for each statement
	at       int              // of a Query: the statement that is being answered
	ticket   uint64           // of the change of a name
	refusal  *session.Refusal // what is refused: the server's error stands for it
}

// current is the statement being answered, nil when none has begun.
func (e *entry) current() *session.Query {
	if e.at >= len(e.queries) {
		return nil
	}
	return e.queries[e.at]
}

var (
	errDraining = errors.New("the proxy is shutting down")
	errCopying  = errors.New("a message other than COPY's own while the server waits for COPY data")
)

// A flight is the queue of messages that the server has yet to answer, in the
// order in which they were sent, and what both pumps know of the server's state.
type flight struct {
	up       *loop.Task // of the up pump, once both run
	wake     loop.Bell  // for the up pump
	mu       sync.Mutex
	entries  []*entry // entries[first:]
	first    int
	free     []*entry
	orphans  []*entry // not queued, because the server skips them or the session ends
	skipping bool     // a batch failed: the server ignores everything up to a Sync
	tx       byte     // the transaction's state as far as is known
	copyIn   bool     // the server waits for CopyData
	copyEnds int      // CopyDone and CopyFail sent which it has not answered
	draining bool     // nothing may be started any more
	over     error    // a pump has returned
	waiting  bool     // the up pump waits for answers
}

func newFlight() *flight { return &flight{tx: pgwire.TxIdle} }

// blank returns an entry to fill in and push.
func (f *flight) blank(k kind) *entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.free); n > 0 {
		e := f.free[n-1]
		f.free = f.free[:n-1]
		e.kind = k
		return e
	}
	return &entry{kind: k}
}

// push queues an entry before its message is sent. While the server skips a
// failed batch it will not answer: then push returns false and the entry is not
// queued. A Sync ends that. What is not queued is kept for the down pump to end.
func (f *flight) push(e *entry) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.kind == syncBatch {
		f.skipping = false
	}
	if e.portal != nil {
		e.portal.inFlight++
	}
	if f.over != nil || f.draining || f.skipping {
		f.orphans = append(f.orphans, e)
	}
	switch {
	case f.over != nil:
		return false, f.over
	case f.draining:
		return false, errDraining
	case f.skipping:
		return false, nil
	}
	f.compact()
	f.entries = append(f.entries, e)
	return true, nil
}

// compact makes room where entries have been popped.
func (f *flight) compact() {
	switch {
	case f.first == len(f.entries):
		f.entries, f.first = f.entries[:0], 0
	case len(f.entries) == cap(f.entries) && f.first >= len(f.entries)/2:
		rest := copy(f.entries, f.entries[f.first:])
		clear(f.entries[rest:])
		f.entries, f.first = f.entries[:rest], 0
	}
}

// skipped returns the entries that were not queued.
func (f *flight) skipped() []*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	orphans := f.orphans
	f.orphans = nil
	return orphans
}

// head returns the entry that the server answers now, nil when it owes nothing.
func (f *flight) head() *entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.headLocked()
}

func (f *flight) headLocked() *entry {
	if f.first == len(f.entries) {
		return nil
	}
	return f.entries[f.first]
}

// pop removes the head. The down pump calls release when it has done with it.
func (f *flight) pop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.popLocked()
}

func (f *flight) popLocked() {
	f.entries[f.first] = nil
	f.first++
	if f.waiting {
		f.wake.Ring()
	}
}

// release lets an entry be used again that was pushed.
func (f *flight) release(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.portal != nil {
		e.portal.inFlight--
	}
	*e = entry{queries: e.queries[:0]}
	if len(f.free) < maxFree {
		f.free = append(f.free, e)
	}
}

// maxFree bounds the entries kept for later.
const maxFree = 32

// failBatch removes the entries that the server skips because one of their batch
// failed, that one too, and appends them to dropped. Where the batch's Sync has
// not been sent, what follows until then is skipped as well.
func (f *flight) failBatch(dropped []*entry) []*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		e := f.headLocked()
		if e == nil {
			f.skipping = true
			return dropped
		}
		if e.kind == syncBatch {
			return dropped
		}
		f.popLocked()
		dropped = append(dropped, e)
	}
}

// restOfBatch calls each for the entries behind the head up to the next Sync, and
// says whether there is one.
func (f *flight) restOfBatch(each func(*entry)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries[min(f.first+1, len(f.entries)):] {
		if e.kind == syncBatch {
			return true
		}
		each(e)
	}
	return false
}

// ready notes that the server is ready for the next batch.
func (f *flight) ready(tx byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tx = tx
	f.copyIn, f.copyEnds = false, 0
}

// proceed says whether the session goes on after a ReadyForQuery: not when it is
// to end and nothing is in flight.
func (f *flight) proceed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.draining || f.first < len(f.entries)
}

// succeeded notes that a statement was carried out: a failed transaction is one
// no more.
func (f *flight) succeeded() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tx == pgwire.TxFailed {
		f.tx = pgwire.TxOpen
	}
	f.copyIn = false
	f.copyEnds = max(f.copyEnds-1, 0)
}

// copyStarts notes that the server waits for CopyData. The Syncs that have been
// sent behind an Execute of a COPY are ignored by the server, and so are not owed
// an answer; it returns them.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
func (f *flight) copyStarts() (ignored []*entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.copyIn = true
	if f.waiting {
		f.wake.Ring()
	}
	for f.first+1 < len(f.entries) && f.entries[f.first+1].kind == syncBatch {
		ignored = append(ignored, f.entries[f.first+1])
		f.entries = append(f.entries[:f.first+1], f.entries[f.first+2:]...)
	}
	return ignored
}

// copying says whether the server waits for the client's data.
func (f *flight) copying() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.copyIn && f.copyEnds == 0
}

// copyEnded notes that the client has ended a COPY.
func (f *flight) copyEnded() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.copyEnds++
}

// ignoring says whether the server ignores everything up to a Sync.
func (f *flight) ignoring() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.skipping
}

// drain waits until the server has answered everything.
func (f *flight) drain() (session.Standing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = true
	defer func() { f.waiting = false }()
	for f.first < len(f.entries) && !f.skipping && f.over == nil {
		if f.copyIn && f.copyEnds == 0 {
			return session.Ready, errCopying
		}
		f.await()
	}
	switch {
	case f.over != nil:
		return session.Ready, f.over
	case f.skipping:
		return session.Skipping, nil
	case f.tx == pgwire.TxFailed:
		return session.Failed, nil
	default:
		return session.Ready, nil
	}
}

// await lets the down pump go on until it rings. f.mu is held, but not meanwhile.
func (f *flight) await() {
	f.mu.Unlock()
	f.wake.Wait(f.up)
	f.mu.Lock()
}

// maxFlight is about how many messages may be in flight.
const maxFlight = 4096

// thin waits until the server has answered all but half of maxFlight messages, or
// will answer none before it gets others.
func (f *flight) thin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = true
	defer func() { f.waiting = false }()
	for len(f.entries)-f.first > maxFlight/2 && !f.skipping && !f.copyIn && f.over == nil {
		f.await()
	}
}

// end wakes whoever waits: a pump has returned.
func (f *flight) end(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over == nil {
		f.over = why
	}
	f.wake.Ring()
}

// stop lets nothing be started any more, and says whether nothing is in flight.
func (f *flight) stop() (idle bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = true
	return f.first == len(f.entries)
}

// stopping says whether nothing may be started any more.
func (f *flight) stopping() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.draining
}
