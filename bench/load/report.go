package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A report gathers what was measured, in the order of its tables.
type report struct {
	engine *engine
	head   []string // what it was measured on
	idle   []idle
	rested map[string]float64 // MiB that each proxy held when all was over, by contestant
	small  []table            // one for each work and number of sessions
	large  []table
	logins table
	tls    []table
	growth []growth

	sessions int // of the crowd
	crowds   []crowd
}

// A table is one work done by all contestants.
type table struct {
	work     work
	sessions int
	names    []string // of the contestants
	seen     map[string][]measurement
}

func newTable(w work, sessions int) table {
	return table{work: w, sessions: sessions, seen: make(map[string][]measurement)}
}

func (t *table) add(c contestant, m measurement) {
	if t.seen[c.name] == nil {
		t.names = append(t.names, c.name)
	}
	t.seen[c.name] = append(t.seen[c.name], m)
}

// floorName is the contestant that all others are compared with.
const floorName = "go-copy"

// median of a value over the rounds.
func (t *table) median(name string, value func(measurement) float64) float64 {
	var values []float64
	for _, m := range t.seen[name] {
		values = append(values, value(m))
	}
	return medianOf(values)
}

// ratio is the median of the ratios of each round to another contestant.
func (t *table) ratio(name, to string, value func(measurement) float64) float64 {
	var values []float64
	for i, m := range t.seen[name] {
		values = append(values, value(m)/value(t.seen[to][i]))
	}
	return medianOf(values)
}

func medianOf(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// newReport notes what everything runs on.
func newReport(ctx context.Context, l *lab) (*report, error) {
	conn, err := l.engine.login(ctx, l.contestants[0])
	if err != nil {
		return nil, err
	}
	version, err := conn.ask(ctx, l.engine.version)
	if err := errors.Join(err, conn.leave(ctx)); err != nil {
		return nil, err
	}
	r := &report{engine: l.engine, head: []string{
		fmt.Sprintf("%s, commit %s", time.Now().UTC().Format("2006-01-02 15:04 UTC"), firstLine("git", "rev-parse", "--short", "HEAD")),
		fmt.Sprintf("%d cores of %s, Linux %s, load average before %s", runtime.NumCPU(), processor(), firstLine("uname", "-r"), loadAverage()),
		fmt.Sprintf("%s %s, %s", l.engine.title, version, runtime.Version()),
	}}
	for _, p := range l.peers {
		if p.name == "pgbouncer" || p.name == "haproxy" {
			r.head = append(r.head, firstLine(p.cmd.Path, map[string]string{"pgbouncer": "-V", "haproxy": "-v"}[p.name]))
		}
	}
	return r, nil
}

// firstLine is the first line that a command prints, or why it printed none.
func firstLine(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return fmt.Sprintf("%s: %v", filepath.Base(name), err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err.Error()
	}
	_, rest, _ := strings.Cut(string(info), "model name\t: ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// write prints the report, and puts it and its chart into a directory.
func (r *report) write(directory string) error {
	text := r.markdown()
	fmt.Print(text)
	if directory == "" {
		return nil
	}
	name := filepath.Join(directory, r.engine.name+"-"+time.Now().UTC().Format("20060102-1504"))
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	text += fmt.Sprintf("\n![chart](%s.svg)\n", filepath.Base(name))
	if err := os.WriteFile(name+".md", []byte(text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(name+".svg", []byte(r.chart()), 0o644)
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What sqlveil costs in front of %s\n\n", r.engine.title)
	for _, line := range append(r.head, "load average behind "+loadAverage()) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString(`
Client, proxy and server share the machine. CPU is the processor time of the proxy process alone, user and system.
"x" is the ratio to go-copy in the same round. Every statement through sqlveil is planned, masked and on record.
`)
	r.writeIdle(&b)
	for _, t := range r.small {
		t.write(&b, "CPU s / 1,000", 1e-3, false)
	}
	for _, t := range r.large {
		t.write(&b, "CPU s / 1 M", 1, true)
	}
	r.logins.write(&b, "CPU s / 1,000", 1e-3, false)
	r.writeTLS(&b)
	r.writeCrowds(&b)
	for _, g := range r.growth {
		g.write(&b)
	}
	return b.String()
}

func plural(unit string) string {
	if stem, ok := strings.CutSuffix(unit, "y"); ok {
		return stem + "ies"
	}
	return unit + "s"
}

// write writes a table; scale makes microseconds a unit what cost is called.
func (t *table) write(b *strings.Builder, cost string, scale float64, rows bool) {
	if len(t.names) == 0 {
		return
	}
	last := "p50 ms | p99 ms"
	if rows {
		last = "CPU x go-mask | MiB more, of most"
	}
	fmt.Fprintf(b, "\n| %s, %d session(s) | %s | x | %s/s | x | %s |\n|---|---:|---:|---:|---:|---:|---:|\n", t.work.name, t.sessions, cost, plural(t.work.unit), last)
	for _, name := range t.names {
		fmt.Fprintf(b, "| %s |", name)
		if name == "direct" {
			b.WriteString(" | |")
		} else {
			fmt.Fprintf(b, " %.3f | %.2f |", scale*t.median(name, measurement.cost), t.ratio(name, floorName, measurement.cost))
		}
		fmt.Fprintf(b, " %.0f | %.2f |", t.median(name, measurement.rate), t.ratio(name, floorName, measurement.rate))
		switch {
		case !rows:
			fmt.Fprintf(b, " %.2f | %.2f |\n", t.median(name, measurement.p50), t.median(name, measurement.p99))
		case name == "direct":
			b.WriteString(" | |\n")
		default:
			fmt.Fprintf(b, " %.2f | %.0f of %.0f |\n", t.ratio(name, "go-mask", measurement.cost), t.median(name, measurement.rise), t.median(name, measurement.most))
		}
	}
}
