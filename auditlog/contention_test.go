package auditlog

import (
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Statements meet in no lock: of many sessions that append at once, the profile
// of contended mutexes shows none in Append, while it does show one that the
// sessions are made to meet in.
func TestStatementsShareNoLock(t *testing.T) {
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	l := openLog(t, Options{Durability: Spool})
	defer closeLog(t, l)
	var shared sync.Mutex
	var sessions sync.WaitGroup
	for range 32 {
		sessions.Go(func() {
			e := sample()
			for range 1000 {
				if _, err := l.Append(e, false); err != nil {
					t.Error(err)
				}
				lockInTurn(&shared)
			}
		})
	}
	sessions.Wait()
	if len(contended("auditlog.lockInTurn")) == 0 {
		t.Error("the profile misses the lock that all sessions take")
	}
	for _, stack := range contended("auditlog.(*Log).Append") {
		t.Errorf("sessions wait for each other in\n%s", stack)
	}
}

//go:noinline
func lockInTurn(m *sync.Mutex) {
	m.Lock()
	runtime.Gosched() // others come
	m.Unlock()
}

// contended returns the stacks of the profile in which a function stands above a
// mutex of package sync.
func contended(function string) (stacks []string) {
	records := make([]runtime.BlockProfileRecord, 10_000)
	n, _ := runtime.MutexProfile(records)
	for _, r := range records[:min(n, len(records))] {
		var names strings.Builder
		frames := runtime.CallersFrames(r.Stack())
		for {
			frame, more := frames.Next()
			names.WriteString(frame.Function + "\n")
			if !more {
				break
			}
		}
		if stack := names.String(); strings.Contains(stack, function) && strings.Contains(stack, "Mutex).") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}
