package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// A grid is a table for people, its columns aligned by how wide the characters
// show: East Asian ones take two places.
type grid struct{ rows [][]string }

func newGrid(heading ...string) *grid { return &grid{rows: [][]string{heading}} }

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// print writes the grid, if it has more than a heading.
func (g *grid) print(to io.Writer) {
	if len(g.rows) == 1 {
		return
	}
	widths := make([]int, len(g.rows[0]))
	for _, row := range g.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, row := range g.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString("  " + cell + strings.Repeat(" ", widths[i]-width(cell)))
		}
		fmt.Fprintln(to, strings.TrimRight(line.String(), " "))
	}
}

// width is how many places a text takes on a terminal.
// https://www.unicode.org/reports/tr11/
func width(text string) int {
	places := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Cf, r):
		case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
			r >= 0x3000 && r <= 0x303f, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
			places += 2
		default:
			places++
		}
	}
	return places
}
