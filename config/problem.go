package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Problem is something wrong in a file, or, as a Warning, something risky.
type Problem struct {
	File         string
	Line, Column int // from 1; 0 for the file as a whole
	Message      string
	Warning      bool
}

// String returns the problem as compilers print theirs, on one line.
func (p Problem) String() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	if p.Warning {
		where += ": warning"
	}
	return strings.Map(printable, where+": "+p.Message)
}

// printable replaces what would tear a line apart or play with a terminal.
func printable(r rune) rune {
	if !unicode.IsGraphic(r) {
		return '�'
	}
	return r
}

// failed reports whether any of the problems is more than a warning.
func failed(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// sortProblems puts problems in the order of the files and drops repetitions.
func sortProblems(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column, cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(problems)
}
