package mysql

import (
	"slices"
	"strings"

	"sqlveil/rewrite"
)

// explain resolves EXPLAIN, DESCRIBE, and ANALYZE, which on MariaDB runs a
// statement, and everywhere tables.
func (r *resolver) explain(l *level) (columns []column, rows bool) {
	analyze := r.in.word(0, "ANALYZE")
	at := 1
	if analyze {
		for r.in.word(at, "LOCAL") || r.in.word(at, "NO_WRITE_TO_BINLOG") {
			at++
		}
		if r.in.word(at, "TABLE") || r.in.word(at, "TABLES") {
			return r.maintenance("ANALYZE TABLE"), true
		}
	}
	format, extra := "", ""
	for {
		switch {
		case r.in.word(at, "EXTENDED"), r.in.word(at, "PARTITIONS"):
			extra = r.in.keyword(at)
			at++
			continue
		case r.in.word(at, "ANALYZE"):
			analyze = true
			at++
			continue
		case r.in.words(at, "FORMAT", "="):
			if at+2 < len(r.in.tokens) {
				t := r.in.tokens[at+2]
				format = strings.ToUpper(strings.Trim(r.in.raw[t.start:t.end], `'"`+"`"))
			}
			at += 3
			continue
		}
		break
	}
	switch r.in.keyword(at) {
	case "SELECT", "WITH", "VALUES", "TABLE", "INSERT", "REPLACE", "UPDATE", "DELETE":
	case "FOR", "INTO", "":
		if at >= len(r.in.tokens) || r.in.tokens[at].kind != tokenOpen {
			r.refuseKind("this form of EXPLAIN")
			return nil, true
		}
	default:
		return r.describe(at, l)
	}
	return r.explained(at, analyze, format, extra), true
}

// describe is DESCRIBE table [column].
func (r *resolver) describe(at int, l *level) (columns []column, rows bool) {
	if _, _, ok := r.tableAt(at); !ok {
		r.refuseKind("this form of EXPLAIN")
	}
	return (&showing{columns: columnsOfTable}).result(r.mode, false), true
}

// explained is EXPLAIN of a statement: the plan shows the statement's own
// constants, no data; with ANALYZE the statement runs.
func (r *resolver) explained(at int, analyze bool, format, extra string) []column {
	if r.program != nil {
		r.program.why = "it explains a statement"
		return nil
	}
	r.explains = true
	other := r.another(r.in.part(at, len(r.in.tokens)))
	inner := other.st
	r.st.Effect.ReadsPath = r.st.Effect.ReadsPath || inner.Effect.ReadsPath
	r.st.Query = inner
	r.st.Inert = !analyze
	if analyze {
		effect := inner.Effect
		effect.ReadsPath = effect.ReadsPath || r.st.Effect.ReadsPath
		r.st.Effect = effect
	}
	r.st.Effect.Explain = true
	r.kind("EXPLAIN")
	columns := r.planColumns(explainColumns(r.mode, analyze, format, extra), other)
	if r.mode.flavour == flavourMySQL && len(columns) > 1 && format == "" {
		tree := r.planColumns(words("EXPLAIN"), other) // as @@explain_format has it by default in MySQL 9.7
		r.st.Results = []int{len(columns), len(tree)}
		columns = append(columns, tree...)
	}
	return columns
}

// planColumns are the columns with these names of the plan of a statement.
func (r *resolver) planColumns(names []string, of *resolver) []column {
	columns := (&showing{columns: names}).result(r.mode, false)
	for i := range columns {
		if len(columns) == 1 || r.mode.flavour == flavourTiDB && !slices.Contains(shapeOfPlan, columns[i].name) {
			columns[i].value = of.conditions()
		}
	}
	return columns
}

// conditions is what a plan in JSON or as a tree shows: conditions with the
// values of columns put in that the server has read already. MySQL and TiDB show in
// the same way what is selected anywhere in the statement, MySQL 9 all of it.
func (r *resolver) conditions() value {
	var out value
	for _, u := range r.st.Uses {
		out = derived(out, value{Value: rewrite.Of(u.Column)})
	}
	if r.mode.flavour != flavourMariaDB {
		out = derived(out, r.selects)
		for _, f := range r.st.Flows {
			out = derived(out, value{Value: f.Value})
		}
	}
	return out.of(typeText)
}

// explainColumns are the columns of a plan.
func explainColumns(m *mode, analyze bool, format, extra string) []string {
	switch m.flavour {
	case flavourTiDB:
		return explainColumnsOfTiDB(analyze, format)
	case flavourMariaDB:
		switch {
		case format == "JSON" && analyze:
			return words("ANALYZE")
		case format == "JSON":
			return words("EXPLAIN")
		case analyze:
			return words("id,select_type,table,type,possible_keys,key,key_len,ref,rows,r_rows,filtered,r_filtered,Extra")
		case extra == "EXTENDED":
			return words("id,select_type,table,type,possible_keys,key,key_len,ref,rows,filtered,Extra")
		case extra == "PARTITIONS":
			return words("id,select_type,table,partitions,type,possible_keys,key,key_len,ref,rows,Extra")
		}
		return words("id,select_type,table,type,possible_keys,key,key_len,ref,rows,Extra")
	}
	if analyze || format != "" && format != "TRADITIONAL" && format != "TRADITIONAL_STRICT" {
		return words("EXPLAIN")
	}
	return words("id,select_type,table,partitions,type,possible_keys,key,key_len,ref,rows,filtered,Extra")
}

// inner resolves the statement that another one speaks of as a statement of its own.
func (r *resolver) inner(in *input) *rewrite.Statement {
	st := r.another(in).st
	r.st.Effect.ReadsPath = r.st.Effect.ReadsPath || st.Effect.ReadsPath
	return st
}

// another is a resolver that has resolved another statement where this one stands.
func (r *resolver) another(in *input) *resolver {
	normal := normalise(in.raw, in.tokens)
	other := &resolver{
		catalog: r.catalog, scope: r.scope, mode: in.mode, in: in, base: in.start, schema: r.schema, unsure: r.unsure, around: r.around,
		st: &rewrite.Statement{Text: normal, Fingerprint: fingerprint(normal)}, explains: r.explains,
	}
	if in.fault != nil {
		opaque(other.st, in.fault)
	} else {
		other.statement()
		other.st.Instead = nil // what the server has is the text itself
	}
	return other
}

// maintenance is ANALYZE TABLE and its like.
func (r *resolver) maintenance(kind rewrite.Kind) []column {
	r.kind(kind)
	r.st.Effect.End = true
	return (&showing{columns: words("Table,Op,Msg_type,Msg_text")}).result(r.mode, false)
}
