package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// sampleReport has something in every part.
func sampleReport() *report {
	filled := func(w work, sessions int) table {
		t := newTable(w, sessions)
		for i, name := range []string{"direct", "haproxy", floorName, "sqlveil, masked, spool"} {
			t.add(contestant{name: name}, measurement{units: 10, seconds: 1, cpu: float64(i) / 10, took: []time.Duration{time.Millisecond}})
		}
		return t
	}
	query, row := work{name: "a query", unit: "query"}, work{name: "rows", unit: "row"}
	r := &report{
		engine: &engine{title: "A & B"}, head: []string{"a machine"},
		idle:  []idle{{name: "haproxy", held: []float64{1, 1, 1, 2}}},
		small: []table{filled(query, 1), filled(query, 8)}, large: []table{filled(row, 1)}, logins: filled(query, 8), tls: []table{filled(query, 8)},
		sessions: 10_000, crowds: []crowd{{name: "haproxy", first: 1, held: 40}},
	}
	asked := filled(query, 8)
	asked.names = asked.names[1:] // who goes directly has no proxy that could cost
	sessions, kinds := growth{name: "sessions"}, growth{name: "kinds"}
	for _, size := range []int{1, 10, 10_000} {
		sessions.add(thousands(size), size, &asked)
	}
	kinds.add("prepared: <all>", 0, &asked)
	r.growth = []growth{sessions, kinds}
	return r
}

// A chart that no browser reads would not be noticed otherwise.
func TestChartIsXML(t *testing.T) {
	t.Parallel()
	chart := sampleReport().chart()
	d := xml.NewDecoder(strings.NewReader(chart))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, chart)
		}
	}
	for _, want := range []string{"A &amp; B", ">a query, 8 sessions<", ">rows<", ">10,000 sessions<", ">10,000<", "&lt;all&gt;", colours["haproxy"]} {
		if !strings.Contains(chart, want) {
			t.Errorf("no %s in %s", want, chart)
		}
	}
	if strings.Contains(chart, "NaN") || strings.Contains(chart, `fill=""`) {
		t.Errorf("a place or a colour is missing in %s", chart)
	}
}

func TestLongBarsAreCut(t *testing.T) {
	t.Parallel()
	var d drawing
	barPanel("work", []bar{{floorName, 1}, {"sqlveil, masked", 2 * farthest}}, farthest, "%.2f").draw(&d, 0, 0)
	for _, want := range []string{`width="66"`, `>1.00<`, `width="200"`, ">» 6.00<"} {
		if !strings.Contains(d.String(), want) {
			t.Errorf("no %s in %s", want, d.String())
		}
	}
}
