package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// statement resolves one top-level statement.
func (r *resolver) statement(n *pg.Node) {
	switch n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		r.st.Kind, r.st.Rows = "SELECT", true
		r.returns(r.query(n, nil))
		if r.st.Kind == "SELECT INTO" {
			r.st.Columns, r.st.Rows = nil, false
		}
	case *pg.Node_InsertStmt:
		r.st.Kind, r.st.Rows = "INSERT", len(n.GetInsertStmt().ReturningList) > 0
		r.returns(r.query(n, nil))
	case *pg.Node_UpdateStmt:
		r.st.Kind, r.st.Rows = "UPDATE", len(n.GetUpdateStmt().ReturningList) > 0
		r.returns(r.query(n, nil))
	case *pg.Node_DeleteStmt:
		r.st.Kind, r.st.Rows = "DELETE", len(n.GetDeleteStmt().ReturningList) > 0
		r.returns(r.query(n, nil))
	case *pg.Node_MergeStmt:
		r.st.Kind, r.st.Rows = "MERGE", len(n.GetMergeStmt().ReturningList) > 0
		r.returns(r.query(n, nil))
	default:
		r.utility(n, nil)
	}
}

// returns makes columns the statement's result.
func (r *resolver) returns(columns []column) {
	if !r.st.Rows {
		return
	}
	for _, c := range columns {
		r.st.Columns = append(r.st.Columns, rewrite.ResultColumn{Name: c.name, Value: c.value.Value})
	}
}

// utility resolves everything that is not a query. What is not listed is
// refused: a new kind of statement must be judged first.
func (r *resolver) utility(n *pg.Node, l *queryLevel) {
	switch s := n.GetNode().(type) {
	case *pg.Node_TransactionStmt:
		r.transaction(s.TransactionStmt)
	case *pg.Node_VariableSetStmt:
		r.st.Kind = "SET"
		r.set(s.VariableSetStmt)
	case *pg.Node_VariableShowStmt:
		r.st.Kind, r.st.Rows = "SHOW", true
		r.show(s.VariableShowStmt)
	case *pg.Node_DiscardStmt:
		r.st.Kind = "DISCARD"
		r.st.Effect.Path, r.st.Effect.Catalog = true, true
		r.st.Effect.ForgetAll = s.DiscardStmt.Target == pg.DiscardMode_DISCARD_ALL
	case *pg.Node_PrepareStmt:
		r.prepare(s.PrepareStmt)
	case *pg.Node_ExecuteStmt:
		r.st.Kind = "EXECUTE"
		r.execute(s.ExecuteStmt, l)
	case *pg.Node_DeallocateStmt:
		r.st.Kind = "DEALLOCATE"
		r.st.Effect.Forget = nameOrAll(s.DeallocateStmt.Name)
	case *pg.Node_DeclareCursorStmt:
		r.declare(s.DeclareCursorStmt)
	case *pg.Node_FetchStmt:
		r.st.Kind, r.st.Rows = "FETCH", !s.FetchStmt.Ismove
		if s.FetchStmt.Ismove {
			r.st.Kind = "MOVE"
		}
		r.st.Effect.Fetch = s.FetchStmt.Portalname
	case *pg.Node_ClosePortalStmt:
		r.st.Kind = "CLOSE"
		r.st.Effect.Forget = nameOrAll(s.ClosePortalStmt.Portalname)
	case *pg.Node_ExplainStmt:
		r.explain(s.ExplainStmt, l)
	case *pg.Node_CopyStmt:
		r.copy(s.CopyStmt)
	case *pg.Node_CallStmt:
		r.st.Kind = "CALL"
		r.callStatement(s.CallStmt, l)
	case *pg.Node_DoStmt:
		r.st.Kind = "DO"
		r.do(s.DoStmt)
	case *pg.Node_ListenStmt:
		r.st.Kind = "LISTEN"
	case *pg.Node_UnlistenStmt:
		r.st.Kind = "UNLISTEN"
	case *pg.Node_NotifyStmt:
		r.st.Kind = "NOTIFY"
	case *pg.Node_LockStmt:
		r.st.Kind = "LOCK TABLE"
	case *pg.Node_CheckPointStmt:
		r.st.Kind = "CHECKPOINT"
	case *pg.Node_VacuumStmt:
		r.st.Kind = "VACUUM"
		if !s.VacuumStmt.IsVacuumcmd {
			r.st.Kind = "ANALYZE"
		}
	case *pg.Node_ConstraintsSetStmt:
		r.st.Kind = "SET CONSTRAINTS"
	default:
		r.definitionStatement(n)
	}
}

