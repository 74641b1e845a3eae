package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A tally counts what became of statements. It is safe for concurrent use.
type tally struct {
	search *search

	mu      sync.Mutex
	kinds   map[string]*outcomes // guarded by mu; by the statement's first words
	failed  map[string]int       // guarded by mu; by SQLSTATE, or the proxy's own code
	samples map[string]string    // guarded by mu; a statement for each of failed
	showing int                  // guarded by mu; answers in which a token was found
	leaks   []leak               // guarded by mu; the first of them
	bytes   int64                // guarded by mu
}

// outcomes are what became of the statements of one kind.
type outcomes struct {
	all, ran, refused, failed, lost int
	rows, showing                   int // rows, and answers in which a token was found
}

// A leak is an answer in which a token was found.
type leak struct {
	texts    []string
	findings []finding
}

func newTally(s *search) *tally {
	return &tally{search: s, kinds: make(map[string]*outcomes), failed: make(map[string]int), samples: make(map[string]string)}
}

// mostLeaks is how many are kept.
const mostLeaks = 200

// listen counts an answer and searches it.
func (t *tally) listen(a *answer) {
	found := a.found(t.search)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes += int64(len(a.bytes))
	if len(found) > 0 {
		t.showing++
	}
	if len(found) > 0 && len(t.leaks) < mostLeaks {
		t.leaks = append(t.leaks, leak{a.texts, found})
	}
	kind := "none"
	if len(a.texts) > 0 {
		kind = kindOfStatement(a.texts[len(a.texts)-1])
	}
	if !a.inside || kind == "ROLLBACK" { // what surrounds the statements
		return
	}
	o := t.kinds[kind]
	if o == nil {
		o = new(outcomes)
		t.kinds[kind] = o
	}
	o.all++
	o.rows += a.rows
	if len(found) > 0 {
		o.showing++
	}
	switch {
	case len(a.errors) > 0:
		t.count(o, a)
	case a.ended:
		o.lost++
	default:
		o.ran++
	}
}

// count counts an answer with an error; t.mu is held.
func (t *tally) count(o *outcomes, a *answer) {
	e := a.errors[0]
	why := e.state
	if e.ours() {
		o.refused++
		why = "SV" + e.message[strings.LastIndex(e.message, "(SV")+len("(SV"):]
		why = strings.TrimSuffix(why, ")")
	} else {
		o.failed++
	}
	t.failed[why]++
	if len(a.texts) > 0 {
		t.samples[why] = e.message + "\n    " + a.texts[len(a.texts)-1]
	}
}

// kindOfStatement is a statement's first word or two.
func kindOfStatement(text string) string {
	words := strings.Fields(strings.ToUpper(text))
	if len(words) == 0 {
		return "EMPTY"
	}
	first := strings.Trim(words[0], "(;")
	if first == "CREATE" && len(words) > 1 {
		first += " " + words[1]
	}
	return first
}

// total adds up all kinds.
func (t *tally) total() outcomes {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum outcomes
	for _, o := range t.kinds {
		sum.all += o.all
		sum.ran += o.ran
		sum.refused += o.refused
		sum.failed += o.failed
		sum.lost += o.lost
		sum.rows += o.rows
	}
	sum.showing = t.showing
	return sum
}

// print writes a table of everything.
func (t *tally) print(to io.Writer, samples bool) {
	sum := t.total()
	t.mu.Lock()
	defer t.mu.Unlock()
	const line = "  %-16s %8d %8d %8d %8d %6d %10d %8d\n"
	fmt.Fprintf(to, "  %-16s %8s %8s %8s %8s %6s %10s %8s\n", "kind", "all", "ran", "refused", "failed", "lost", "rows", "showing")
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		o := t.kinds[kind]
		fmt.Fprintf(to, line, kind, o.all, o.ran, o.refused, o.failed, o.lost, o.rows, o.showing)
	}
	fmt.Fprintf(to, line, "together", sum.all, sum.ran, sum.refused, sum.failed, sum.lost, sum.rows, sum.showing)
	fmt.Fprintf(to, "  %d bytes searched; why statements did not run:", t.bytes)
	reasons := slices.SortedFunc(maps.Keys(t.failed), func(a, b string) int { return cmp.Compare(t.failed[b], t.failed[a]) })
	for _, why := range reasons {
		fmt.Fprintf(to, " %s %d", why, t.failed[why])
	}
	fmt.Fprintln(to)
	for _, why := range reasons {
		if samples {
			fmt.Fprintf(to, "  %s: %s\n", why, t.samples[why])
		}
	}
}

// printLeaks writes every leak that was kept.
func (t *tally) printLeaks(to io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.leaks {
		fmt.Fprintf(to, "LEAK in the answer to: %s\n", strings.Join(l.texts, "; "))
		for _, f := range l.findings {
			fmt.Fprintf(to, "  %s: %s\n", f.What, f.Text)
		}
	}
}
