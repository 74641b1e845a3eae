package main

import (
	"fmt"
	"strings"
)

// A drawing is an SVG, sizes in pixels, y growing downwards.
type drawing struct{ strings.Builder }

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// The ends of a text that can stand at its x.
const (
	left   = "start"
	middle = "middle"
	right  = "end"
)

func (d *drawing) text(x, y, size int, anchor, text string) {
	fmt.Fprintf(d, `<text x="%d" y="%d" font-size="%d" text-anchor="%s">%s</text>`+"\n", x, y, size, anchor, escape.Replace(text))
}

// heading is a text that stands out.
func (d *drawing) heading(x, y, size int, text string) {
	fmt.Fprintf(d, `<text x="%d" y="%d" font-size="%d" font-weight="bold">%s</text>`+"\n", x, y, size, escape.Replace(text))
}

func (d *drawing) bar(x, y, width, height int, fill string) {
	fmt.Fprintf(d, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", x, y, width, height, fill)
}

func (d *drawing) line(x1, y1, x2, y2 int, stroke string) {
	fmt.Fprintf(d, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"/>`+"\n", x1, y1, x2, y2, stroke)
}

// A spot is a place in the drawing.
type spot struct{ x, y int }

// path draws a line through spots, with a dot at each.
func (d *drawing) path(spots []spot, stroke string) {
	var points []string
	for _, s := range spots {
		points = append(points, fmt.Sprintf("%d,%d", s.x, s.y))
		fmt.Fprintf(d, `<circle cx="%d" cy="%d" r="3" fill="%s"/>`+"\n", s.x, s.y, stroke)
	}
	fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), stroke)
}

// whole is the drawing as a file.
func (d *drawing) whole(width, height int) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" font-family="sans-serif" fill="#222">`+"\n"+
		`<rect width="100%%" height="100%%" fill="white"/>`+"\n%[3]s</svg>\n", width, height, d.String())
}
