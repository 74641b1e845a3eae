package session

import (
	"context"
	"testing"
)

func TestPrepareOnce(t *testing.T) {
	b := settled(t)
	once := func(text string) *Prepared {
		t.Helper()
		sent := []byte(text)
		p, err := b.PrepareOnce(context.Background(), sent)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		clear(sent) // the client's next message takes its place
		if p.Text != text || p.Len() != 1 {
			t.Fatalf("%q is prepared as %q, %d statements", text, p.Text, p.Len())
		}
		return p
	}
	first := once("ok 1")
	if second := once("ok 2"); second == first {
		t.Error("the memory of a text in use was used again")
	}
	b.SpareText(first)
	if again := once("ok 3"); again != first {
		t.Error("the memory of a text was not used again")
	}
	for _, text := range []string{"prepare statement", "ok new"} {
		p := once(text)
		b.SpareText(p)
		if other := once("ok 4"); other == p {
			t.Errorf("%s: somebody may still know it", text)
		}
	}
	if _, err := b.PrepareOnce(context.Background(), []byte("refused")); err == nil {
		t.Error("nothing is refused")
	}
}

func TestForgotten(t *testing.T) {
	b := settled(t)
	p := &Portal{Prepared: b.prepare(t, "ok"), Bound: true}
	if !b.Forgotten(p) {
		t.Error("a portal that was never bound is known")
	}
	bind := func(to *Portal) uint64 { return b.Will(Change{Kind: PortalName, Name: "", Portal: to}) }
	for _, step := range []struct {
		what      string
		do        func()
		forgotten bool
	}{
		{"bound, but not answered", func() { bind(p) }, false},
		{"bound", func() { b.Settle(b.ticket, true) }, false},
		{"to be replaced", func() { bind(&Portal{Prepared: p.Prepared, Bound: true}) }, false},
		{"not replaced", func() { b.Settle(b.ticket, false) }, false},
		{"replaced", func() { b.Settle(bind(&Portal{Prepared: p.Prepared, Bound: true}), true) }, true},
		{"bound again", func() { b.Settle(bind(p), true) }, false},
		{"the transaction is over", b.TransactionOver, true},
	} {
		step.do()
		if got := b.Forgotten(p); got != step.forgotten {
			t.Errorf("%s: forgotten is %v", step.what, got)
		}
	}
}
