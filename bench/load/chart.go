package main

import (
	"fmt"
	"strings"
)

// Sizes of the chart, in pixels. Its panels stand in two columns.
const (
	chartWidth  = 940
	margin      = 20
	columnWidth = (chartWidth - 2*margin) / 2
	nameWidth   = 165
	barWidth    = 200
	rowHeight   = 18
	plotWidth   = 320
	plotHeight  = 110
	plotLeft    = 60
)

// farthest is the ratio where the axis of the bars ends; longer bars are cut.
const farthest = 3.0

// colours tell the contestants apart: what is not ours is grey.
var colours = map[string]string{
	"pgbouncer": "#6b7280", "haproxy": "#9ca3af", floorName: "#c4c9d1", "go-frame": "#c4c9d1", "go-mask": "#c4c9d1",
	"sqlveil, clear": "#93c5fd", "sqlveil, masked": "#3b82f6", "sqlveil, masked, spool": "#1e3a8a",
}

// A panel is a part of the chart: its height, and what draws it with its corner there.
type panel struct {
	height int
	draw   func(d *drawing, x, y int)
}

// chart draws the processor time of each contestant against the floor's, the memory of
// a session, and what grows.
func (r *report) chart() string {
	var d drawing
	d.heading(margin, 34, 20, "What sqlveil costs in front of "+r.engine.title)
	y := 54
	for _, line := range r.head {
		d.text(margin, y, 11, left, line)
		y += 15
	}
	y = d.section(y, "Processor time of the proxy, as a multiple of "+floorName+"'s, which only copies bytes; a shorter bar is better", r.barPanels())
	y = d.section(y, "Memory of an idle session in KiB", r.memoryPanels())
	y = d.section(y, "Processor time of the proxy for a query in microseconds, while something grows", r.growthPanels())
	return d.whole(chartWidth, y+margin)
}

// section draws panels in two columns below a heading and returns where they end.
func (d *drawing) section(y int, heading string, panels []panel) int {
	if len(panels) == 0 {
		return y
	}
	y += 26
	d.heading(margin, y, 14, heading)
	y += 12
	for i := 0; i < len(panels); i += 2 {
		height := 0
		for j, p := range panels[i:min(len(panels), i+2)] {
			p.draw(d, margin+j*columnWidth, y)
			height = max(height, p.height)
		}
		y += height
	}
	return y
}

// barPanels are the works of 8 sessions, the large results and the logins.
func (r *report) barPanels() (panels []panel) {
	var shown []*table
	for _, tables := range [][]table{r.small, r.large, {r.logins}, r.tls} {
		for i := range tables {
			if t := &tables[i]; len(t.names) > 0 && (t.work.unit == "row" || t.sessions == growthSessions) {
				shown = append(shown, t)
			}
		}
	}
	for _, t := range shown {
		title := t.work.name
		if t.sessions > 1 {
			title += fmt.Sprintf(", %d sessions", t.sessions)
		}
		var bars []bar
		for _, name := range t.names {
			if name != "direct" {
				bars = append(bars, bar{name, t.ratio(name, floorName, measurement.cost)})
			}
		}
		panels = append(panels, barPanel(title, bars, farthest, "%.2f"))
	}
	return panels
}

// memoryPanels are what sessions that do nothing hold.
func (r *report) memoryPanels() (panels []panel) {
	var few, many []bar
	for _, i := range r.idle {
		few = append(few, bar{i.name, i.each()})
	}
	for _, c := range r.crowds {
		many = append(many, bar{c.name, c.each(r.sessions)})
	}
	for _, p := range []struct {
		sessions int
		bars     []bar
	}{{idleSessions[len(idleSessions)-1], few}, {r.sessions, many}} {
		if len(p.bars) > 0 {
			panels = append(panels, barPanel(thousands(p.sessions)+" sessions", p.bars, longest(p.bars), "%.1f"))
		}
	}
	return panels
}

// A bar is a contestant's value.
type bar struct {
	name  string
	value float64
}

func longest(bars []bar) float64 {
	most := 1.0
	for _, b := range bars {
		most = max(most, b.value)
	}
	return most
}

// barPanel draws a bar for each contestant on an axis that ends at most.
func barPanel(title string, bars []bar, most float64, format string) panel {
	return panel{34 + rowHeight*len(bars), func(d *drawing, x, y int) {
		d.text(x, y+18, 13, left, title)
		for i, b := range bars {
			top := y + 26 + i*rowHeight
			width := int(barWidth * min(max(b.value, 0), most) / most)
			d.text(x+nameWidth-6, top+11, 11, right, b.name)
			d.bar(x+nameWidth, top, width, rowHeight-5, colours[b.name])
			value := fmt.Sprintf(format, b.value)
			if b.value > most {
				value = "» " + value
			}
			d.text(x+nameWidth+width+5, top+11, 11, left, value)
		}
	}}
}

// growthPanels are a plot of each thing that grows.
func (r *report) growthPanels() (panels []panel) {
	for i := range r.growth {
		g := &r.growth[i]
		if g.points[0].size == 0 {
			panels = append(panels, g.kinds()...)
		} else {
			panels = append(panels, g.plot())
		}
	}
	return panels
}

// kinds are bars for what has no size.
func (g *growth) kinds() (panels []panel) {
	most := 1.0
	for _, p := range g.points {
		for _, c := range p.costs {
			most = max(most, c.cpu)
		}
	}
	for _, p := range g.points {
		var bars []bar
		for i, name := range g.names {
			bars = append(bars, bar{name, p.costs[i].cpu})
		}
		label := strings.ReplaceAll(p.label, ": ", "; ")
		panels = append(panels, barPanel(g.name+": "+label, bars, most, "%.0f"))
	}
	return panels
}
