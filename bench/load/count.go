package main

import (
	"context"
	"errors"

	"sqlveil/proxy/proxytest"
)

// A counted is a work of the guard, and how often it is done.
type counted struct {
	name string
	runs int
	run  func(ctx context.Context, conn client) (int, error)
}

// few is how often it is done for the little that is subtracted from the whole.
func (w *counted) few() int { return max(1, w.runs/5) }

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

// A counter counts something of which a busy machine adds little.
type counter struct {
	metric string
	count  func(c *counting, ctx context.Context, w counted, runs int) (done, error)

	// How much more than the baseline is no change for the worse: a part of it, and so
	// many a unit.
	part, more float64
}

// done is what was counted in a session with the proxy, and how many queries or rows
// it had.
type done struct{ total, units float64 }

// A system call or an allocation more for each query is worse, and so is one for every
// forty rows.
var counters = []counter{
	{"instructions", (*counting).instructions, 0.05, 0},
	{"allocations", (*counting).allocations, 0, 0.02},
	{"system calls", (*counting).systemCalls, 0.08, 0.02},
}

// most is the highest count that is not worse than a baseline.
func (c *counter) most(baseline float64) float64 { return baseline*(1+c.part) + c.more }

// A pair is what was counted of much of a work and of a little.
type pair struct{ little, much done }

// take counts both.
func (c *counter) take(ctx context.Context, in *counting, w counted) (p pair, err error) {
	if p.little, err = c.count(in, ctx, w, w.few()); err != nil {
		return p, err
	}
	p.much, err = c.count(in, ctx, w, w.runs)
	return p, err
}

// least has the lower totals of two pairs for the same work.
func (p pair) least(q pair) pair {
	p.little.total = min(p.little.total, q.little.total)
	p.much.total = min(p.much.total, q.much.total)
	return p
}

// perUnit is what each unit takes: the difference between much and a little, so that
// start, first plans and end are no part of it. What is done once may make it a little
// less than nothing, which is nothing.
func (p pair) perUnit() float64 {
	return max(0, (p.much.total-p.little.total)/(p.much.units-p.little.units))
}

// A counting is a lab with the proxies whose work is counted.
type counting struct {
	lab
	plain   *proxytest.Sqlveil
	telling *proxytest.Sqlveil // tells its allocations
}

func startCounting(ctx context.Context, e *engine) (*counting, error) {
	c := &counting{lab: lab{engine: e}}
	if err := c.start(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *counting) start(ctx context.Context) (err error) {
	if err := c.startServer(ctx); err != nil {
		return err
	}
	if c.plain, err = c.startProxy(c.program, "spool", c.engine.policy); err != nil {
		return err
	}
	c.telling, err = c.startTelling()
	return err
}

// warm does a work with the proxies that do all others too, so that what is done once
// for all sessions is done.
func (c *counting) warm(ctx context.Context, w counted) error {
	for _, p := range []*proxytest.Sqlveil{c.plain, c.telling} {
		if _, err := c.session(ctx, p, w.run, w.few()); err != nil {
			return err
		}
	}
	return nil
}

// session runs a work some times as the user with masks, on a connection of its own,
// and returns the units.
func (c *counting) session(ctx context.Context, p *proxytest.Sqlveil, run func(context.Context, client) (int, error), runs int) (units float64, err error) {
	conns, err := connect(ctx, contestant{engine: c.engine, address: p.Address, user: maskedUser}, 1)
	if err != nil {
		return 0, err
	}
	for range runs {
		n, rerr := run(ctx, conns[0])
		if err = rerr; err != nil {
			break
		}
		units += float64(n)
	}
	return units, errors.Join(err, conns[0].leave(ctx))
}
