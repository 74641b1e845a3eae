package main

import (
	"fmt"
	"math"
	"strings"
)

// Sizes of the chart, in pixels.
const (
	chartWidth = 860
	labelWidth = 200
	barWidth   = 480
	barHeight  = 16
	plotHeight = 150
)

// A drawing is an SVG that grows downwards.
type drawing struct {
	strings.Builder
	y int
}

func (d *drawing) text(x int, size int, format string, args ...any) {
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(fmt.Sprintf(format, args...))
	fmt.Fprintf(d, `<text x="%d" y="%d" font-size="%d">%s</text>`+"\n", x, d.y, size, text)
}

// chart draws the processor time of each contestant against go-copy's, and what
// grows.
func (r *report) chart() string {
	var d drawing
	d.y = 28
	d.text(10, 17, "Processor time of the proxy, as a multiple of go-copy's")
	for _, tables := range [][]table{r.small, r.large, {r.logins}} {
		for i := range tables {
			if t := &tables[i]; t.work.unit == "row" || t.sessions == 8 {
				d.bars(t)
			}
		}
	}
	d.y += 30
	if len(r.growth) > 0 {
		d.text(10, 17, "Processor time of a query while something grows, in microseconds")
	}
	for i := range r.growth {
		d.plot(&r.growth[i])
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif">`+"\n"+
		`<rect width="100%%" height="100%%" fill="white"/>`+"\n%s</svg>\n", chartWidth, d.y+20, d.String())
}

// bars draws one bar for each contestant.
func (d *drawing) bars(t *table) {
	d.y += 30
	d.text(10, 13, "%s, %d session(s)", t.work.name, t.sessions)
	most := 1.0
	for _, name := range t.names {
		if name != "direct" {
			most = max(most, t.ratio(name, floorName, measurement.cost))
		}
	}
	for _, name := range t.names {
		if name == "direct" {
			continue
		}
		ratio := t.ratio(name, floorName, measurement.cost)
		fill := "#9aa5b1"
		if strings.HasPrefix(name, "sqlveil") {
			fill = "#2f6fb2"
		}
		d.y += barHeight + 4
		d.text(20, 12, "%s", name)
		fmt.Fprintf(d, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n",
			labelWidth, d.y-barHeight+4, int(barWidth*ratio/most), barHeight, fill)
		d.text(labelWidth+int(barWidth*ratio/most)+6, 12, "%.2f", ratio)
	}
}

// plot draws one growth, sizes on a logarithmic axis.
func (d *drawing) plot(g *growth) {
	d.y += 30
	d.text(10, 13, "%s", g.name)
	top := d.y + 10
	d.y = top + plotHeight
	most := 0.0
	for _, p := range g.points {
		most = max(most, p.cpu)
	}
	first, last := scale(g.points[0].size), scale(g.points[len(g.points)-1].size)
	var line []string
	for _, p := range g.points {
		x := labelWidth + int(barWidth*(scale(p.size)-first)/(last-first))
		y := d.y - int(float64(plotHeight)*p.cpu/most*0.85)
		line = append(line, fmt.Sprintf("%d,%d", x, y))
		fmt.Fprintf(d, `<circle cx="%d" cy="%d" r="3" fill="#2f6fb2"/><text x="%d" y="%d" font-size="11">%.1f</text><text x="%d" y="%d" font-size="11">%d</text>`+"\n",
			x, y, x-10, y-7, p.cpu, x-8, d.y+14, p.size)
	}
	fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="#2f6fb2"/>`+"\n", strings.Join(line, " "))
	fmt.Fprintf(d, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#888"/>`+"\n", labelWidth, d.y, labelWidth+barWidth, d.y)
	d.y += 20
}

// scale is where a size lies on the axis.
func scale(size int) float64 { return math.Log10(float64(size) + 1) }
