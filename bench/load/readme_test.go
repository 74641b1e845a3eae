package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var requote = flag.Bool("readme", false, "put the figures of the latest results into the README")

// quotedEngines are whose results the README's tables quote, in their order.
var quotedEngines = []string{postgresql.name, "mariadb"}

// quotedColumns are the contestants as the README calls them.
var quotedColumns = map[string]string{
	"PgBouncer": "pgbouncer", "HAProxy": "haproxy",
	"clear": "sqlveil, clear", "masked": "sqlveil, masked", "masked, `spool`": "sqlveil, masked, spool",
}

// quotedRows are the tables of the results as the README calls them.
var quotedRows = map[string]string{
	"one row by key, simple protocol":              "one row by key, simple, 8 session(s)",
	"one row by key, extended protocol":            "one row by key, extended, 8 session(s)",
	"one row by key, prepared":                     "one row by key, prepared, 8 session(s)",
	"the same with masked columns":                 "one row by key with masked columns, prepared, 8 session(s)",
	"oltp_point_select, text":                      "sysbench oltp_point_select, text, 8 session(s)",
	"oltp_point_select, prepared":                  "sysbench oltp_point_select, prepared, 8 session(s)",
	"oltp_read_only, text":                         "sysbench oltp_read_only, text, 8 session(s)",
	"oltp_read_only, prepared":                     "sysbench oltp_read_only, prepared, 8 session(s)",
	"one row by key with masked columns, text":     "one row by key with masked columns, text, 8 session(s)",
	"one row by key with masked columns, prepared": "one row by key with masked columns, prepared, 8 session(s)",
	"large result, text (x go-mask)":               "rows of 8 columns, text, 1 session(s)",
	"large result, binary (x go-mask)":             "rows of 8 columns, binary, 1 session(s)",
	"large result, COPY (x go-mask)":               "rows of 8 columns, COPY, 1 session(s)",
	"log in, one row, log out":                     "log in, one row, log out, 8 session(s)",
}

// cellsOf are the cells of a line of a table.
func cellsOf(line string) (cells []string) {
	for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells
}

// latest is the newest result of an engine.
func latest(t *testing.T, engine string) string {
	t.Helper()
	names, err := filepath.Glob("../results/" + engine + "-*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no results of %s: %v", engine, err)
	}
	text, err := os.ReadFile(slices.Max(names))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// figure is what results say of a contestant in a table: its processor time as a
// multiple of the floor's.
func figure(t *testing.T, results, table, contestant string, ofMask bool) string {
	t.Helper()
	const ratio, ratioToMask = 2, 5
	_, rest, found := strings.Cut(results, "\n| "+table+" |")
	rest, _, _ = strings.Cut(rest, "\n\n")
	_, line, known := strings.Cut(rest, "\n| "+contestant+" |")
	if !found || !known {
		t.Fatalf("the results have no %q of %q", table, contestant)
	}
	line, _, _ = strings.Cut(line, "\n")
	column := ratio
	if ofMask {
		column = ratioToMask
	}
	return cellsOf("x |" + line)[column]
}

// quote puts the results' figures into the README's tables.
func quote(t *testing.T, readme string) string {
	t.Helper()
	lines := strings.Split(readme, "\n")
	var results string
	var columns []string
	tables := 0
	for i, line := range lines {
		cells := cellsOf(line)
		table, ok := quotedRows[cells[0]]
		switch {
		case strings.HasPrefix(line, "| processor time of the proxy"):
			results, columns = latest(t, quotedEngines[tables]), cells
			tables++
		case ok && strings.HasPrefix(line, "|"):
			for j := 1; j < len(cells); j++ {
				cells[j] = figure(t, results, table, quotedColumns[columns[j]], strings.Contains(cells[0], "go-mask"))
			}
			lines[i] = "| " + strings.Join(cells, " | ") + " |"
		}
	}
	if tables != len(quotedEngines) {
		t.Fatalf("the README has %d tables of costs, not %d", tables, len(quotedEngines))
	}
	return strings.Join(lines, "\n")
}

// The README quotes the latest results; with -readme it is made to.
func TestReadmeQuotesTheResults(t *testing.T) {
	const path = "../../README.md"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := quote(t, string(readme))
	if *requote {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got := strings.Split(string(readme), "\n")
	for i, line := range strings.Split(want, "\n") {
		if got[i] != line {
			t.Errorf("README.md:%d: got %s, want %s (go test ./bench/load -run Readme -readme)", i+1, got[i], line)
		}
	}
}
