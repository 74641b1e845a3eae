package pgrelay

import (
	"fmt"
	"testing"
)

// TestRowsAllocateNothing lets a client, the relay and a server go through the same
// result again and again: one of many rows, masked or not, is to allocate no more
// than one of a single row.
func TestRowsAllocateNothing(t *testing.T) {
	const many = 500
	text := []string{`RowDescription id:int4 mobile:text a:text`, `DataRow "1" "13800000001" "a longer text"`}
	copied := []string{`CopyOutResponse text 3`, `CopyData "1\t13800000001\ta longer text\n"`}
	for _, tt := range []struct {
		name, request, plan string
		answer              []string
	}{
		{"rows", `Query "SELECT * FROM person"`, `"SELECT * FROM person" names columns=id,mobile!,a!`, text},
		{"open rows", `Query "SELECT * FROM person"`, `"SELECT * FROM person" names columns=id,mobile,a`, text},
		{"COPY", `Query "COPY person TO STDOUT"`, `"COPY person TO STDOUT" copy=text columns=id,mobile!,a! names`, copied},
	} {
		allocations := func(rows int) float64 {
			answer := []string{tt.answer[0]}
			for range rows {
				answer = append(answer, tt.answer[1])
			}
			if tt.name == "COPY" {
				answer = append(answer, "CopyDone")
			}
			answer = append(answer, fmt.Sprintf(`CommandComplete "SELECT %d"`, rows), `ReadyForQuery I`)
			l := newCircuit(t, "analyst", tt.plan, []string{tt.request}, answer)
			return testing.AllocsPerRun(50, l.turn)
		}
		one, all := allocations(1), allocations(many)
		if all > one+2 { // large buffers come and go
			t.Errorf("%s: %v allocations with one row, %v with %d", tt.name, one, all, many)
		}
	}
}
