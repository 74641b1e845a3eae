package pgsql_test

import (
	"slices"
	"testing"

	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

// TestJudgeNoticesFaults spoils what the resolver says of a statement and asks
// the judge: it must see every fault, and tell those towards release.
func TestJudgeNoticesFaults(t *testing.T) {
	c := newCourt(t, "judge_faults", readSchema(t, "schema.sql"), "public", "hr")
	const read = "SELECT mail, lower(name) AS low, id FROM hr.person WHERE pay > 1 AND mobile = '1' ORDER BY born"
	const write = "UPDATE hr.team SET title = p.card FROM hr.person p WHERE p.id = lead RETURNING title"
	for _, fault := range []struct {
		name    string
		sql     string
		plant   func(*rewrite.Statement)
		release bool
	}{
		{"a column is left out", read, func(st *rewrite.Statement) { st.Columns = st.Columns[1:] }, true},
		{"a column has another name", read, func(st *rewrite.Statement) { st.Columns[0].Name = "x" }, true},
		{"a column is made of nothing", read, func(st *rewrite.Statement) { st.Columns[0].Value = rewrite.Value{} }, true},
		{"a derived column is made of nothing", read, func(st *rewrite.Statement) { st.Columns[1].Value = rewrite.Value{} }, true},
		{"a derived column is plain", read, func(st *rewrite.Statement) {
			st.Columns[1].Value = rewrite.Value{Plain: st.Columns[1].Value.Derived}
		}, true},
		{"a column is another one", read, func(st *rewrite.Statement) { st.Columns[0].Value = st.Columns[2].Value }, true},
		{"no column is used", read, func(st *rewrite.Statement) { st.Uses = nil }, true},
		{"the condition is not used", read, func(st *rewrite.Statement) { forgetUse(st, "where", "pay") }, true},
		{"the order is not used", read, func(st *rewrite.Statement) { forgetUse(st, "order by", "born") }, true},
		{"a comparison passes for equality", read, func(st *rewrite.Statement) {
			for i := range st.Uses {
				st.Uses[i].Form = rewrite.FormEqualConstant
			}
		}, true},
		{"nothing moves", write, func(st *rewrite.Statement) { st.Flows = nil }, true},
		{"the data moves elsewhere", write, func(st *rewrite.Statement) { st.Flows[0].Target = st.Flows[0].Value.Plain[0].Column }, true},
		{"a column is made of one more", read, func(st *rewrite.Statement) {
			st.Columns[2].Value = st.Columns[2].Value.Either(st.Columns[0].Value)
		}, false},
		{"a plain column is derived", read, func(st *rewrite.Statement) { st.Columns[0].Value = st.Columns[0].Value.Derive() }, false},
		{"one more column is used", read, func(st *rewrite.Statement) {
			st.Uses = append(st.Uses, rewrite.Use{Column: st.Columns[0].Value.Plain[0].Column, In: "where"})
		}, false},
		{"it is refused", read, func(st *rewrite.Statement) { st.Unknown = []rewrite.Refusal{{Code: rewrite.CodeUnsupported}} }, false},
	} {
		t.Run(fault.name, func(t *testing.T) {
			query, err := c.server.analyse(fault.sql, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, got := judge(c.server, query), pgsql.Dialect{}.Analyse(c.scope, fault.sql)
			if findings := compare(want, got); len(findings) > 0 {
				t.Fatalf("without a fault: %v", findings)
			}
			fault.plant(got[0])
			findings := compare(want, got)
			release := slices.ContainsFunc(findings, func(f finding) bool { return f.release })
			if len(findings) == 0 || release != fault.release {
				t.Errorf("found %v, want something towards release: %v", findings, fault.release)
			}
		})
	}
}

// forgetUse takes one use out of what the resolver says.
func forgetUse(st *rewrite.Statement, clause, column string) {
	st.Uses = slices.DeleteFunc(st.Uses, func(u rewrite.Use) bool { return u.In == clause && u.Column.Name.Name == column })
}
