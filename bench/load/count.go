package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sqlveil/proxy/proxytest"
)

// A count is something that a busy machine does not change, per query or row.
type count struct {
	name  string
	value float64
}

// A counted is a work of the guard, and how often it is done.
type counted struct {
	name string
	runs int
	run  func(ctx context.Context, conn client) (int, error)
}

// How often the works are done: queries, and scans of a large table.
const (
	countedQueries = 5000
	countedScans   = 3
)

var countedPostgres = []counted{
	{"query, simple", countedQueries, onPostgres(simpleQuery)},
	{"query, extended", countedQueries, onPostgres(extendedQuery)},
	{"query, prepared", countedQueries, onPostgres(preparedQuery)},
	{"row, text", countedScans, onPostgres(textRows)},
	{"row, COPY", countedScans, onPostgres(copyRows)},
}

// countAll makes every count as the user with masks.
func countAll(ctx context.Context, e *engine) (counts []count, err error) {
	l := &lab{engine: e}
	defer l.close()
	if err := l.startServer(ctx); err != nil {
		return nil, err
	}
	p, err := l.startProxy(l.program, "spool", l.engine.policy)
	if err != nil {
		return nil, err
	}
	for _, w := range e.counted {
		allocations, err := l.countDuring(ctx, p, w, func() (func() (float64, error), error) { return allocationsOf(p) })
		if err != nil {
			return nil, fmt.Errorf("%s: allocations: %w", w.name, err)
		}
		calls, err := l.countDuring(ctx, p, w, func() (func() (float64, error), error) { return l.systemCallsOf(p) })
		if err != nil {
			return nil, fmt.Errorf("%s: system calls: %w", w.name, err)
		}
		instructions, err := l.instructionsOf(ctx, w)
		if err != nil {
			return nil, fmt.Errorf("%s: instructions: %w", w.name, err)
		}
		counts = append(counts,
			count{w.name + ": instructions", instructions},
			count{w.name + ": allocations", allocations},
			count{w.name + ": system calls", calls})
	}
	return counts, nil
}

// session runs a work some times on a connection of its own and returns the
// units.
func (l *lab) session(ctx context.Context, p *proxytest.Sqlveil, run func(context.Context, client) (int, error), runs int) (units float64, err error) {
	conns, err := connect(ctx, contestant{engine: l.engine, address: p.Address, user: maskedUser}, 1)
	if err != nil {
		return 0, err
	}
	defer leave(ctx, conns)
	for range runs {
		n, err := run(ctx, conns[0])
		if err != nil {
			return 0, err
		}
		units += float64(n)
	}
	return units, nil
}

// countDuring counts while a work is done and while nothing is but what is around
// it, a session that begins and ends, and returns the difference for each unit.
func (l *lab) countDuring(ctx context.Context, p *proxytest.Sqlveil, w counted, start func() (func() (float64, error), error)) (float64, error) {
	if _, err := l.session(ctx, p, w.run, 1); err != nil { // what is done once
		return 0, err
	}
	var totals [2]float64
	var units float64
	for i, runs := range []int{0, w.runs} {
		stop, err := start()
		if err != nil {
			return 0, err
		}
		units, err = l.session(ctx, p, w.run, runs)
		var serr error
		totals[i], serr = stop()
		if err := errors.Join(err, serr); err != nil {
			return 0, err
		}
	}
	return (totals[1] - totals[0]) / units, nil
}

// allocationsOf counts allocations by the process's own metrics.
func allocationsOf(p *proxytest.Sqlveil) (stop func() (float64, error), err error) {
	before, err := mallocs(p)
	return func() (float64, error) {
		after, err := mallocs(p)
		return after - before, err
	}, err
}

func mallocs(p *proxytest.Sqlveil) (float64, error) {
	response, err := http.Get("http://" + p.Admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "\ngo_memstats_mallocs_total ")
	line, _, _ := strings.Cut(rest, "\n")
	if !found {
		return 0, errors.New("/metrics tells no allocations")
	}
	return strconv.ParseFloat(line, 64)
}

// systemCallsOf counts system calls with strace.
// https://man7.org/linux/man-pages/man1/strace.1.html
func (l *lab) systemCallsOf(p *proxytest.Sqlveil) (stop func() (float64, error), err error) {
	file := filepath.Join(l.directory, "strace")
	cmd := exec.Command("strace", "-c", "-f", "-q", "-U", "name,calls", "-o", file, "-p", strconv.Itoa(p.Process.Pid))
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	time.Sleep(time.Second) // until it is attached
	return func() (float64, error) {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return 0, err
		}
		_ = cmd.Wait() // interrupted
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(text))
		at := slices.Index(fields, "total")
		if at < 0 || at+1 == len(fields) {
			return 0, fmt.Errorf("strace said %q", text)
		}
		return strconv.ParseFloat(fields[at+1], 64)
	}, nil
}

// executed is how many instructions a proxy executed in its life, and how much it
// did.
type executed struct{ total, units float64 }

// instructionsOf counts those of each unit of a work: the difference between much of
// it and a little, so that start, first plans and end are no part of it.
func (l *lab) instructionsOf(ctx context.Context, w counted) (float64, error) {
	little, err := l.instructions(ctx, w.run, max(1, w.runs/5))
	if err != nil {
		return 0, err
	}
	much, err := l.instructions(ctx, w.run, w.runs)
	return (much.total - little.total) / (much.units - little.units), err
}

// instructions counts those of a proxy that does a work and nothing else, on
// valgrind's machine. There is no garbage collection: whether one more or one less
// falls into a run is the largest difference between two runs, and allocations are
// counted by themselves.
// https://valgrind.org/docs/manual/cg-manual.html
func (l *lab) instructions(ctx context.Context, run func(context.Context, client) (int, error), runs int) (e executed, err error) {
	file, script := filepath.Join(l.directory, "cachegrind"), filepath.Join(l.directory, "counted")
	text := fmt.Sprintf("#!/bin/sh\nGOMAXPROCS=1 GOGC=off exec valgrind -q --tool=cachegrind --cache-sim=no --cachegrind-out-file=%s %s \"$@\"\n", file, l.program)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return e, err
	}
	p, err := l.startProxy(script, "spool", l.engine.policy)
	if err != nil {
		return e, err
	}
	e.units, err = l.session(ctx, p, run, runs)
	if err := errors.Join(err, p.Stop()); err != nil {
		return e, err
	}
	out, err := os.ReadFile(file)
	if err != nil {
		return e, err
	}
	e.total, err = sumInstructions(string(out))
	return e, err
}

// hashing is the part of SHA-256 for which processors have instructions of their
// own. Valgrind's has not and executes twenty times as many, more than for all else
// together.
const hashing = "crypto/internal/fips140/sha256.block"

// sumInstructions adds up what cachegrind counted, but for hashing.
// https://valgrind.org/docs/manual/cg-manual.html#cg-manual.impl-details.file-format
func sumInstructions(out string) (total float64, err error) {
	counts := true
	for line := range strings.Lines(out) {
		if function, ok := strings.CutPrefix(line, "fn="); ok {
			counts = !strings.HasPrefix(function, hashing)
			continue
		}
		if line[0] < '0' || line[0] > '9' || !counts {
			continue
		}
		_, count, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			return 0, fmt.Errorf("cachegrind wrote %q", line)
		}
		total += n
	}
	return total, nil
}
