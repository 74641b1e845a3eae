package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"sqlveil/proxy/proxytest"
)

// mallocsSource is a file that makes the program tell how much it has allocated. What
// /metrics says of that is not exact: the runtime counts small objects there once it
// has filled a piece of memory with them, thousands at a time.
//
//go:embed testdata/mallocs.go
var mallocsSource []byte

// buildTelling builds the program with mallocsSource among its files.
// https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies (-overlay)
func buildTelling(directory string) (program string, err error) {
	sources, err := exec.Command("go", "list", "-f", "{{.Dir}}", "sqlveil/proxy").Output()
	if err != nil {
		return "", fmt.Errorf("where the program's files are: %w", err)
	}
	source, overlay := filepath.Join(directory, "mallocs.go"), filepath.Join(directory, "overlay.json")
	if err := os.WriteFile(source, mallocsSource, 0o600); err != nil {
		return "", err
	}
	added := filepath.Join(strings.TrimSpace(string(sources)), "mallocs.go")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {added: source}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(directory, "telling")
	return program, proxytest.BuildSqlveil(program, "-overlay", overlay)
}

// startTelling starts such a program. It collects no garbage, as a collection empties
// pools, which then allocate anew.
func (l *lab) startTelling() (*proxytest.Sqlveil, error) {
	program, err := buildTelling(l.directory)
	if err != nil {
		return nil, err
	}
	return l.startProxy(program, "spool", l.engine.policy, "GOGC=off", "MALLOCS="+l.mallocsSocket())
}

func (l *lab) mallocsSocket() string { return filepath.Join(l.directory, "mallocs") }

// allocations counts what the telling program allocates.
func (c *counting) allocations(ctx context.Context, w counted, runs int) (done, error) {
	before, err := c.mallocs()
	if err != nil {
		return done{}, err
	}
	units, err := c.session(ctx, c.telling, w.run, runs)
	if err != nil {
		return done{}, err
	}
	after, err := c.mallocs()
	return done{after - before, units}, err
}

// mallocs asks it.
func (l *lab) mallocs() (float64, error) {
	conn, err := net.Dial("unix", l.mallocsSocket())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(text), 64)
}