func nameOrAll(name string) string {
	if name == "" {
		return "*"
	}
	return name
}

func (r *resolver) transaction(s *pg.TransactionStmt) {
	switch s.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN:
		r.st.Kind, r.st.Effect.Begin = "BEGIN", true
	case pg.TransactionStmtKind_TRANS_STMT_START:
		r.st.Kind, r.st.Effect.Begin = "START TRANSACTION", true
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		r.st.Kind, r.st.Effect.End = "COMMIT", true
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		r.st.Kind, r.st.Effect.End = "ROLLBACK", true
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		r.st.Kind, r.st.Effect.End = "ROLLBACK", true
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		r.st.Kind = "SAVEPOINT"
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		r.st.Kind = "RELEASE"
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		r.st.Kind, r.st.Effect.End = "PREPARE TRANSACTION", true
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		r.st.Kind, r.st.Effect.Catalog = "COMMIT PREPARED", true
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		r.st.Kind, r.st.Effect.Catalog = "ROLLBACK PREPARED", true
	default:
		r.unsupported("this transaction statement")
	}
}

// show is SHOW: its columns hold settings, never data.
func (r *resolver) show(s *pg.VariableShowStmt) {
	names := []string{s.Name}
	if strings.EqualFold(s.Name, "all") {
		names = []string{"name", "setting", "description"}
	}
	for _, name := range names {
		r.st.Columns = append(r.st.Columns, rewrite.ResultColumn{Name: name})
	}
}

// inner resolves the statement that another one speaks of as a statement of its own.
func (r *resolver) inner(n *pg.Node) *rewrite.Statement {
	st := &rewrite.Statement{Text: r.st.Text, Fingerprint: r.st.Fingerprint, LiteralFree: true}
	inner := &resolver{catalog: r.catalog, scope: r.scope, path: r.path, session: r.session, st: st, depth: r.depth, steps: r.steps, places: r.places}
	inner.statement(n)
	inner.settle()
	r.st.LiteralFree = r.st.LiteralFree && st.LiteralFree
	r.st.Effect.ReadsPath = r.st.Effect.ReadsPath || st.Effect.ReadsPath
	return st
}

func (r *resolver) prepare(s *pg.PrepareStmt) {
	r.st.Kind, r.st.Inert = "PREPARE", true
	places := r.places
	r.places = nil // EXECUTE runs the text as the client wrote it
	r.st.Query = r.inner(s.Query)
	r.places = places
	r.st.LiteralFree = false
	r.st.Effect.Prepare = s.Name
	r.st.Effect.Prepared = r.prepared
}

// preparedText is the text behind AS of PREPARE name (types) AS statement.
func preparedText(text string) string {
	l := lexer{text: text}
	depth := 0
	for t := l.next(); t.kind != tokenEnd && t.kind != tokenBroken; t = l.next() {
		switch {
		case t.kind == tokenOpen:
			depth++
		case t.kind == tokenClose:
			depth--
		case depth == 0 && t.kind == tokenWord && strings.EqualFold(text[t.start:t.end], "as"):
			return text[t.end:]
		}
	}
	return ""
}

func (r *resolver) execute(s *pg.ExecuteStmt, l *queryLevel) {
	r.st.Rows = true
	r.st.Effect.Execute = s.Name
	for _, v := range r.exprs(s.Params, l.under()) {
		r.use(v, "an argument of EXECUTE")
	}
}

func (r *resolver) declare(s *pg.DeclareCursorStmt) {
	r.st.Kind, r.st.Inert = "DECLARE CURSOR", true
	r.st.Query = r.inner(s.Query)
	r.st.Effect.Declare = s.Portalname
	r.st.LiteralFree = false
}

// explain is EXPLAIN: the plan shows the statement's own constants, no data;
// with ANALYZE the statement runs.
func (r *resolver) explain(s *pg.ExplainStmt, l *queryLevel) {
	r.st.Kind, r.st.Rows, r.st.Inert = "EXPLAIN", true, true
	r.st.Effect.Explain = true
	for _, n := range s.Options {
		if e := n.GetDefElem(); e.GetDefname() == "analyze" && defBool(e) {
			r.st.Inert = false
		}
	}
	r.st.Columns = []rewrite.ResultColumn{{Name: "QUERY PLAN"}}
	if e := s.Query.GetExecuteStmt(); e != nil {
		r.st.Effect.Execute = e.Name
		r.exprs(e.Params, l.under())
		return
	}
	r.st.Query = r.inner(s.Query)
	if r.st.Inert {
		return
	}
	effect := r.st.Query.Effect
	effect.Explain, effect.ReadsPath = true, effect.ReadsPath || r.st.Effect.ReadsPath
	r.st.Effect = effect
}

