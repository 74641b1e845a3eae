package main

import (
	"runtime/debug"
	"testing"
)

func TestRestIsDueOnceAfterWork(t *testing.T) {
	t.Parallel()
	var r rest
	for i, step := range []struct {
		more uint64 // allocated since the step before
		want bool
	}{
		{worthwhile, false},      // still at work
		{restless, true},         // rest
		{restless, false},        // nothing to give back since
		{worthwhile / 2, false},  // work again
		{restless, false},        // too little of it
		{10 * worthwhile, false}, // work again
		{0, true},
		{0, false},
	} {
		if got := r.due(r.last + step.more); got != step.want {
			t.Errorf("step %d: due is %v", i, got)
		}
	}
}

// Not beside other tests: it turns the collector off for a moment.
func TestCollectorIsOff(t *testing.T) {
	if collectorIsOff() {
		t.Error("it is on as long as nobody turns it off")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if !collectorIsOff() {
		t.Error("it has been turned off")
	}
}
