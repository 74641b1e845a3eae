package review

import (
	"time"
)

// A Table is the answer to a question. A cell is a string, an int64 or a
// time.Time.
type Table struct {
	Columns []string
	Rows    [][]any
}

func (t *Table) add(cells ...any) { t.Rows = append(t.Rows, cells) }

// TableOf puts rows in a table.
func TableOf(rows []Row) *Table {
	t := &Table{Columns: []string{"number", "time", "kind", "user", "role", "verdict", "result", "rows", "released", "statement"}}
	for i := range rows {
		r := &rows[i]
		t.add(int64(r.Seq), r.Time, r.Kind, r.User(), r.Role, verdict(r), result(r), r.Rows, r.Released(), statement(r))
	}
	return t
}

func verdict(r *Row) string {
	if r.Code != "" {
		return r.Verdict + " " + r.Code
	}
	return r.Verdict
}

// result tells how a statement ended.
func result(r *Row) string {
	switch {
	case r.Ended != "":
		return r.Ended
	case r.OK:
		return "ok"
	case r.SQLState != "":
		return r.SQLState
	case r.Verdict != "" && r.Verdict != "refuse" && !r.Done:
		return "no outcome"
	}
	return ""
}

func statement(r *Row) string {
	switch {
	case r.Text != "":
		return one(r.Text)
	case r.Command != "":
		return r.Command
	}
	return one(r.Detail)
}

// WhoSawTable puts the rows that concern a person in a table.
func WhoSawTable(rows []Row) *Table {
	t := &Table{Columns: []string{"number", "time", "user", "role", "application", "address", "purpose", "form", "columns"}}
	for i := range rows {
		r := &rows[i]
		form := r.Released()
		if form == "" {
			form = "found by" // the person's value stood in a condition, or no column was labelled
		}
		t.add(int64(r.Seq), r.Time, r.User(), r.Role, r.Application, r.Address, purpose(r), form, columnsOf(r))
	}
	return t
}

func purpose(r *Row) string {
	if r.Ticket != "" {
		return one(r.Purpose + " " + r.Ticket)
	}
	return r.Purpose
}

// columnsOf lists what was released, each class with its form.
func columnsOf(r *Row) string {
	text := ""
	for i := range r.Objects {
		if o := &r.Objects[i]; o.In == "output" {
			if text != "" {
				text += ", "
			}
			text += o.Column + " " + o.Released
		}
	}
	return text
}

// Limit cuts a table after n rows; 0 is no limit.
func (t *Table) Limit(n int) {
	if n > 0 && len(t.Rows) > n {
		t.Rows = t.Rows[:n]
	}
}

// days knows the dates of times where the reader is. Working one out takes
// longer than all else that is done with a row, so they are remembered by the
// quarter of an hour: no zone's midnight is within one.
type days map[uint64]string

func (d days) of(micros uint64) string {
	const quarter = uint64(15 * time.Minute / time.Microsecond)
	date, ok := d[micros/quarter]
	if !ok {
		date = time.UnixMicro(int64(micros)).Local().Format(time.DateOnly)
		d[micros/quarter] = date
	}
	return date
}
