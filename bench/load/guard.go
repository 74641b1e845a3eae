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

// slack is how much more than the baseline is no change for the worse.
var slack = map[string]float64{"instructions": 0.05, "allocations": 0.30, "system calls": 0.30}

// guard counts, and compares with a baseline or replaces it.
func guard(ctx context.Context, measured []*engine, path string, update bool) error {
	var counts []count
	for _, e := range measured {
		if len(e.counted) == 0 {
			continue
		}
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
