// Load compares the same work done directly and through sqlveil, through
// PgBouncer and HAProxy where they are installed, and through the floors of
// package bench, in turns: every contestant in every round. It does so in front of
// PostgreSQL and of MariaDB, there with sysbench, and of MySQL where .ci/install
// my-versions has put its programs or SQLVEIL_MYSQL_BIN names them.
//
// It starts everything itself. A figure is the median over the rounds; a ratio is
// the median of the ratios to go-copy, a relay that only copies bytes, of each
// round. "CPU" is the processor time of the proxy alone, which is what repeats on
// a busy machine. With -out the result is written to a directory as Markdown and
// as a chart; -short takes a minute and tells less.
//
// With -soak it lets sessions come and go for that long instead, prints the
// memory that the proxy holds, and fails when it keeps growing. With -guard it
// counts instructions, allocations and system calls of a query and of a row, and
// fails when there are more than a file says. With -part it measures one thing
// alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	rounds   int
	duration time.Duration
	sessions []int
	growth   bool
	part     string // the only one to measure, "" for all
	soak     time.Duration
}

var (
	long  = options{rounds: 3, duration: 500 * time.Millisecond, sessions: []int{1, 8, 64, 512}, growth: true}
	short = options{rounds: 3, duration: 400 * time.Millisecond, sessions: []int{8}}
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	brief := flag.Bool("short", false, "fewer sessions, no growth")
	out := flag.String("out", "", "directory for the result, which is printed in any case")
	length := flag.Duration("soak", 0, "let sessions come and go for so long instead")
	baseline := flag.String("guard", "", "count what a busy machine does not change, and compare with this file instead")
	update := flag.Bool("update", false, "with -guard: replace the file")
	which := flag.String("engine", "", "measure in front of this one alone: postgresql, mariadb or mysql")
	part := flag.String("part", "", "measure this alone: "+strings.Join(partNames(), ", "))
	floor := flag.String("floor", "", "be this floor: relay -listen to -target; for the program itself")
	wire := flag.String("wire", "", "see -floor")
	target := flag.String("target", "", "see -floor")
	flag.Parse()
	o := long
	if *brief {
		o = short
	}
	o.soak, o.part = *length, *part
	measured, err := chosen(*which)
	err = errors.Join(err, known(o.part), raiseFiles())
	switch {
	case err != nil: // said below
	case *floor != "":
		err = beFloor(*wire, *floor, *target)
	case *baseline != "":
		err = guard(ctx, measured, *baseline, *update)
	case o.soak > 0:
		err = soak(ctx, o)
	default:
		err = compareAll(ctx, measured, o, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// chosen is the engine of this name, or all whose programs are there in the order of
// their names.
func chosen(name string) ([]*engine, error) {
	if e, ok := engines[name]; ok {
		return []*engine{e}, nil
	}
	if name != "" {
		return nil, fmt.Errorf("no engine is called %q", name)
	}
	var all []*engine
	for _, name := range slices.Sorted(maps.Keys(engines)) {
		e := engines[name]
		if e.there != nil && !e.there() {
			fmt.Fprintf(os.Stderr, "load: %s is not there and left out\n", e.title)
			continue
		}
		all = append(all, e)
	}
	return all, nil
}

// compareAll measures in front of each engine.
func compareAll(ctx context.Context, measured []*engine, o options, out string) error {
	for _, e := range measured {
		if err := compare(ctx, e, o, out); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

// compare measures everything and reports it.
func compare(ctx context.Context, e *engine, o options, out string) error {
	l, err := startLab(ctx, e)
	if err != nil {
		return err
	}
	defer l.close()
	r, err := newReport(ctx, l)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if o.part != "" && o.part != p.name {
			continue
		}
		if err := p.measure(r, ctx, l, o); err != nil {
			return err
		}
	}
	return r.write(out)
}

// known refuses a part that there is none of.
func known(part string) error {
	if names := partNames(); part != "" && !slices.Contains(names, part) {
		return fmt.Errorf("no part is called %q; there are %s", part, strings.Join(names, ", "))
	}
	return nil
}

// parts are what is measured, in order.
var parts = []struct {
	name    string
	measure func(r *report, ctx context.Context, l *lab, o options) error
}{
	{"idle", (*report).measureIdle},
	{"small", (*report).measureSmall},
	{"large", (*report).measureLarge},
	{"logins", (*report).measureLogins},
	{"tls", (*report).measureTLS},
	{"rest", (*report).measureRest},
	{"sessions", (*report).measureCrowd},
	{"growth", (*report).measureGrowth},
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}
