package mysql

import (
	"strings"

	"sqlveil/rewrite"
)

// otherStatement resolves the statements that are known by their first words.
// What is not listed is refused: a new kind of statement must be judged first.
func (r *resolver) otherStatement(l *level) (columns []column, rows bool) {
	in := r.in
	switch in.keyword(0) {
	case "DO":
		return r.syntax(l)
	case "LOAD":
		if in.word(1, "DATA") {
			return r.syntax(l)
		}
	case "USE":
		r.useDatabase()
		return nil, false
	case "IF", "CASE", "LOOP", "REPEAT", "WHILE":
		if r.mode.flavour == flavourMariaDB && r.program == nil {
			return r.block()
		}
	case "HELP":
		return r.help(), true
	case "SIGNAL", "RESIGNAL":
		if in.signalsConstants() {
			return nil, false
		}
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA":
		if in.words(0, "XA", "RECOVER") {
			r.kind("XA RECOVER")
			return (&showing{columns: words("formatID,gtrid_length,bqual_length,data")}).result(r.mode, false), true
		}
		if in.words(0, "BEGIN", "NOT", "ATOMIC") && r.program == nil {
			return r.block()
		}
		if r.transaction() {
			return nil, false
		}
	case "LOCK", "UNLOCK":
		if in.word(1, "TABLE") || in.word(1, "TABLES") {
			r.kind(rewrite.Kind(in.keyword(0) + " TABLES"))
			r.st.Effect.End = true
			return nil, false
		}
	case "FLUSH":
		if r.flush() {
			return nil, false
		}
	case "KILL":
		if !in.word(1, "USER") && !in.word(2, "USER") && !in.word(3, "USER") {
			r.kill(l)
			return nil, false
		}
	case "CHECK", "OPTIMIZE", "REPAIR":
		at := 1
		for in.word(at, "LOCAL") || in.word(at, "NO_WRITE_TO_BINLOG") {
			at++
		}
		if in.word(at, "TABLE") || in.word(at, "TABLES") {
			return r.maintenance(rewrite.Kind(in.keyword(0) + " TABLE")), true
		}
	case "CHECKSUM":
		if in.word(1, "TABLE") || in.word(1, "TABLES") {
			return r.checksum(), true
		}
	}
	what := in.keyword(0)
	if what == "" {
		what = "this kind of statement"
	}
	r.refuseKind(what)
	r.st.Effect.Opaque, r.st.Effect.Path, r.st.Effect.Catalog = true, true, true
	return nil, true
}

// helpResults are the columns of what HELP returns: of a topic, of several, and of
// a category.
//
// https://dev.mysql.com/doc/refman/8.4/en/help.html
var helpResults = [][]string{words("name,description,example"), words("name,is_it_category"), words("source_category_name,name,is_it_category")}

// help is HELP.
func (r *resolver) help() (columns []column) {
	for _, names := range helpResults {
		columns = append(columns, (&showing{columns: names}).result(r.mode, false)...)
		r.st.Results = append(r.st.Results, len(names))
	}
	return columns
}

// useDatabase is USE.
func (r *resolver) useDatabase() {
	r.kind("USE")
	r.st.Effect.Path = true
	name, ok := r.in.identifier(1)
	if !ok {
		r.unparsed(errForm)
		return
	}
	r.newSchema = &name
}

// transaction resolves the statements that begin and end transactions.
func (r *resolver) transaction() bool {
	in := r.in
	e := &r.st.Effect
	switch word := in.keyword(0); {
	case word == "BEGIN" && !in.word(1, "NOT"):
		r.kind("BEGIN")
		e.Begin = true
	case in.words(0, "START", "TRANSACTION"):
		r.kind("START TRANSACTION")
		e.Begin = true
		if r.readsThePast() {
			r.refuseKind("START TRANSACTION ... AS OF TIMESTAMP")
		}
	case word == "COMMIT", word == "ROLLBACK":
		e.End = true
	case word == "SAVEPOINT":
	case word == "RELEASE":
		r.kind("RELEASE SAVEPOINT")
	case word == "XA" && !in.word(1, "RECOVER"):
		r.kind(rewrite.Kind("XA " + in.keyword(1)))
		e.Begin = in.word(1, "START") || in.word(1, "BEGIN")
		e.End = !e.Begin
	default:
		return false
	}
	return true
}

// flush allows the forms of FLUSH that write nothing down.
func (r *resolver) flush() bool {
	at := 1
	for r.in.word(at, "LOCAL") || r.in.word(at, "NO_WRITE_TO_BINLOG") {
		at++
	}
	switch r.in.keyword(at) {
	case "TABLES", "TABLE", "STATUS", "PRIVILEGES", "HOSTS", "USER_RESOURCES":
		r.kind(rewrite.Kind("FLUSH " + r.in.keyword(at)))
		r.st.Effect.End = true
		return true
	}
	return false
}

// kill is KILL: the number of the connection is told to everybody by the error.
func (r *resolver) kill(l *level) {
	at := 1
	for strings.Contains(" HARD SOFT TIDB CONNECTION QUERY ID ", " "+r.in.keyword(at)+" ") && r.in.keyword(at) != "" {
		at++
	}
	v, ok := r.expression(r.in, at, len(r.in.tokens), l)
	if !ok {
		r.refuseKind("this KILL")
	}
	r.sink(v, "KILL")
}

// checksum is CHECKSUM TABLE: a use of all that the tables hold.
func (r *resolver) checksum() []column {
	r.kind("CHECKSUM TABLE")
	for at := 2; at < len(r.in.tokens); {
		rel, next, ok := r.tableAt(at)
		if !ok {
			break
		}
		if rel != nil {
			r.use(rowOf(r.relationColumns(rel)), "checksum")
		}
		if next >= len(r.in.tokens) || r.in.tokens[next].kind != tokenComma {
			break
		}
		at = next + 1
	}
	return (&showing{columns: words("Table,Checksum")}).result(r.mode, false)
}
