package session

import (
	"slices"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/rewrite"
)

func TestClass(t *testing.T) {
	for kind, want := range map[rewrite.Kind]string{
		"SELECT": classRead, "SELECT INTO": classRead, "INSERT": classWrite, "CREATE TABLE AS": classDDL, "GRANT": classPrivilege,
		"BEGIN": classSession, "DECLARE CURSOR": classSession, "VACUUM": classOther, "": classOther, "TRUNCATE TABLE": classDDL,
	} {
		if got := class(&rewrite.Plan{Kind: kind}); got != want {
			t.Errorf("%s: got %s, want %s", kind, got, want)
		}
	}
	for text, want := range map[string]string{
		"alter role a password ?": classPrivilege, "drop user a": classPrivilege, "create or replace role a": classPrivilege,
		"alter default privileges grant select on tables to a": classPrivilege, "drop table role": classDDL, "drop": classDDL, "": classDDL,
	} {
		if got := class(&rewrite.Plan{Kind: "ALTER", Text: text}); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := class(&rewrite.Plan{Kind: "COPY", Rows: true}); got != classRead {
		t.Errorf("COPY TO: got %s", got)
	}
	if got := class(&rewrite.Plan{Kind: "COPY"}); got != classWrite {
		t.Errorf("COPY FROM: got %s", got)
	}
}

func TestFirstKeyword(t *testing.T) {
	for text, want := range map[string]string{
		"select 1": "SELECT", "  (SELECT 1)": "SELECT", "": "", "/* x */ SELECT": "", "BEGIN;": "BEGIN", "\n\tVaCuUm": "VACUUM",
		"averyveryveryverylongword": "AVERYVERYVERYVER", "1": "", "é": "",
	} {
		if got := firstKeyword(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Identifiers sort by time and do not repeat.
func TestNewID(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var ids []string
	for i := range 100 {
		ids = append(ids, newID(start.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids[0]) != 26 {
		t.Errorf("got %v", ids[:3])
	}
}

// However often a statement is carried out, its records tell of it alike.
func TestStatementIsToldAlike(t *testing.T) {
	b := newBench(t, "open")
	p, other := b.prepare(t, "names"), b.prepare(t, "path")
	other.plans = append(other.plans, p.plans...)
	for _, turn := range []struct {
		p     *Prepared
		i     int
		how   string
		known bool
	}{
		{p, 0, Simple, false},
		{p, 0, Simple, true},
		{p, 0, Simple, true},
		{p, 0, Extended, false},
		{p, 0, Extended, true},
		{other, 0, Simple, false},
		{other, 1, Simple, false},
		{other, 1, Simple, true},
		{other, 0, Simple, false},
	} {
		q, err := b.Begin(turn.p, turn.i, turn.how, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := b.audit.events[len(b.audit.events)-1].Statement
		want := ""
		if turn.known {
			want = string(auditlog.AppendKnown(nil, &s))
		}
		if string(s.Known) != want || s.Text != turn.p.plans[turn.i].Text || s.Protocol != turn.how {
			t.Errorf("%+v, want known %q", s, want)
		}
		b.End(q, Succeeded)
	}
}
