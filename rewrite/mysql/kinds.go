package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// statement resolves the statement in r.in and puts down what it returns.
func (r *resolver) statement() {
	columns, rows := r.run(nil)
	r.st.Rows = r.st.Rows || rows
	if !rows {
		return
	}
	for _, c := range columns {
		r.st.Columns = append(r.st.Columns, rewrite.ResultColumn{Name: c.name, Guess: c.guess || len(c.name) > longestAlias, Value: c.value.Value})
	}
}

// run resolves the statement in r.in, which may be one of a stored program: l
// holds its variables. rows says whether it returns rows, columns which.
func (r *resolver) run(l *level) (columns []column, rows bool) {
	r.clearKind()
	r.st.LiteralFree = r.st.LiteralFree && sharesPlans[r.in.keyword(0)]
	r.assigns = r.assigns || r.in.assigns()
	switch word := r.in.keyword(0); word {
	case "SELECT", "WITH", "VALUES", "TABLE":
		return r.queryStatement(l)
	case "INSERT", "REPLACE":
		return r.insertStatement(l)
	case "UPDATE":
		return r.syntax(l)
	case "DELETE":
		return r.deleteStatement(l)
	case "SHOW":
		return r.show(l)
	case "DESC", "DESCRIBE", "EXPLAIN", "ANALYZE":
		return r.explain(l)
	case "SET":
		return r.set(l)
	case "CALL":
		return r.callStatement(l)
	case "PREPARE", "EXECUTE", "DEALLOCATE":
		return r.prepared(l)
	case "CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME":
		return nil, r.definition(l)
	case "":
		if len(r.in.tokens) > 0 && r.in.tokens[0].kind == tokenOpen {
			return r.queryStatement(l)
		}
		if len(r.in.tokens) == 0 {
			return nil, false
		}
	}
	return r.otherStatement(l)
}

// sharesPlans are the statements whose plans texts may share that differ in
// literals only. In the others literals are names, settings, texts of statements.
var sharesPlans = map[string]bool{"SELECT": true, "INSERT": true, "REPLACE": true, "UPDATE": true, "DELETE": true, "WITH": true}

// clearKind names the statement by its first word; what knows better names it anew.
func (r *resolver) clearKind() {
	if r.depth == 0 {
		r.st.Kind = r.in.kind()
	}
}

func (r *resolver) kind(k rewrite.Kind) {
	if r.depth == 0 {
		r.st.Kind = k
	}
}

// unparsed records that the statement could not be parsed.
func (r *resolver) unparsed(err error) {
	if r.program != nil {
		r.program.why = "its body cannot be parsed"
		return
	}
	opaque(r.st, err)
}

// syntax parses the whole statement and resolves it.
func (r *resolver) syntax(l *level) (columns []column, rows bool) {
	in, ok := r.in.readableByParser()
	if !ok {
		r.unsupported("this JSON_TABLE")
	}
	outer := r.in
	r.in = in
	defer func() { r.in = outer }()
	node, err := r.parse("", in.start, in.end)
	if err != nil {
		r.unparsed(err)
		return nil, true
	}
	return r.node(node, l)
}

// node resolves a parsed statement.
func (r *resolver) node(n ast.StmtNode, l *level) (columns []column, rows bool) {
	switch s := n.(type) {
	case *ast.SelectStmt:
		r.kind("SELECT")
		if l == nil && r.depth == 0 && r.program == nil && !s.Distinct {
			r.toClient = s.Fields
		}
		return r.query(s, l), true
	case *ast.SetOprStmt:
		r.kind("SELECT")
		return r.query(s, l), true
	case *ast.UpdateStmt:
		r.kind("UPDATE")
		r.update(s, l.under())
		return nil, false
	case *ast.DeleteStmt:
		r.kind("DELETE")
		return r.delete(s, l.under()), false
	case *ast.InsertStmt:
		r.kind("INSERT")
		if s.IsReplace {
			r.kind("REPLACE")
		}
		return r.insert(s, l.under(), nil), false
	case *ast.DoStmt:
		r.kind("DO")
		for _, e := range s.Exprs { // only what an expression does to the session is left of it
			r.expr(e, l.under())
		}
		return nil, false
	case *ast.LoadDataStmt:
		r.kind("LOAD DATA")
		r.loadData(s, l.under())
		return nil, false
	}
	r.refuseKind(string(r.st.Kind))
	return nil, false
}

// queryStatement resolves SELECT and its like. INTO is cut out: the parser knows
// only some of its forms.
func (r *resolver) queryStatement(l *level) (columns []column, rows bool) {
	outer := r.in
	defer func() { r.in = outer }()
	if r.in.find(0, "PROCEDURE") > 0 {
		r.refuseKind("PROCEDURE ANALYSE")
		return nil, true
	}
	if r.in.beginsRows(0) && r.in.rowsEnd(1) == len(r.in.tokens) {
		return r.tableValues(l), true
	}
	at := r.intoAt()
	if at < 0 {
		return r.syntax(l)
	}
	targets, end, ok := r.in.intoTargets(at + 1)
	if !ok {
		what := "a file"
		r.refuseKind("SELECT INTO " + what)
		r.kind("SELECT")
		return nil, false
	}
	r.in = r.in.blank(at, end)
	r.assigns = true
	columns, _ = r.syntax(l)
	r.kind("SELECT INTO")
	for i, target := range targets {
		v := value{}
		if i < len(columns) {
			v = columns[i].value
		}
		r.assignTo(target, v, l)
	}
	return nil, false
}

// tableValues is MariaDB's VALUES (...), (...) and nothing else.
func (r *resolver) tableValues(l *level) []column {
	r.kind("SELECT")
	columns, ok := r.rows(1, len(r.in.tokens), l)
	if !ok {
		r.unparsed(errForm)
	}
	return columns
}

// assignTo records that a user variable or one of a program gets a value.
func (r *resolver) assignTo(target string, v value, l *level) {
	if strings.HasPrefix(target, "@") {
		r.flow(v, "a user variable")
		return
	}
	if _, ok := l.local(target); ok && r.program != nil {
		r.program.assign(target, v)
		return
	}
	r.unsupported("variable " + target)
}

// assigns says whether a statement sets user variables in its expressions.
func (in *input) assigns() bool {
	for i := range in.tokens {
		if in.word(i, ":=") {
			return true
		}
	}
	return false
}

// intoAt is the INTO of a SELECT, outside of subqueries, -1 when it has none. A
// query in parentheses may have it inside of them.
func (r *resolver) intoAt() int {
	if at := r.in.find(0, "INTO"); at >= 0 {
		return at
	}
	depth := 0
	for depth < len(r.in.tokens) && r.in.tokens[depth].kind == tokenOpen {
		depth++
	}
	return r.in.find(depth, "INTO")
}

// intoTargets reads the variables behind INTO; ok is false for a file.
func (in *input) intoTargets(at int) (targets []string, end int, ok bool) {
	for {
		if at >= len(in.tokens) {
			return targets, at, false
		}
		t := in.tokens[at]
		name, isName := in.identifier(at)
		switch {
		case t.kind == tokenVariable && !strings.HasPrefix(in.raw[t.start:], "@@"):
			name = in.raw[t.start:t.end]
		case !isName, in.word(at, "OUTFILE"), in.word(at, "DUMPFILE"):
			return nil, at, false
		}
		targets = append(targets, name)
		if at++; at >= len(in.tokens) || in.tokens[at].kind != tokenComma {
			return targets, at, true
		}
		at++
	}
}
