package main

import (
	"strings"
	"testing"
)

func TestReportOfIdleSessions(t *testing.T) {
	t.Parallel()
	r := report{
		idle: []idle{
			{name: "go-copy", held: []float64{9, 9.5, 11, 19}, cpu: 0},
			{name: "sqlveil", held: []float64{48.4, 48.4, 50, 56.3}, cpu: 1.2},
		},
		rested: map[string]float64{"sqlveil": 52},
	}
	var b strings.Builder
	r.writeIdle(&b)
	const want = `
| idle sessions: resident MiB | with 1 | with 8 | with 64 | with 512 | KiB each | CPU ms/s | MiB when all is over |
|---|---:|---:|---:|---:|---:|---:|---:|
| go-copy | 9.0 | 9.5 | 11.0 | 19.0 | 20.0 | 0.00 | |
| sqlveil | 48.4 | 48.4 | 50.0 | 56.3 | 15.8 | 1.20 | 52 |
`
	if got := b.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
