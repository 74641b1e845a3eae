package main

import (
	"strings"
	"testing"
)

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 50_007: "50,007", 1_000_000: "1,000,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

// Every text of another shape has to be one that was not there before.
func TestReshaped(t *testing.T) {
	t.Parallel()
	text := reshaped("SELECT a FROM t WHERE id = ")
	one, other := text(7), text(7)
	if !strings.HasPrefix(one, "SELECT a AS c") || !strings.HasSuffix(one, " FROM t WHERE id = 7") || one == other {
		t.Errorf("%q, then %q", one, other)
	}
}

func TestGrowthIsWritten(t *testing.T) {
	t.Parallel()
	g := growth{name: "sessions", names: []string{"go-copy", "sqlveil"}, points: []point{
		{"1", 1, []cost{{20.04, 0.1}, {30, 0.2}}},
		{"1,000", 1000, []cost{{21, 9}, {33.333, 10}}},
	}}
	var b strings.Builder
	g.write(&b)
	const want = `
| sessions | go-copy: CPU us a query | p50 ms | sqlveil: CPU us a query | p50 ms |
|---:|---:|---:|---:|---:|
| 1 | 20.0 | 0.10 | 30.0 | 0.20 |
| 1,000 | 21.0 | 9.00 | 33.3 | 10.00 |
`
	if got := b.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
