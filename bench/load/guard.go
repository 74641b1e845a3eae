package main

import (
	"bufio"
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

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
)

// A count is something that a busy machine does not change, per query or row.
type count struct {
	name  string
	value float64
}

// A counted is a work of the guard: enough of it for what the program does besides
// to be little of it.
type counted struct {
	name string
	runs int
	run  func(ctx context.Context, conn client) (int, error)
}

var countedPostgres = []counted{
	{"query, simple", 3000, onPostgres(simpleQuery)},
	{"query, extended", 3000, onPostgres(extendedQuery)},
	{"query, prepared", 3000, onPostgres(preparedQuery)},
	{"row, text", 3, onPostgres(rowsOf("SELECT * FROM customers LIMIT 100000"))},
	{"row, COPY", 3, onPostgres(copyOf("COPY (SELECT * FROM customers LIMIT 100000) TO STDOUT"))},
}

// rowsOf reads the result of a query.
func rowsOf(text string) func(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	return func(ctx context.Context, conn *pgconn.PgConn) (int, error) {
		results, err := conn.Exec(ctx, text).ReadAll()
		if err != nil {
			return 0, err
		}
		return len(results[0].Rows), nil
	}
}

// copyOf reads what a COPY sends.
func copyOf(text string) func(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	return func(ctx context.Context, conn *pgconn.PgConn) (int, error) {
		tag, err := conn.CopyTo(ctx, discard{}, text)
		return int(tag.RowsAffected()), err
	}
}

// slack is how much more than the baseline is no change for the worse. The same
// program takes instructions within a thousandth, but allocates more or less with
// what its background work finds to do meanwhile.
var slack = map[string]float64{"instructions": 0.05, "allocations": 0.30, "system calls": 0.30}

// guard counts, and compares with a baseline or replaces it.
func guard(ctx context.Context, measured []*engine, path string, update bool) error {
	var counts []count
	for _, e := range measured {
		c, err := countAll(ctx, e)
		if err != nil {
			return err
		}
		counts = append(counts, c...)
	}
	if update {
		return updateBaseline(path, counts)
	}
	baseline, err := readBaseline(path)
	if err != nil {
		return err
	}
	worse := 0
	for _, c := range counts {
		was, ok := baseline[c.name]
		_, metric, _ := strings.Cut(c.name, ": ")
		verdict := ""
		if !ok || c.value > was*(1+slack[metric])+0.1 {
			verdict = "worse"
			worse++
		}
		fmt.Printf("%-40s %12.2f, baseline %12.2f %s\n", c.name, c.value, was, verdict)
	}
	if worse > 0 {
		return fmt.Errorf("%d counts are worse than %s says", worse, path)
	}
	return nil
}

// updateBaseline puts counts into a file; what it says of other things stays.
func updateBaseline(path string, counts []count) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := slices.Collect(strings.Lines(string(old)))
	for _, c := range counts {
		name := c.name + "\t"
		line := fmt.Sprintf("%s%.2f\n", name, c.value)
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name) })
		if at < 0 {
			lines = append(lines, line)
		} else {
			lines[at] = line
		}
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644)
}

func readBaseline(path string) (map[string]float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	baseline := make(map[string]float64)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "\t")
		if baseline[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return baseline, lines.Err()
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
	empty, err := l.instructions(ctx, func(context.Context, client) (int, error) { return 1, nil }, 1)
	if err != nil {
		return nil, err
	}
	for _, w := range e.counted {
		allocations, err := l.countDuring(ctx, p, w.run, w.runs, func() (func() (float64, error), error) { return allocationsOf(p) })
		if err != nil {
			return nil, fmt.Errorf("%s: allocations: %w", w.name, err)
		}
		calls, err := l.countDuring(ctx, p, w.run, w.runs, func() (func() (float64, error), error) { return l.systemCallsOf(p) })
		if err != nil {
			return nil, fmt.Errorf("%s: system calls: %w", w.name, err)
		}
		all, err := l.instructions(ctx, w.run, w.runs)
		if err != nil {
			return nil, fmt.Errorf("%s: instructions: %w", w.name, err)
		}
		counts = append(counts,
			count{w.name + ": instructions", (all.total - empty.total) / all.units},
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

// countDuring starts a count, does a work, and returns what was counted for each
// unit.
func (l *lab) countDuring(ctx context.Context, p *proxytest.Sqlveil, run func(context.Context, client) (int, error), runs int, start func() (func() (float64, error), error)) (float64, error) {
	if _, err := l.session(ctx, p, run, 1); err != nil { // what is done once
		return 0, err
	}
	stop, err := start()
	if err != nil {
		return 0, err
	}
	units, err := l.session(ctx, p, run, runs)
	total, serr := stop()
	return total / units, errors.Join(err, serr)
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

// instructions counts those of a proxy that does a work and nothing else, on
// valgrind's machine.
// https://valgrind.org/docs/manual/cg-manual.html
func (l *lab) instructions(ctx context.Context, run func(context.Context, client) (int, error), runs int) (e executed, err error) {
	file, script := filepath.Join(l.directory, "cachegrind"), filepath.Join(l.directory, "counted")
	text := fmt.Sprintf("#!/bin/sh\nGOMAXPROCS=1 exec valgrind -q --tool=cachegrind --cache-sim=no --cachegrind-out-file=%s %s \"$@\"\n", file, l.program)
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
