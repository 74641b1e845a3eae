package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// attempts are how often a count is taken at the most. What else happens on the
// machine and in the program only adds to one, as when the index of the audit log is
// brought up to date every second or later, so the least is nearest to the truth.
const attempts = 5

// guard counts, and compares with a baseline or replaces it.
func guard(ctx context.Context, measured []*engine, path string, update bool) error {
	baseline, err := readBaseline(path)
	if err != nil {
		return err
	}
	judge := &judge{baseline: baseline, update: update}
	for _, e := range measured {
		if len(e.counted) == 0 {
			continue
		}
		if err := judge.engine(ctx, e); err != nil {
			return err
		}
	}
	if update {
		return updateBaseline(path, judge.counts)
	}
	if judge.worse > 0 {
		return fmt.Errorf("%d counts are worse than %s says", judge.worse, path)
	}
	return nil
}

// A count is what a query or a row takes of something.
type count struct {
	name  string
	value float64
}

// A judge compares counts with a baseline.
type judge struct {
	baseline map[string]float64
	update   bool // the counts are to be the baseline: none is worse
	counts   []count
	worse    int
}

// engine judges all works of an engine.
func (j *judge) engine(ctx context.Context, e *engine) error {
	in, err := startCounting(ctx, e)
	if err != nil {
		return err
	}
	defer in.close()
	for _, w := range e.counted {
		if err := in.warm(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		for i := range counters {
			c := &counters[i]
			name := w.name + ": " + c.metric
			if err := j.count(name, c, func() (pair, error) { return c.take(ctx, in, w) }); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// count judges what take counts, which it may call some times.
func (j *judge) count(name string, c *counter, take func() (pair, error)) error {
	was, known := j.baseline[name]
	good := func(value float64) bool { return known && !j.update && value <= c.most(was) }
	value, err := least(take, good)
	if err != nil {
		return err
	}
	j.counts = append(j.counts, count{name, value})
	verdict := ""
	if !j.update && !good(value) {
		verdict = "worse"
		j.worse++
	}
	fmt.Printf("%-40s %12.2f, baseline %12.2f %s\n", name, value, was, verdict)
	return nil
}

// least counts until what a unit takes is good, and returns what it takes by the least
// of all counts.
func least(take func() (pair, error), good func(float64) bool) (value float64, err error) {
	var all pair
	for i := range attempts {
		p, err := take()
		if err != nil {
			return 0, err
		}
		if i == 0 {
			all = p
		}
		all = all.least(p)
		if value = all.perUnit(); good(value) {
			break
		}
	}
	return value, nil
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
