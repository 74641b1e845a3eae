package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// instructions counts those of a program that does a work and nothing else, on
// valgrind's machine. There is no garbage collection: whether one more or one less
// falls into a run is the largest difference between two runs, and allocations are
// counted by themselves.
// https://valgrind.org/docs/manual/cg-manual.html
func (c *counting) instructions(ctx context.Context, w counted, runs int) (done, error) {
	file, script := filepath.Join(c.directory, "cachegrind"), filepath.Join(c.directory, "counted")
	text := fmt.Sprintf("#!/bin/sh\nexec valgrind -q --tool=cachegrind --cache-sim=no --cachegrind-out-file=%s %s \"$@\"\n", file, c.program)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return done{}, err
	}
	p, err := c.startProxy(script, "spool", c.engine.policy, "GOMAXPROCS=1", "GOGC=off")
	if err != nil {
		return done{}, err
	}
	units, err := c.session(ctx, p, w.run, runs)
	if err := errors.Join(err, p.Stop()); err != nil {
		return done{}, err
	}
	out, err := os.ReadFile(file)
	if err != nil {
		return done{}, err
	}
	executed, err := sumInstructions(string(out))
	return done{executed, units}, err
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
	if total == 0 {
		return 0, errors.New("cachegrind counted nothing")
	}
	return total, nil
}
