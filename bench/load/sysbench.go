package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"sqlveil/proxy/proxytest"
)

// How many transactions sysbench does: in one session, and in more together.
var (
	pointSelects = [2]int{3000, 12_000}
	readOnly     = [2]int{200, 800}
)

// sysbench lets sysbench do one of its tests. Its sessions are open, with what they
// prepare, when the count begins.
// https://github.com/akopytov/sysbench
func sysbench(test, prepared string, transactions [2]int) func(ctx context.Context, c contestant, sessions int) (measurement, error) {
	return func(ctx context.Context, c contestant, sessions int) (m measurement, err error) {
		host, port, err := net.SplitHostPort(c.address)
		if err != nil {
			return m, err
		}
		events := transactions[0]
		if sessions > 1 {
			events = transactions[1]
		}
		cmd := exec.CommandContext(ctx, "sysbench", test, "--db-driver=mysql", "--mysql-host="+host, "--mysql-port="+port,
			"--mysql-user="+c.user, "--mysql-password="+proxytest.Password(c.user), "--mysql-db="+database,
			"--tables=1", "--table-size="+strconv.Itoa(accounts), "--db-ps-mode="+prepared, "--threads="+strconv.Itoa(sessions),
			"--time=0", "--events="+strconv.Itoa(events), "--histogram=on", "run")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return m, err
		}
		if err := cmd.Start(); err != nil {
			return m, err
		}
		m, err = followSysbench(c, out)
		return m, errors.Join(err, cmd.Wait())
	}
}

// followSysbench reads what sysbench says, and takes the time and the processor
// time from where its threads have started.
func followSysbench(c contestant, out io.Reader) (m measurement, err error) {
	var begun time.Time
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		said = append(said, line)
		if line == "Threads started!" {
			begun = time.Now()
			if m.cpu, err = cpuOf(c.process); err != nil {
				return m, err
			}
		}
		if took, times, ok := histogramLine(line); ok {
			m.units += times
			m.took = append(m.took, slices.Repeat([]time.Duration{took}, times)...)
		}
	}
	m.seconds = time.Since(begun).Seconds()
	if m.units == 0 || begun.IsZero() {
		return m, fmt.Errorf("sysbench said %q: %w", said, errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	after, err := cpuOf(c.process)
	m.cpu = after - m.cpu
	return m, err
}

// histogramLine reads a line of the histogram: milliseconds, a bar, how many
// transactions took so long.
func histogramLine(line string) (took time.Duration, times int, ok bool) {
	value, bar, found := strings.Cut(line, "|")
	fields := strings.Fields(bar)
	if !found || len(fields) == 0 {
		return 0, 0, false
	}
	ms, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0, 0, false
	}
	times, err = strconv.Atoi(fields[len(fields)-1])
	return time.Duration(ms * float64(time.Millisecond)), times, err == nil
}