// defBool is the value of a boolean option: on when it has none.
func defBool(e *pg.DefElem) bool {
	switch v := e.GetArg().GetNode().(type) {
	case *pg.Node_String_:
		switch strings.ToLower(v.String_.Sval) {
		case "false", "off", "0":
			return false
		}
	case *pg.Node_Integer:
		return v.Integer.Ival != 0
	case *pg.Node_Boolean:
		return v.Boolean.Boolval
	}
	return true
}

// callStatement is CALL: a row of the procedure's OUT arguments comes back.
func (r *resolver) callStatement(s *pg.CallStmt, l *queryLevel) {
	columns := r.called(s, l)
	r.st.Rows = len(columns) > 0
	r.returns(columns)
}

// called are the columns that a CALL returns.
func (r *resolver) called(s *pg.CallStmt, l *queryLevel) []column {
	return r.outColumns(s.Funccall, r.call(s.Funccall, l.under()))
}

// copy is COPY. Only to and from the client: files and programs are the server's.
func (r *resolver) copy(s *pg.CopyStmt) {
	r.st.Kind = "COPY"
	r.st.LiteralFree = false
	if s.Filename != "" || s.IsProgram {
		r.refuseKind("COPY to or from a file or program")
		return
	}
	r.st.Copy = copyOptions(s.Options)
	if s.Query != nil {
		r.st.Rows = true
		r.returns(r.query(s.Query, nil))
		return
	}
	rel := r.relation(s.Relation)
	if rel == nil {
		return
	}
	names := strs(s.Attlist)
	if s.IsFrom {
		r.copyFrom(rel, names, s)
		return
	}
	r.st.Rows = true
	if len(names) == 0 { // generated columns are left out
		for _, c := range rel.Columns {
			if c.Generated == "" {
				names = append(names, c.Name.Name)
			}
		}
	}
	t := table{columns: r.relationColumns(rel)}
	for _, name := range names {
		v, ok := t.find(name)
		if !ok {
			r.noColumn(quoteMessage(name), s.Relation.Location)
		}
		r.st.Columns = append(r.st.Columns, rewrite.ResultColumn{Name: name, Value: v.Value})
	}
}

// copyFrom is COPY ... FROM STDIN: the client's own data goes in.
func (r *resolver) copyFrom(rel *Relation, names []string, s *pg.CopyStmt) {
	for _, c := range rel.Columns {
		if len(names) == 0 || contains(names, c.Name.Name) {
			r.touch(&c.TableColumn)
			r.changes(&c.TableColumn)
		}
	}
	t := &table{schema: rel.Schema, name: rel.Name, columns: r.relationColumns(rel)}
	r.condition(s.WhereClause, &queryLevel{from: namespaceOf(t)}, "where")
}

// copyOptions reads the options that decide how rows look on the wire.
func copyOptions(options []*pg.Node) *rewrite.CopyFormat {
	f := &rewrite.CopyFormat{Format: "text"}
	for _, n := range options {
		e := n.GetDefElem()
		text := e.GetArg().GetString_().GetSval()
		switch e.GetDefname() {
		case "format":
			f.Format = text
		case "delimiter":
			f.Delimiter = text
		case "null":
			f.Null, f.HasNull = text, true
		case "quote":
			f.Quote = text
		case "escape":
			f.Escape = text
		case "header":
			f.Header = defBool(e)
		case "encoding":
			f.Encoding = text
		case "force_quote":
			f.ForceQuoteAll = e.GetArg().GetAStar() != nil
			for _, column := range e.GetArg().GetList().GetItems() {
				f.ForceQuote = append(f.ForceQuote, column.GetString_().GetSval())
			}
		}
	}
	return f
}

// refuseKind refuses a kind of statement for roles with masks.
func (r *resolver) refuseKind(what string) {
	r.unknown(rewrite.Refusal{
		Code: rewrite.CodeKind, Message: what + " is not for roles with masks",
		Hint: "Run it as a role that sees everything.",
	})
}
