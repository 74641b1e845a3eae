package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// An idle is the memory of sessions that do nothing.
type idle struct {
	name string
	held []float64 // MiB of the proxy with so many sessions as idleSessions says
	cpu  float64   // milliseconds of the proxy in a second, all sessions being idle
}

// idleSessions is how many sessions are idle at a time.
var idleSessions = []int{1, 8, 64, 512}

// rest is how long a proxy is left alone before its memory is looked at that may
// give back what it took to log sessions in; breath is for the quick look.
const (
	rest   = 6 * time.Second
	breath = time.Second
)

// measureIdle opens sessions that have prepared statements, and looks at the
// memory of each proxy; of those who are the same process once, since the second
// would find what the first has left.
func (r *report) measureIdle(ctx context.Context, l *lab, _ options) error {
	time.Sleep(rest) // for what they took to start
	seen := make(map[int]bool)
	for _, c := range l.contestants {
		if c.process == 0 || c.forRows || seen[c.process] {
			continue
		}
		seen[c.process] = true
		i, err := idleOf(ctx, c)
		if err != nil {
			return fmt.Errorf("idle, %s: %w", c.name, err)
		}
		r.idle = append(r.idle, i)
	}
	return nil
}

// idleCPU is how many milliseconds of a second a process takes now.
func idleCPU(process int) (float64, error) {
	before, err := cpuOf(process)
	if err != nil {
		return 0, err
	}
	time.Sleep(rest)
	after, err := cpuOf(process)
	return 1e3 * (after - before) / rest.Seconds(), err
}

// idleOf opens more and more sessions of one contestant.
func idleOf(ctx context.Context, c contestant) (i idle, err error) {
	i.name = c.name
	var conns []client
	defer func() { leave(ctx, conns) }()
	for n, sessions := range idleSessions {
		more, err := connect(ctx, c, sessions-len(conns))
		if err != nil {
			return i, err
		}
		conns = append(conns, more...)
		if n == len(idleSessions)-1 {
			time.Sleep(rest)
		}
		held, err := quick(c.process)
		if err != nil {
			return i, err
		}
		i.held = append(i.held, held)
	}
	i.cpu, err = idleCPU(c.process)
	return i, err
}

// quick is the resident memory of a process in MiB as it is in a moment.
func quick(process int) (float64, error) {
	time.Sleep(breath)
	return residentOf(process, "VmRSS")
}

// each is how many KiB a session takes beside the first.
func (i *idle) each() float64 {
	last := len(idleSessions) - 1
	return 1024 * (i.held[last] - i.held[0]) / float64(idleSessions[last]-idleSessions[0])
}

// writeIdle writes the table of idle sessions.
func (r *report) writeIdle(b *strings.Builder) {
	if len(r.idle) == 0 {
		return
	}
	b.WriteString("\n| idle sessions: resident MiB |")
	for _, sessions := range idleSessions {
		fmt.Fprintf(b, " with %d |", sessions)
	}
	b.WriteString(" KiB each | CPU ms/s | MiB when all is over |\n|---|" + strings.Repeat("---:|", len(idleSessions)+3) + "\n")
	for _, i := range r.idle {
		fmt.Fprintf(b, "| %s |", i.name)
		for _, mib := range i.held {
			fmt.Fprintf(b, " %.1f |", mib)
		}
		fmt.Fprintf(b, " %.1f | %.2f |", i.each(), i.cpu)
		if held, ok := r.rested[i.name]; ok {
			fmt.Fprintf(b, " %.0f", held)
		}
		b.WriteString(" |\n")
	}
}
