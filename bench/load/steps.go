package main

import (
	"context"
	"fmt"
	"time"
)

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
