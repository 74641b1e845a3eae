package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// An idle is the memory of sessions that do nothing.
type idle struct {
	name  string
	start float64   // MiB of the proxy with one session
	each  []float64 // KiB that each of idleSessions takes
	cpu   float64   // milliseconds of the proxy in a second, all sessions being idle
}

// idleSessions is how many sessions are idle at a time.
var idleSessions = []int{1, 8, 64, 512}

// rest is how long a proxy is left alone before its memory is looked at that may
// give back what it took to log sessions in; breath is for the quick look.
const (
	rest   = 5 * time.Second
	breath = time.Second
)

// measureIdle opens sessions that have prepared statements, and looks at the
// memory of each proxy.
func (r *report) measureIdle(ctx context.Context, l *lab, o options) error {
	for _, c := range l.contestants {
		if c.process == 0 || c.forRows {
			continue
		}
		i, err := idleOf(ctx, c)
		if err != nil {
			return fmt.Errorf("idle, %s: %w", c.name, err)
		}
		r.idle = append(r.idle, i)
	}
	return nil
}

// settled returns the resident memory of a process in MiB once it does not change
// any more, or after a minute.
func settled(process int) (held float64, err error) {
	const small = 0.05
	for range 10 {
		before := held
		time.Sleep(rest)
		if held, err = residentOf(process, "VmRSS"); err != nil || math.Abs(held-before) < small {
			return held, err
		}
	}
	return held, nil
}

// idleOf opens more and more sessions of one contestant, behind one that has been
// there for what the first of all brings about.
func idleOf(ctx context.Context, c contestant) (i idle, err error) {
	i.name = c.name
	first, err := connect(ctx, c, 1)
	if err != nil {
		return i, err
	}
	defer leave(ctx, first)
	if i.start, err = settled(c.process); err != nil {
		return i, err
	}
	var conns []client
	defer func() { leave(ctx, conns) }()
	for _, sessions := range idleSessions {
		more, err := connect(ctx, c, sessions-len(conns))
		if err != nil {
			return i, err
		}
		conns = append(conns, more...)
		if time.Sleep(breath); sessions == idleSessions[len(idleSessions)-1] {
			time.Sleep(rest)
		}
		held, err := residentOf(c.process, "VmRSS")
		if err != nil {
			return i, err
		}
		i.each = append(i.each, 1024*(held-i.start)/float64(sessions))
	}
	before, err := cpuOf(c.process)
	if err != nil {
		return i, err
	}
	time.Sleep(breath)
	after, err := cpuOf(c.process)
	i.cpu = 1e3 * (after - before) / breath.Seconds()
	return i, err
}

// measureRest looks at the memory that each proxy keeps when all work is over.
func (r *report) measureRest(_ context.Context, l *lab, _ options) error {
	time.Sleep(rest)
	r.rested = make(map[string]float64)
	for _, c := range l.contestants {
		if c.process == 0 {
			continue
		}
		held, err := residentOf(c.process, "VmRSS")
		if err != nil {
			return err
		}
		r.rested[c.name] = held
	}
	return nil
}

// measureSmall measures the small queries.
func (r *report) measureSmall(ctx context.Context, l *lab, o options) error {
	for _, sessions := range o.sessions {
		tables := make([]table, len(l.engine.small))
		for i, w := range l.engine.small {
			tables[i] = newTable(w, sessions)
		}
		for range o.rounds {
			for _, c := range l.contestants {
				if c.forRows {
					continue
				}
				if err := measureAll(ctx, c, tables, o.duration); err != nil {
					return err
				}
			}
		}
		r.small = append(r.small, tables...)
	}
	return nil
}

// measureLarge measures the large results, one at a time.
func (r *report) measureLarge(ctx context.Context, l *lab, o options) error {
	for _, w := range l.engine.large {
		r.large = append(r.large, newTable(w, 1))
	}
	for range o.rounds {
		for _, c := range l.contestants {
			if err := measureAll(ctx, c, r.large, o.duration); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureAll does the works of some tables on the same sessions.
func measureAll(ctx context.Context, c contestant, tables []table, length time.Duration) error {
	conns, err := connect(ctx, c, tables[0].sessions)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	defer leave(ctx, conns)
	for i := range tables {
		m, err := measureOne(ctx, c, conns, tables[i].work, length)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", tables[i].work.name, c.name, err)
		}
		tables[i].add(c, m)
	}
	return nil
}

func measureOne(ctx context.Context, c contestant, conns []client, w work, length time.Duration) (measurement, error) {
	if w.whole != nil {
		return w.whole(ctx, c, len(conns))
	}
	return measure(ctx, c, conns, w, length)
}

// measureLogins measures sessions that are short.
func (r *report) measureLogins(ctx context.Context, l *lab, o options) error {
	const clients = 8
	r.logins = newTable(work{name: "log in, one row, log out", unit: "login"}, clients)
	for range o.rounds {
		for _, c := range l.contestants {
			if c.forRows {
				continue
			}
			m, err := logins(ctx, c, clients, o.duration)
			if err != nil {
				return fmt.Errorf("logins, %s: %w", c.name, err)
			}
			r.logins.add(c, m)
		}
	}
	return nil
}
