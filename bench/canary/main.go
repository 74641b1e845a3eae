// Canary asks whether a role with masks learns anything of a protected value, of
// a real PostgreSQL behind a real sqlveil. Two questions, two databases:
//
// Canaries. Every protected cell holds a token, a value that nothing else holds.
// Whatever the statement, no piece of a token may be in the bytes that come back,
// in any spelling that [search] knows. The role may use the values as it likes
// (use: raw), so that most statements run.
//
// Twins. Two databases differ in protected cells only, and those show and may be
// used for nothing. Whatever the statement, the answers must be the same, byte
// for byte: rows and their number, descriptions, tags, errors. Half of the
// statements guess at a value which one twin has, in every place that may steer
// something (guesses.txt).
//
// The statements are a generator's (grammar.txt has the expressions), sent in
// every [way] that the protocol has, and sqlsmith's. A [recorder] between client
// and proxy reads along. A part of the statements goes to the server directly,
// too, and must show tokens and differences there: a run in which nothing runs
// proves nothing, and fails.
//
// What is not asked: how long an answer takes, what the ends of a type's range,
// infinite dates and arrays of several dimensions make fail, and how many
// different values there are, which is released. EXPLAIN and the order of rows
// that nobody orders depend on how much room rows take; before a difference
// counts, it is looked for again in tables without dead rows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.tasks, "tasks", 50000, "tasks of our own, of one to three statements each")
	flag.IntVar(&o.smith, "smith", 50000, "statements of sqlsmith")
	flag.IntVar(&o.twins, "twins", 20000, "tasks of our own that are sent to two databases")
	flag.Uint64Var(&o.seed, "seed", 1, "what the statements are made from")
	flag.IntVar(&o.sessions, "sessions", 2, "sessions at the same time")
	flag.BoolVar(&o.samples, "samples", false, "show a statement for every reason why one did not run")
	flag.Parse()
	err := watch(ctx, o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "canary:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	tasks, smith, twins int
	seed                uint64
	sessions            int
	samples             bool
}

// controlPart is which part of the statements is sent directly, too.
const controlPart = 20

// The least that makes a run worth anything, as parts of all statements: so many
// of the generator's, and so many of sqlsmith's must run through the proxy, and
// so many must show something directly.
const (
	leastRun        = 0.6
	leastShowing    = 0.2
	leastSmithRun   = 0.2
	leastSmithShown = 0.003
)

// watch is the whole program. It fails when anything leaked or too little ran.
func watch(ctx context.Context, o options, out io.Writer) (err error) {
	l, err := startLab(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	return l.watch(ctx, o, out)
}

// watch sends all kinds of statements.
func (l *lab) watch(ctx context.Context, o options, out io.Writer) error {
	err := l.own(ctx, o, out)
	if o.smith > 0 {
		err = errors.Join(err, l.smith(ctx, o, out))
	}
	if o.twins > 0 {
		err = errors.Join(err, l.compareTwins(ctx, o, out))
	}
	return err
}

// A flight is one kind of statements, sent through the proxy and, a part of
// them, directly.
type flight struct {
	through, direct *tally
	proxy, server   *recorder
}

func (l *lab) newFlight() (f *flight, err error) {
	f = &flight{through: newTally(l.search), direct: newTally(l.search)}
	if f.proxy, err = record(l.proxy.Address, f.through.listen); err != nil {
		return nil, err
	}
	if f.server, err = record(l.server.Addr(), f.direct.listen); err != nil {
		return nil, errors.Join(err, f.proxy.close())
	}
	return f, nil
}

func (f *flight) close() error { return errors.Join(f.proxy.close(), f.server.close()) }

// judge prints what came out and says what is wrong with it.
func (f *flight) judge(out io.Writer, name string, took time.Duration, o options, ran, showing float64) error {
	fmt.Fprintf(out, "%s, through sqlveil, in %.0f s\n", name, took.Seconds())
	f.through.print(out, o.samples)
	fmt.Fprintf(out, "%s, a part of it directly\n", name)
	f.direct.print(out, o.samples)
	f.through.printLeaks(out)
	var err error
	through, direct := f.through.total(), f.direct.total()
	if through.showing > 0 {
		err = fmt.Errorf("%s: %d of %d statements show a token", name, through.showing, through.all)
	}
	if got := share(through.ran, through.all); got < ran {
		err = errors.Join(err, fmt.Errorf("%s: only %.2f of the statements ran, %.2f should", name, got, ran))
	}
	if got := share(direct.showing, direct.all); got < showing {
		err = errors.Join(err, fmt.Errorf("%s: directly only %.2f of the statements show a token, %.2f should", name, got, showing))
	}
	if through.lost > 0 {
		err = errors.Join(err, fmt.Errorf("%s: %d sessions were lost", name, through.lost))
	}
	return err
}

func share(n, all int) float64 { return float64(n) / float64(max(all, 1)) }

// own sends the generator's tasks.
func (l *lab) own(ctx context.Context, o options, out io.Writer) error {
	f, err := l.newFlight()
	if err != nil {
		return err
	}
	start := time.Now()
	errs := make([]error, o.sessions)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f.session(ctx, o.seed*1000+uint64(i), o.tasks/o.sessions) })
	}
	wg.Wait()
	if err := errors.Join(append(errs, f.close())...); err != nil {
		return err
	}
	return f.judge(out, "own statements", time.Since(start), o, leastRun, leastShowing)
}

// session sends tasks in one session through the proxy, and a part of them
// directly.
func (f *flight) session(ctx context.Context, seed uint64, tasks int) error {
	g := newGenerator(seed)
	masked := &client{address: f.proxy.address(), user: "masked", database: database}
	direct := &client{address: f.server.address(), user: "open", database: database}
	for i := range tasks {
		t := g.task()
		if err := masked.run(ctx, t); err != nil {
			return err
		}
		if i%controlPart == 0 {
			if err := direct.run(ctx, t); err != nil {
				return err
			}
		}
	}
	return errors.Join(masked.close(ctx), direct.close(ctx))
}
