package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the processor time that a process has used, user and system, in
// seconds; 0 for the process 0, which is none. It reads the process's own clock,
// since /proc counts in hundredths of a second.
// https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
func cpuOf(process int) (float64, error) {
	if process == 0 {
		return 0, nil
	}
	const allThreads = 2 // CPUCLOCK_SCHED
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^process<<3|allThreads), &used); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", process, err)
	}
	return time.Duration(used.Nano()).Seconds(), nil
}

// residentOf is the memory that a process holds, in MiB: field is VmRSS, or VmHWM
// for the most it has held since resetPeak.
func residentOf(process int, field string) (float64, error) {
	if process == 0 {
		return 0, nil
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), field+":")
	kib, err := strconv.ParseFloat(strings.Fields(rest + " ?")[0], 64)
	return kib / 1024, err
}

// resetPeak makes VmHWM begin again.
// https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
func resetPeak(process int) error {
	if process == 0 {
		return nil
	}
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", process), []byte("5"), 0)
}
