package main

import (
	"context"
	"testing"
)

// Only what differs through the proxy twice, and directly never, is the proxy's.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name            string
		direct, through []string // the outputs of each run
		differing       int
	}{
		{"the same", []string{"a"}, []string{"a"}, 0},
		{"as the second direct run", []string{"a", "b"}, []string{"b"}, 0},
		{"directly of two kinds", []string{"a", "b"}, []string{"c"}, 0},
		{"through the proxy of two kinds", []string{"a", "a"}, []string{"b", "a"}, 0},
		{"another", []string{"a", "a"}, []string{"b", "b"}, 1},
	} {
		l := &lab{server: &server{}, proxy: "proxy"}
		direct, through := c.direct, c.through
		s := &suite{name: c.name, tests: []string{"test"}, run: func(_ context.Context, _, address string) (outcome, error) {
			runs := &direct
			if address == l.proxy {
				runs = &through
			}
			o := outcome{output: []byte((*runs)[0])}
			*runs = (*runs)[1:]
			return o, nil
		}}
		differing, err := l.compare(t.Context(), s)
		if err != nil || differing != c.differing || len(direct)+len(through) > 0 {
			t.Errorf("%s: %d differ, want %d; runs not made: %d directly, %d through; %v", c.name, differing, c.differing, len(direct), len(through), err)
		}
	}
}

// A value is set again as it was read.
func TestLiteral(t *testing.T) {
	for value, want := range map[string]string{"12": "12", "-1.5": "-1.5", "ON": "'ON'", "": "''", `a'b\c`: `'a''b\\c'`, "1G": "'1G'"} {
		if got := literal(value); got != want {
			t.Errorf("literal(%q) = %s, want %s", value, got, want)
		}
	}
}
