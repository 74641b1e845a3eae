package session

import (
	"sync/atomic"

	"sqlveil/auditlog"
	"sqlveil/protocol/loop"
)

// A syncing is a record of the up side that has to be on the disk. The task waits
// for it as for a socket, so that the sessions of its loop go on meanwhile.
type syncing struct {
	bell  loop.Bell
	ended atomic.Bool
	err   error // good when ended
	end   func(error)
}

// appendBy puts an event on record for the task, which it makes wait where the
// record has to be on the disk.
func (y *syncing) appendBy(t *loop.Task, log Audit, e *auditlog.Event, strict bool) (seq uint64, err error) {
	if y.end == nil {
		y.end = y.synced
	}
	y.ended.Store(false)
	seq, waits, err := log.AppendThen(e, strict, y.end)
	if err != nil || !waits {
		return seq, err
	}
	for !y.ended.Load() {
		y.bell.Wait(t)
	}
	return seq, y.err
}

// synced is called by the log.
func (y *syncing) synced(err error) {
	y.err = err
	y.ended.Store(true)
	y.bell.Ring()
}
