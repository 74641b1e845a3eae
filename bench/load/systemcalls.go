package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ofTime are the system calls that the runtime makes as time passes: to sleep, to
// interrupt what runs for long, to give memory back. A busy machine has more of them
// a query.
var ofTime = []string{"nanosleep", "restart_syscall", "sched_yield", "getpid", "tgkill", "rt_sigreturn", "madvise"}

// systemCalls counts those of the program with strace, which takes so long that time
// alone would make most of them otherwise; see ofTime.
// https://man7.org/linux/man-pages/man1/strace.1.html
func (c *counting) systemCalls(ctx context.Context, w counted, runs int) (done, error) {
	file := filepath.Join(c.directory, "strace")
	cmd := exec.Command("strace", "-c", "-f", "-q", "-U", "name,calls", "-o", file, "-p", strconv.Itoa(c.plain.Process.Pid))
	if err := cmd.Start(); err != nil {
		return done{}, err
	}
	time.Sleep(time.Second) // until it is attached
	units, err := c.session(ctx, c.plain, w.run, runs)
	err = errors.Join(err, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait() // interrupted
	if err != nil {
		return done{}, err
	}
	out, err := os.ReadFile(file)
	if err != nil {
		return done{}, err
	}
	calls, err := sumSystemCalls(string(out))
	return done{calls, units}, err
}

// sumSystemCalls adds up a table of names and numbers, with a line for the total; it
// is an error when that is not there, as strace then did not count.
func sumSystemCalls(out string) (sum float64, err error) {
	const (
		rule  = "-"
		title = "syscall"
		total = "total"
	)
	whole := false
	for line := range strings.Lines(out) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		whole = whole || name == total
		if name == title || name == total || strings.HasPrefix(name, rule) || slices.Contains(ofTime, name) {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			return 0, fmt.Errorf("strace wrote %q", line)
		}
		sum += n
	}
	if !whole {
		return 0, errors.New("strace counted nothing; may it trace a process of its own user here (kernel.yama.ptrace_scope)?")
	}
	return sum, nil
}
