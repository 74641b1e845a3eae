package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// A measurement is what one contestant did in one round.
type measurement struct {
	units   int
	seconds float64
	cpu     float64         // seconds of the proxy
	took    []time.Duration // each run, in order of length
	held    float64         // MiB that the proxy held before
	peak    float64         // MiB that it held at most
}

func (m measurement) rate() float64 { return float64(m.units) / m.seconds }
func (m measurement) cost() float64 { return 1e6 * m.cpu / float64(m.units) } // microseconds a unit
func (m measurement) p50() float64  { return m.percentile(50) }
func (m measurement) p99() float64  { return m.percentile(99) }
func (m measurement) most() float64 { return m.peak }
func (m measurement) rise() float64 { return m.peak - m.held }

// percentile is a latency in milliseconds.
func (m measurement) percentile(p int) float64 {
	return m.took[(len(m.took)-1)*p/100].Seconds() * 1e3
}

// connect opens sessions that have everything prepared.
func connect(ctx context.Context, c contestant, sessions int) ([]client, error) {
	return open(sessions, func() (client, error) {
		conn, err := c.engine.login(ctx, c)
		if err != nil {
			return nil, err
		}
		return conn, c.engine.prepare(ctx, conn)
	})
}

// enter opens sessions that have nothing prepared.
func enter(ctx context.Context, c contestant, sessions int) ([]client, error) {
	return open(sessions, func() (client, error) { return c.engine.login(ctx, c) })
}

// open opens sessions, some at a time. Those that there are it leaves again when one
// fails.
func open(sessions int, one func() (client, error)) ([]client, error) {
	const atATime = 8
	var wg sync.WaitGroup
	conns, errs := make([]client, sessions), make([]error, atATime)
	for worker := range atATime {
		wg.Go(func() {
			for i := worker; i < sessions && errs[worker] == nil; i += atATime {
				conns[i], errs[worker] = one()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		leave(context.Background(), conns)
		return nil, err
	}
	return conns, nil
}

// leave closes sessions.
func leave(ctx context.Context, conns []client) {
	for _, conn := range conns {
		if conn != nil {
			_ = conn.leave(ctx) // it is over either way
		}
	}
}

// measure does a work on all connections at once for a while, in each at least
// once.
func measure(ctx context.Context, c contestant, conns []client, w work, length time.Duration) (m measurement, err error) {
	return timed(c, len(conns), func(i int, until time.Time, done func(units int, took time.Duration)) error {
		for {
			begun := time.Now()
			n, err := w.run(ctx, conns[i])
			if err != nil {
				return err
			}
			done(n, time.Since(begun))
			if time.Now().After(until) {
				return nil
			}
		}
	}, length)
}

// logins lets clients log in, ask for a row and leave for a while.
func logins(ctx context.Context, c contestant, clients int, length time.Duration) (measurement, error) {
	return timed(c, clients, func(_ int, until time.Time, done func(units int, took time.Duration)) error {
		for time.Now().Before(until) {
			begun := time.Now()
			conn, err := c.engine.login(ctx, c)
			if err != nil {
				return err
			}
			if _, err := c.engine.short.run(ctx, conn); err != nil {
				return err
			}
			if err := conn.leave(ctx); err != nil {
				return err
			}
			done(1, time.Since(begun))
		}
		return nil
	}, length)
}

// timed runs workers beside each other and accounts for what they report.
func timed(c contestant, workers int, run func(i int, until time.Time, done func(units int, took time.Duration)) error, length time.Duration) (m measurement, err error) {
	if err := resetPeak(c.process); err != nil {
		return m, err
	}
	if m.held, err = residentOf(c.process, "VmRSS"); err != nil {
		return m, err
	}
	before, err := cpuOf(c.process)
	if err != nil {
		return m, err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards m and err
	start := time.Now()
	for i := range workers {
		wg.Go(func() {
			var took []time.Duration
			units := 0
			werr := run(i, start.Add(length), func(n int, t time.Duration) {
				units += n
				took = append(took, t)
			})
			mu.Lock()
			defer mu.Unlock()
			m.units += units
			m.took = append(m.took, took...)
			if err == nil {
				err = werr
			}
		})
	}
	wg.Wait()
	if err != nil {
		return m, err
	}
	m.seconds = time.Since(start).Seconds()
	slices.Sort(m.took)
	after, err := cpuOf(c.process)
	if err != nil {
		return m, err
	}
	m.cpu = after - before
	m.peak, err = residentOf(c.process, "VmHWM")
	return m, err
}
