//go:build !race

package auditlog

import "testing"

// With the race detector pools forget some of what they are given.
func TestAppendAllocatesNothing(t *testing.T) {
	for _, wait := range []bool{false, true} {
		l := openLog(t, Options{Durability: Classified})
		e := sample()
		runs := 20000
		if wait {
			runs = 300
		}
		n := testing.AllocsPerRun(runs, func() {
			e.Kind = QueryBegin
			if _, err := l.Append(e, wait); err != nil {
				t.Fatal(err)
			}
			e.Kind = QueryEnd
			if _, err := l.Append(e, false); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("strict %v: %v allocations", wait, n)
		}
		closeLog(t, l)
	}
}
