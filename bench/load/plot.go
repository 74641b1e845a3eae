package main

import (
	"fmt"
	"math"
)

// plot draws a growth, a line for each contestant: sizes on a logarithmic axis, costs
// on one that begins at nothing.
func (g *growth) plot() panel {
	legend := 16 * len(g.names)
	return panel{plotHeight + 70 + legend, func(d *drawing, x, y int) {
		d.text(x, y+18, 13, left, g.name)
		bottom := y + 34 + plotHeight
		most := g.most()
		g.axes(d, x+plotLeft, bottom, most)
		for i, name := range g.names {
			d.path(g.spots(i, x+plotLeft, bottom, most), colours[name])
			at := bottom + 34 + 16*i
			d.bar(x+plotLeft, at-9, 12, 10, colours[name])
			d.text(x+plotLeft+18, at, 11, left, fmt.Sprintf("%s: %.0f to %.0f", name, g.points[0].costs[i].cpu, g.points[len(g.points)-1].costs[i].cpu))
		}
	}}
}

// most is where the axis of the costs ends: a round number that no cost is above.
func (g *growth) most() float64 {
	most := 1.0
	for _, p := range g.points {
		for _, c := range p.costs {
			most = max(most, c.cpu)
		}
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	return math.Ceil(most/step) * step
}

// axes draws three lines of equal cost and names the sizes.
func (g *growth) axes(d *drawing, x, bottom int, most float64) {
	for half := range 3 {
		y := bottom - half*plotHeight/2
		d.line(x, y, x+plotWidth, y, "#ddd")
		d.text(x-8, y+4, 11, right, fmt.Sprintf("%g", most*float64(half)/2))
	}
	for _, p := range g.points {
		d.text(x+g.across(p.size), bottom+16, 11, middle, p.label)
	}
}

// spots are where the costs of a contestant lie.
func (g *growth) spots(contestant, x, bottom int, most float64) (spots []spot) {
	for _, p := range g.points {
		spots = append(spots, spot{x + g.across(p.size), bottom - int(plotHeight*p.costs[contestant].cpu/most)})
	}
	return spots
}

// across is how far from the axis a size lies.
func (g *growth) across(size int) int {
	first, last := math.Log10(float64(g.points[0].size)), math.Log10(float64(g.points[len(g.points)-1].size))
	return int(plotWidth * (math.Log10(float64(size)) - first) / (last - first))
}
