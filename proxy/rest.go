package main

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"sqlveil/protocol/loop"
)

// Sizes are in bytes.
const (
	restEvery  = 2 * time.Second
	restless   = 256 << 10 // allocated in that time: somebody is at work
	worthwhile = 4 << 20   // allocated since the last time that memory was given back
)

// halvings are collections before the one that gives memory back: each halves a
// stack that grew, and the second empties the pools of what the first let go.
const halvings = 2

// taskStack is about what a task of a session holds that waits, and lets go when it
// rests.
const taskStack = 4 << 10

// giveMemoryBack lets sessions rest that do nothing, and gives what a busy hour took back to the system once there is
// rest, until ctx ends. The runtime alone would collect minutes later, when it may
// be busy again, and keep most of what is free then. With GOGC=off there are no
// collections.
func giveMemoryBack(ctx context.Context) {
	if collectorIsOff() {
		return
	}
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var r rest
	var stacks uint64 // of tasks that rest: garbage as well
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			stacks += taskStack * uint64(loop.Rest())
			metrics.Read(sample)
			if r.due(sample[0].Value.Uint64() + stacks) {
				for range halvings {
					runtime.GC()
				}
				debug.FreeOSMemory()
			}
		}
	}
}

// collectorIsOff says whether the program was started with GOGC=off.
func collectorIsOff() bool {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() == math.MaxUint64
}

// A rest notices that a program which was busy is not any more.
type rest struct {
	last  uint64 // what had been allocated when it was asked last
	given uint64 // what had been allocated when it said yes last
}

// due says whether there is rest and something to give back, given what the
// program has allocated in its life so far.
func (r *rest) due(allocated uint64) bool {
	busy := allocated-r.last > restless
	r.last = allocated
	if busy || allocated-r.given < worthwhile {
		return false
	}
	r.given = allocated
	return true
}
