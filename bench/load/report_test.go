package main

import (
	"strings"
	"testing"
)

func TestReportOfIdleSessions(t *testing.T) {
	t.Parallel()
	r := report{
		idle: []idle{
			{name: "go-copy", start: 9, each: []float64{30, 25, 22, 21.34}, cpu: 0},
			{name: "sqlveil", start: 48.4, each: []float64{100, 40, 20, 16}, cpu: 1.2},
		},
		rested: map[string]float64{"sqlveil": 52},
	}
	var b strings.Builder
	r.writeIdle(&b)
	const want = `
| idle sessions: resident KiB each | 1 | 8 | 64 | 512 | CPU ms/s | MiB at first | MiB in the end |
|---|---:|---:|---:|---:|---:|---:|---:|
| go-copy | 30.0 | 25.0 | 22.0 | 21.3 | 0.00 | 9 | |
| sqlveil | 100.0 | 40.0 | 20.0 | 16.0 | 1.20 | 48 | 52 |
`
	if got := b.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
