package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// A work is something to measure.
type work struct {
	name, unit string
	// run does it once on a connection and returns how many units that were.
	run func(ctx context.Context, conn *pgconn.PgConn) (int, error)
}

var works = []work{
	{"one row by key, text protocol", "query", simpleQuery},
	{"one row by key, prepared", "query", preparedQuery},
	{"10,000 rows of 8 columns", "row", manyRows},
	{"10,000 rows of 8 columns, COPY", "row", copyRows},
	{"log in, one row, log out", "session", nil}, // see session
}

func simpleQuery(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	_, err := conn.Exec(ctx, fmt.Sprintf("SELECT id, name, mobile FROM customers WHERE id = %d", 1+rand.IntN(customers))).ReadAll()
	return 1, err
}

// preparedName is the statement that worker prepares.
const preparedName = "by_id"

func preparedQuery(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	id := strconv.AppendInt(nil, int64(1+rand.IntN(customers)), 10)
	result := conn.ExecPrepared(ctx, preparedName, [][]byte{id}, nil, nil).Read()
	return 1, result.Err
}

const rowsQuery = "SELECT id, name, mobile, email, birth_date, budget, vip, created_at FROM customers"

func manyRows(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	results := conn.Exec(ctx, rowsQuery)
	rows := 0
	for results.NextResult() {
		for reader := results.ResultReader(); reader.NextRow(); {
			rows++
		}
	}
	return rows, results.Close()
}

func copyRows(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	tag, err := conn.CopyTo(ctx, discard{}, "COPY ("+rowsQuery+") TO STDOUT")
	return int(tag.RowsAffected()), err
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// A measurement is what one contestant did in one round.
type measurement struct {
	units   int
	seconds float64
	cpu     float64 // seconds of the proxy
}

func (m measurement) rate() float64 { return float64(m.units) / m.seconds }
func (m measurement) cost() float64 { return 1e6 * m.cpu / float64(m.units) }

// measure lets clients do a work for a while.
func measure(ctx context.Context, c contestant, w work, o options) (m measurement, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards m and err
	before, err := cpuOf(c.process)
	if err != nil {
		return m, err
	}
	start := time.Now()
	for range o.clients {
		wg.Go(func() {
			units, werr := worker(ctx, c, w, start.Add(o.duration))
			mu.Lock()
			defer mu.Unlock()
			m.units += units
			if err == nil {
				err = werr
			}
		})
	}
	wg.Wait()
	m.seconds = time.Since(start).Seconds()
	after, cerr := cpuOf(c.process)
	if err == nil {
		err = cerr
	}
	m.cpu = after - before
	return m, err
}

// worker is one client.
func worker(ctx context.Context, c contestant, w work, until time.Time) (units int, err error) {
	dsn := proxytest.PostgresDSN(c.address, c.user, sample.Database)
	for w.run == nil && time.Now().Before(until) {
		if err := session(ctx, dsn); err != nil {
			return units, err
		}
		units++
	}
	if w.run == nil {
		return units, nil
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	if _, err := conn.PgConn().Prepare(ctx, preparedName, "SELECT id, name, mobile FROM customers WHERE id = $1", nil); err != nil {
		return 0, err
	}
	for time.Now().Before(until) {
		n, err := w.run(ctx, conn.PgConn())
		if err != nil {
			return units, err
		}
		units += n
	}
	return units, nil
}

// session logs in, asks for a row and logs out.
func session(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = simpleQuery(ctx, conn.PgConn())
	return err
}

// cpuOf is the processor time that a process has used, in seconds.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func cpuOf(process int) (float64, error) {
	if process == 0 {
		return 0, nil
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", process, data)
	}
	const ticks = 100 // per second: USER_HZ, the same on every Linux
	total := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return float64(total) / ticks, nil
}

// residentOf is the memory that a process holds, in MiB.
func residentOf(process int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(rest + " ?")[0], 64)
	return kib / 1024, err
}
