package session

import (
	"testing"

	"sqlveil/rewrite"
)

// A walk through what statements do to the meaning of names. Each step is one
// event; the dirty flags are compared after it.
func TestState(t *testing.T) {
	path, catalog := rewrite.Effect{Path: true}, rewrite.Effect{Catalog: true}
	opaque, end := rewrite.Effect{Opaque: true}, rewrite.Effect{End: true}
	type step struct {
		event                   func(*state)
		pathDirty, catalogDirty bool
	}
	settled := func(s *state) { s.pathDirty, s.catalogDirty = false, false }
	happens := func(e *rewrite.Effect) func(*state) { return func(s *state) { s.happened(e) } }
	for name, steps := range map[string][]step{
		"SET alone": {
			{happens(&path), true, false},
			{(*state).over, true, false},
			{settled, false, false},
			{(*state).over, false, false},
		},
		"SET in a transaction that ends": {
			{happens(&path), true, false},
			{settled, false, false},
			{happens(&rewrite.Effect{}), false, false},
			{happens(&end), true, false},
			{settled, false, false},
			{(*state).over, true, false}, // asked before the transaction was over: once more
			{settled, false, false},
			{(*state).over, false, false},
		},
		"DDL in a transaction that fails": {
			{happens(&catalog), true, true},
			{settled, false, false},
			{(*state).undone, true, true},
			{settled, false, false},
			{(*state).over, true, true},
		},
		"a function that may do anything": {
			{happens(&opaque), true, true},
		},
		"a transaction without any of it": {
			{happens(&end), false, false},
			{(*state).over, false, false},
			{(*state).undone, false, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s state
			for i, step := range steps {
				step.event(&s)
				if s.pathDirty != step.pathDirty || s.catalogDirty != step.catalogDirty {
					t.Fatalf("step %d: path %v, catalog %v, want %v, %v", i+1, s.pathDirty, s.catalogDirty, step.pathDirty, step.catalogDirty)
				}
			}
		})
	}
}

func TestMoves(t *testing.T) {
	for _, tt := range []struct {
		name   string
		state  state
		effect rewrite.Effect
		want   bool
	}{
		{"nothing", state{}, rewrite.Effect{ReadsPath: true, Begin: true}, false},
		{"search path", state{}, rewrite.Effect{Path: true}, true},
		{"catalog", state{}, rewrite.Effect{Catalog: true}, true},
		{"unknown code", state{}, rewrite.Effect{Opaque: true}, true},
		{"DISCARD ALL", state{}, rewrite.Effect{ForgetAll: true}, true},
		{"COMMIT of nothing", state{}, rewrite.Effect{End: true}, false},
		{"COMMIT of a change", state{touched: true}, rewrite.Effect{End: true}, true},
		{"COMMIT behind a change in flight", state{moving: 1}, rewrite.Effect{End: true}, true},
	} {
		if got := tt.state.moves(&tt.effect); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}
