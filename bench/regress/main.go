// Regress runs PostgreSQL's own regression files with psql, as pg_regress does,
// directly and through sqlveil as a role that sees everything, and compares what
// psql prints, file by file.
//
// Everything runs directly twice: a file whose two direct runs differ says
// nothing about the proxy; it is left out and counted. The files come from
// Debian's source package of the server that is installed.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sqlveil/proxy/proxytest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cache := flag.String("cache", ".tools/regress", "where the sources are kept")
	keep := flag.String("keep", "", "a directory to leave the outputs in")
	jobs := flag.Int("jobs", 4, "files that run at the same time, where the schedule allows it")
	sourcesOnly := flag.Bool("sources", false, "get the sources, print where src/test/regress is, and run nothing")
	flag.Parse()
	if *sourcesOnly {
		_, directory, err := sources(ctx, *cache)
		if err != nil {
			fmt.Fprintln(os.Stderr, "regress:", err)
			os.Exit(1)
		}
		fmt.Println(filepath.Join(directory, "src/test/regress"))
		return
	}
	differing, err := regress(ctx, *cache, *keep, *jobs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "regress:", err)
		os.Exit(1)
	}
	if differing > 0 {
		os.Exit(1)
	}
}

// regress runs everything and returns how many files differ.
func regress(ctx context.Context, cache, keep string, jobs int) (differing int, err error) {
	work, err := os.MkdirTemp("/tmp", "sqlveil-regress-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := os.Chmod(work, 0o755); err != nil { // the server reads files there
		return 0, err
	}
	suite, err := openSuite(ctx, cache, work)
	if err != nil {
		return 0, err
	}
	program := filepath.Join(work, "sqlveil")
	if err := proxytest.BuildSqlveil(program); err != nil {
		return 0, err
	}
	var runs []map[string][]byte
	for _, r := range []struct {
		name  string
		proxy string // the program to go through, "" for none
	}{{"direct", ""}, {"direct again", ""}, {"through sqlveil", program}} {
		outputs, took, err := suite.run(ctx, r.proxy, jobs)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Printf("%s: %d files in %.0f s\n", r.name, len(outputs), took.Seconds())
		if err := keepOutputs(keep, r.name, outputs); err != nil {
			return 0, err
		}
		runs = append(runs, outputs)
	}
	return report(suite, runs[0], runs[1], runs[2]), nil
}

func keepOutputs(keep, run string, outputs map[string][]byte) error {
	if keep == "" {
		return nil
	}
	dir := filepath.Join(keep, strings.ReplaceAll(run, " ", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for file, output := range outputs {
		if err := os.WriteFile(filepath.Join(dir, file+".out"), output, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// report prints what differs and a summary.
func report(s *suite, direct, again, through map[string][]byte) (differing int) {
	same, unstable, expected := 0, 0, 0
	for _, file := range slices.Concat(s.schedule...) {
		switch {
		case bytes.Equal(through[file], direct[file]) || bytes.Equal(through[file], again[file]):
			same++
		case !bytes.Equal(direct[file], again[file]):
			unstable++
			fmt.Printf("left out %s: two direct runs differ: %s\n", file, firstDifference(direct[file], again[file]))
		default:
			differing++
			fmt.Printf("DIFFERS %s: %s\n", file, firstDifference(direct[file], through[file]))
		}
		if s.isExpected(file, direct[file]) {
			expected++
		}
	}
	fmt.Printf("regress: %d files: %d the same, %d differ, %d left out; %d are directly as PostgreSQL expects them\n",
		same+differing+unstable, same, differing, unstable, expected)
	return differing
}

func firstDifference(a, b []byte) string {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return fmt.Sprintf("line %d: %.140q and %.140q", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(x), len(y))
}
