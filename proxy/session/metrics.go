package session

import "sync/atomic"

// Metrics count what the sessions of a process do. Every field may be read at
// any time.
type Metrics struct {
	Sessions       atomic.Int64  // open now
	SessionsTotal  atomic.Uint64 // opened so far
	SessionsFull   atomic.Uint64 // turned away: too many
	LoginsFailed   atomic.Uint64
	Statements     atomic.Uint64 // begun
	Refused        atomic.Uint64
	Failed         atomic.Uint64 // ended with an error of the server
	Rows           atomic.Uint64
	Bytes          atomic.Uint64 // of rows
	MaskedCells    atomic.Uint64
	Questions      atomic.Uint64 // asked by ourselves on a session's connection
	Drains         atomic.Uint64 // waits for answers before a statement could be planned
	Mismatches     atomic.Uint64 // results that were not as planned
	Cancels        atomic.Uint64 // requests passed on
	CancelsDropped atomic.Uint64 // requests over the limit
	Panics         atomic.Uint64
	AuditErrors    atomic.Uint64
}
