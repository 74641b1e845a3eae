package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"sqlveil/auditlog/review"
)

// A format is how answers are printed.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
	asCSV   format = "csv"
)

func (f *format) flag(cmd *cobra.Command) {
	*f = asTable
	cmd.Flags().VarP(f, "output", "o", "how to print: table, json or csv")
}

// Set is for the command line.
func (f *format) Set(text string) error {
	switch format(text) {
	case asTable, asJSON, asCSV:
		*f = format(text)
		return nil
	}
	return fmt.Errorf("%q is not table, json or csv", text)
}

// String is for the command line.
func (f *format) String() string { return string(*f) }

// Type is for the command line.
func (f *format) Type() string { return "format" }

// print prints a table in the format.
func (f format) print(to io.Writer, t *review.Table) error {
	switch f {
	case asJSON:
		return printTableJSON(to, t)
	case asCSV:
		return printTableCSV(to, t)
	}
	g := newGrid(t.Columns...)
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = visible(cellText(cell, timeFormat))
		}
		g.add(cells...)
	}
	g.print(to)
	_, err := fmt.Fprintln(to, count(len(t.Rows), "row"))
	return err
}

// cellText is a cell as text.
func cellText(cell any, layout string) string {
	switch c := cell.(type) {
	case time.Time:
		return c.Local().Format(layout)
	case int64:
		return strconv.FormatInt(c, 10)
	}
	return fmt.Sprint(cell)
}

// visible spells out what a terminal would obey or hide: what stands in the log
// came from clients.
func visible(text string) string {
	safe := func(r rune) bool { return unicode.IsPrint(r) }
	if strings.IndexFunc(text, func(r rune) bool { return !safe(r) }) < 0 {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if safe(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "\\u%04x", r)
		}
	}
	return out.String()
}

func printTableJSON(to io.Writer, t *review.Table) error {
	for _, row := range t.Rows {
		line := []byte{'{'}
		for i, cell := range row {
			if i > 0 {
				line = append(line, ',')
			}
			if at, ok := cell.(time.Time); ok {
				cell = at.Local()
			}
			value, err := json.Marshal(cell)
			if err != nil {
				return err
			}
			line = append(append(strconv.AppendQuote(line, t.Columns[i]), ':'), value...)
		}
		if _, err := to.Write(append(line, "}\n"...)); err != nil {
			return err
		}
	}
	return nil
}

func printTableCSV(to io.Writer, t *review.Table) error {
	out := csv.NewWriter(to)
	if err := out.Write(t.Columns); err != nil {
		return err
	}
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = inert(cellText(cell, time.RFC3339Nano))
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// inert keeps a spreadsheet from taking a text for a formula.
// https://owasp.org/www-community/attacks/CSV_Injection
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return "'" + text
		}
	}
	return text
}
