package session

import (
	"errors"
	"testing"

	"sqlveil/auditlog"
	"sqlveil/protocol/loop"
)

// A slowAudit has every record waited for until the test lets it go.
type slowAudit struct {
	Audit
	synced chan func(error)
}

func (a *slowAudit) AppendThen(_ *auditlog.Event, _ bool, synced func(error)) (uint64, bool, error) {
	a.synced <- synced
	return 7, true, nil
}

// Tasks of one loop run by turns on one thread: who waits for the disk must not
// hold up the next.
func TestTaskThatWaitsForTheDiskLetsOthersGoOn(t *testing.T) {
	a := &slowAudit{synced: make(chan func(error), 2)}
	type result struct {
		seq uint64
		err error
	}
	results := make(chan result)
	record := func(task *loop.Task) {
		var y syncing
		seq, err := y.appendBy(task, a, &auditlog.Event{}, true)
		results <- result{seq, err}
	}
	loop.Start(func(task *loop.Task) {
		task.Start(record)
		task.Start(record)
	})
	first, second := <-a.synced, <-a.synced // both wait at once
	for _, want := range []error{nil, auditlog.ErrUnavailable} {
		first(want)
		if got := <-results; got.seq != 7 || !errors.Is(got.err, want) {
			t.Errorf("%+v, want 7 and %v", got, want)
		}
		first = second
	}
}
