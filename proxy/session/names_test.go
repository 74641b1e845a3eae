package session

import (
	"strconv"
	"testing"
)

// What a name stands for, message by message: "will" notes a change, "ok" and
// "fail" settle it, "sync" begins another batch.
func TestNames(t *testing.T) {
	a, b := &Prepared{Text: "a"}, &Prepared{Text: "b"}
	for _, tt := range []struct {
		name  string
		steps func(n *names)
		want  *Prepared
		how   Lookup
	}{
		{"never made", func(*names) {}, nil, Unknown},
		{"made in this batch", func(n *names) { n.will(1, Change{Name: "s", Statement: a}) }, a, Known},
		{"made in an earlier batch", func(n *names) { n.will(1, Change{Name: "s", Statement: a}); n.batch++ }, a, Unclear},
		{"settled", func(n *names) { n.will(1, Change{Name: "s", Statement: a}); n.batch++; n.settle(1, true) }, a, Known},
		{"failed", func(n *names) { n.will(1, Change{Name: "s", Statement: a}); n.batch++; n.settle(1, false) }, nil, Unknown},
		{"made again, which fails", func(n *names) {
			n.will(1, Change{Name: "s", Statement: a})
			n.settle(1, true)
			n.batch++
			n.will(2, Change{Name: "s", Statement: b})
			n.batch++
			n.settle(2, false)
		}, a, Known},
		{"made again, not settled", func(n *names) {
			n.will(1, Change{Name: "s", Statement: a})
			n.settle(1, true)
			n.batch++
			n.will(2, Change{Name: "s", Statement: b})
			n.batch++
		}, b, Unclear},
		{"closed in this batch", func(n *names) {
			n.will(1, Change{Name: "s", Statement: a})
			n.settle(1, true)
			n.will(2, Change{Name: "s"})
		}, nil, Unknown},
		{"all forgotten", func(n *names) {
			n.will(1, Change{Name: "s", Statement: a})
			n.will(2, Change{All: true})
			n.settle(1, true)
			n.settle(2, true)
		}, nil, Unknown},
		{"another one is closed", func(n *names) {
			n.will(1, Change{Name: "s", Statement: a})
			n.will(2, Change{Name: "t"})
			n.settle(1, true)
			n.settle(2, true)
		}, a, Known},
		{"a portal of that name", func(n *names) {
			n.will(1, Change{Kind: PortalName, Name: "s", Portal: &Portal{}})
			n.settle(1, true)
		}, nil, Unknown},
		{"skipped with its batch", func(n *names) {
			n.will(1, Change{Name: "s", Statement: a})
			n.will(2, Change{Name: "s", Statement: b})
			n.batch++
			n.settle(1, true)
			n.settle(2, false)
		}, a, Known},
		{"a later ticket drops what was never settled", func(n *names) {
			n.will(1, Change{Name: "s", Statement: a})
			n.will(2, Change{Name: "t", Statement: b})
			n.batch++
			n.settle(2, true)
		}, nil, Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n names
			tt.steps(&n)
			if got, how := n.statement([]byte("s")); got != tt.want || how != tt.how {
				t.Errorf("got %v, %v, want %v, %v", got, how, tt.want, tt.how)
			}
		})
	}
}

func TestPortalsEndWithTheTransaction(t *testing.T) {
	var n names
	n.will(1, Change{Kind: PortalName, Name: "bound", Portal: &Portal{Bound: true}})
	n.will(2, Change{Kind: PortalName, Name: "declared", Portal: &Portal{}})
	n.settle(1, true)
	n.settle(2, true)
	n.transactionOver()
	if _, how := n.portal([]byte("bound")); how != Unknown {
		t.Errorf("a portal of a Bind: %v", how)
	}
	if _, how := n.portal([]byte("declared")); how != Known {
		t.Errorf("a cursor that may be held: %v", how)
	}
}

// A pipeline that is never empty holds no more than what is in flight.
func TestNamesOfALongPipeline(t *testing.T) {
	var n names
	const inFlight, all = 10, 10000
	for i := range uint64(all) {
		n.will(i, Change{Kind: PortalName, Name: strconv.FormatUint(i, 10), Portal: &Portal{Index: int(i)}})
		if i < inFlight {
			continue
		}
		n.settle(i-inFlight, true)
		p, how := n.portal([]byte(strconv.FormatUint(i-inFlight, 10)))
		if how != Known || p.Index != int(i-inFlight) {
			t.Fatalf("portal %d: got %v, %v", i-inFlight, p, how)
		}
	}
	if held := cap(n.pending[PortalName].changes); held > 8*inFlight {
		t.Errorf("room for %d changes is held, %d are in flight", held, inFlight)
	}
}
