package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// A fakeClient counts those that have not left.
type fakeClient struct{ there *atomic.Int64 }

func (c fakeClient) leave(context.Context) error                 { c.there.Add(-1); return nil }
func (c fakeClient) run(context.Context, string) error           { return nil }
func (c fakeClient) ask(context.Context, string) (string, error) { return "", nil }

func TestOpen(t *testing.T) {
	t.Parallel()
	var there atomic.Int64
	enter := func() (client, error) { there.Add(1); return fakeClient{&there}, nil }
	conns, err := open(21, enter)
	if err != nil || len(conns) != 21 || there.Load() != 21 {
		t.Fatalf("%d sessions, %d are there: %v", len(conns), there.Load(), err)
	}
	leave(t.Context(), conns)
	if there.Load() != 0 {
		t.Errorf("%d are there after all have left", there.Load())
	}
}

// Those that there are leave again when one fails.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	var there, tried atomic.Int64
	refused := errors.New("refused")
	conns, err := open(100, func() (client, error) {
		if tried.Add(1) > 20 {
			return nil, refused
		}
		there.Add(1)
		return fakeClient{&there}, nil
	})
	if !errors.Is(err, refused) || conns != nil || there.Load() != 0 {
		t.Errorf("%v, %d sessions, %d are there", err, len(conns), there.Load())
	}
}
