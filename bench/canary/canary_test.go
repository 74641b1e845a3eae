package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pieces is a stream that comes in pieces of a size.
type pieces struct {
	rest string
	size int
}

func (p *pieces) Read(to []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(to, p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// startOnce starts the lab that tests share; TestMain ends it.
var startOnce = sync.OnceValues(func() (*lab, error) { return startLab(context.Background()) })

func testLab(t *testing.T) *lab {
	t.Helper()
	l, err := startOnce()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMain(m *testing.M) {
	code := m.Run()
	if l, err := startOnce(); err == nil {
		if err := l.close(); err != nil {
			os.Stderr.WriteString("end of the lab: " + err.Error() + "\n")
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// The short form of make canary: nothing leaks, nothing tells values apart, and
// enough of the statements run to say so.
func TestCanary(t *testing.T) {
	var out strings.Builder
	err := testLab(t).watch(t.Context(), options{tasks: 2500, smith: 300, twins: 1500, seed: 1, sessions: 2}, &out)
	t.Log(out.String())
	if err != nil {
		t.Error(err)
	}
}

// Seeds decide everything: a finding can be had again.
func TestGeneratorRepeatsItself(t *testing.T) {
	tasks := func(seed uint64) []string {
		g := newGenerator(seed)
		var out []string
		for range 200 {
			out = append(out, strings.Join(g.task().statements, ";"))
		}
		return out
	}
	if !slices.Equal(tasks(1), tasks(1)) || slices.Equal(tasks(1), tasks(2)) {
		t.Error("the same seed makes other statements, or another seed the same")
	}
}

// What a class allows tells the twins apart, so the comparison is not blind; and
// NULL, which every class shows, is the same in both.
func TestTwinsSeeWhatIsAllowed(t *testing.T) {
	l := testLab(t)
	p, err := l.newTwins(l.strict.Address, "masked", newTally(l.search))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	equal := l.allowed.literal
	for _, tt := range []struct {
		sql  string
		want bool // they differ
	}{
		{"SELECT id FROM vault WHERE alias = " + equal, true},
		{"SELECT count(*) FROM vault WHERE alias IN ('x', " + equal + ")", true},
		{"SELECT id FROM vault WHERE alias LIKE " + equal, false},
		{"SELECT alias FROM vault WHERE id = 1", false},
		{"SELECT id, secret IS NULL FROM vault", false},
		{"SELECT count(secret), count(*) FROM vault WHERE secret IS NULL", false},
		{"SELECT count(DISTINCT sum) FROM vault", true},
	} {
		d, err := p.ask(t.Context(), task{statements: []string{tt.sql}, way: simple})
		if err != nil {
			t.Fatal(err)
		}
		if (d != "") != tt.want {
			t.Errorf("%s: difference %q, want one: %t", tt.sql, d, tt.want)
		}
	}
}
