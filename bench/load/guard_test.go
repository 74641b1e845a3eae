package main

import (
	"errors"
	"slices"
	"testing"
)

// takes returns pairs one after another.
func takes(pairs ...pair) func() (pair, error) {
	return func() (pair, error) {
		if len(pairs) == 0 {
			return pair{}, errors.New("taken too often")
		}
		p := pairs[0]
		pairs = pairs[1:]
		return p, nil
	}
}

// always is the same pair for each attempt.
func always(p pair) []pair { return slices.Repeat([]pair{p}, attempts) }

func of(little, much float64) pair { return pair{done{little, 100}, done{much, 200}} }

func TestGuardJudges(t *testing.T) {
	instructions, allocations, calls := &counters[0], &counters[1], &counters[2]
	tests := []struct {
		name    string
		counter *counter
		was     float64
		take    func() (pair, error)
		worse   int
	}{
		{"as before", instructions, 1000, takes(of(100_000, 200_000)), 0},
		{"a tenth more instructions", instructions, 1000, takes(always(of(100_000, 210_000))...), 1},
		{"a busy moment in the whole", instructions, 1000, takes(of(100_000, 290_000), of(100_000, 200_000)), 0},
		{"a busy moment in the little", instructions, 1000, takes(of(90_000, 210_000), of(150_000, 205_000), of(150_000, 195_000)), 0},
		{"an allocation more a query", allocations, 12, takes(always(of(1200, 2500))...), 1},
		{"a system call more a query", calls, 5, takes(always(of(500, 1100))...), 1},
		{"a system call more for forty rows", calls, 0.01, takes(always(of(10, 13.6))...), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := &judge{baseline: map[string]float64{"it": test.was}}
			if err := j.count("it", test.counter, test.take); err != nil {
				t.Fatal(err)
			}
			if j.worse != test.worse {
				t.Errorf("%d worse, want %d: %v", j.worse, test.worse, j.counts)
			}
		})
	}
}

func TestGuardWantsABaseline(t *testing.T) {
	j := &judge{baseline: map[string]float64{}}
	if err := j.count("new", &counters[0], takes(always(of(0, 1))...)); err != nil {
		t.Fatal(err)
	}
	if j.worse != 1 {
		t.Errorf("what has no baseline is judged as good")
	}
}

func TestSumSystemCalls(t *testing.T) {
	const table = `syscall               calls
---------------- ----------
read                   120
futex                   30
nanosleep              999
---------------- ----------
total                 1149
`
	got, err := sumSystemCalls(table)
	if err != nil || got != 150 {
		t.Errorf("got %v, %v, want 150 without the calls of time", got, err)
	}
	if _, err := sumSystemCalls("read many\n"); err == nil {
		t.Error("a number that is none passed")
	}
	if _, err := sumSystemCalls(""); err == nil {
		t.Error("a strace that did not attach counts as none")
	}
}
