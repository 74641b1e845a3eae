package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// A crowd is what thousands of sessions take one contestant.
type crowd struct {
	name  string
	first float64 // MiB that it held with one session
	held  float64 // MiB that it held with all of them, idle
	cpu   float64 // milliseconds of the proxy in a second, all of them being idle
}

// crowdContestants are those that are compared: one after the other, since all of
// them together would take more sessions of the server and more ports than there are.
// PgBouncer is the last: it keeps the server's sessions when its own have left.
var crowdContestants = []string{"haproxy", floorName, "sqlveil, masked, spool", "pgbouncer"}

// crowdSessions is how many sessions come: ten thousand, or what the number of files
// that a process may have open leaves, since a proxy has two for each session.
func crowdSessions() (int, error) {
	const most, others = 10_000, 200
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, fmt.Errorf("open files: %w", err)
	}
	return min(most, (int(min(files.Max, 1<<20))-others)/2), nil
}

// raiseFiles lets this process and those that it starts have as many files open as
// they may: Go alone raises the limit for itself.
func raiseFiles() error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("open files: %w", err)
	}
	files.Cur = files.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
}

// startCrowdLab starts contestants in front of what the engine has for so many
// sessions.
func (l *lab) startCrowdLab() (*lab, error) {
	s, err := l.engine.forCrowd(l.directory, l.server)
	if err != nil {
		return nil, err
	}
	c := &lab{engine: l.engine, server: s, directory: l.directory, shared: true, program: l.program}
	if err := c.startContestants(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// measureCrowd lets more and more sessions come to one contestant after the other
// and ask.
func (r *report) measureCrowd(ctx context.Context, l *lab, o options) error {
	if !o.growth {
		return nil
	}
	most, err := crowdSessions()
	if err != nil {
		return err
	}
	c, err := l.startCrowdLab()
	if err != nil {
		return fmt.Errorf("crowd: %w", err)
	}
	defer c.close()
	time.Sleep(rest) // for what they took to start
	r.sessions = most
	sizes := []int{1, 10, 100, 1000, most}
	tables := make([]table, len(sizes))
	for i, size := range sizes {
		tables[i] = newTable(l.engine.crowded, size)
	}
	for _, name := range crowdContestants {
		if at := c.find(name); at != nil {
			held, err := crowdOf(ctx, *at, tables, o)
			if err != nil {
				return fmt.Errorf("crowd, %s: %w", name, err)
			}
			r.crowds = append(r.crowds, held)
		}
	}
	g := growth{name: "sessions"}
	for i, size := range sizes {
		g.add(thousands(size), size, &tables[i])
	}
	r.growth = append(r.growth, g)
	return nil
}

// find is the contestant of this name, or nil.
func (l *lab) find(name string) *contestant {
	for i := range l.contestants {
		if l.contestants[i].name == name {
			return &l.contestants[i]
		}
	}
	return nil
}

// crowdOf fills the sessions of each table up, lets them ask, and looks at the memory
// that the most of them take before they ask.
func crowdOf(ctx context.Context, c contestant, tables []table, o options) (held crowd, err error) {
	held.name = c.name
	var conns []client
	defer func() { leave(ctx, conns) }()
	for i := range tables {
		more, err := enter(ctx, c, tables[i].sessions-len(conns))
		if err != nil {
			return held, err
		}
		conns = append(conns, more...)
		if i == 0 {
			if held.first, err = quick(c.process); err != nil {
				return held, err
			}
		}
		if i == len(tables)-1 {
			if err := held.idle(ctx, c, conns, tables[i].work); err != nil {
				return held, err
			}
		}
		for range o.rounds {
			m, err := measure(ctx, c, conns, tables[i].work, o.duration)
			if err != nil {
				return held, err
			}
			tables[i].add(c, m)
		}
	}
	return held, nil
}

// idle looks at a proxy whose sessions have all asked once and do nothing.
func (h *crowd) idle(ctx context.Context, c contestant, conns []client, w work) error {
	if _, err := measure(ctx, c, conns, w, 0); err != nil {
		return err
	}
	time.Sleep(rest)
	var err error
	if h.held, err = quick(c.process); err != nil {
		return err
	}
	h.cpu, err = idleCPU(c.process)
	return err
}

// each is how many KiB a session takes beside the first.
func (h *crowd) each(sessions int) float64 { return 1024 * (h.held - h.first) / float64(sessions-1) }

// writeCrowds writes the table of many sessions; what they cost stands with what
// grows.
func (r *report) writeCrowds(b *strings.Builder) {
	if len(r.crowds) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s sessions, idle | KiB each | CPU ms/s | MiB with one | MiB with all |\n|---|---:|---:|---:|---:|\n", thousands(r.sessions))
	for _, c := range r.crowds {
		fmt.Fprintf(b, "| %s | %.1f | %.2f | %.0f | %.0f |\n", c.name, c.each(r.sessions), c.cpu, c.first, c.held)
	}
}
