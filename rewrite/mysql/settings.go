package mysql

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/rewrite"
)

// harmlessForStatement are the settings that SET STATEMENT ... FOR may make.
var harmlessForStatement = []string{
	"max_statement_time", "sort_buffer_size", "join_buffer_size", "tmp_table_size", "max_heap_table_size", "read_rnd_buffer_size",
	"optimizer_switch", "optimizer_search_depth", "optimizer_use_condition_selectivity", "join_cache_level", "lock_wait_timeout",
	"innodb_lock_wait_timeout", "time_zone", "query_cache_type",
}

// set resolves SET.
func (r *resolver) set(l *level) (columns []column, rows bool) {
	at := 1
	if r.in.word(at, "GLOBAL") || r.in.word(at, "SESSION") || r.in.word(at, "LOCAL") {
		at++
	}
	switch {
	case r.in.word(1, "STATEMENT") && r.mode.flavour == flavourMariaDB:
		return r.setStatement(l)
	case r.in.word(at, "TRANSACTION"):
		r.kind("SET TRANSACTION")
		if r.readsThePast() {
			r.refuseKind("SET TRANSACTION ... AS OF TIMESTAMP")
		}
		return nil, false
	case r.in.word(1, "ROLE"):
		r.kind("SET ROLE")
		r.st.Effect.Catalog = true // what the session may see
		return nil, false
	case r.in.word(1, "PASSWORD"), r.in.word(1, "DEFAULT"), r.in.word(1, "RESOURCE"):
		r.refuseKind("SET " + r.in.keyword(1))
		return nil, false
	}
	if name, ok := r.names(); ok {
		r.charset("names", name, true)
		if !r.in.word(1, "NAMES") {
			r.connection("") // the current database's
		}
		return nil, false
	}
	node, err := r.parse("", r.in.start, r.in.end)
	s, ok := node.(*ast.SetStmt)
	if err != nil || !ok {
		r.unparsed(orSyntax(err))
		return nil, false
	}
	in := l.under()
	for _, v := range s.Variables {
		r.assignSetting(v, in)
	}
	return nil, false
}

// names is the character set of SET NAMES and SET CHARACTER SET, which the parser
// refuses when it does not know it.
func (r *resolver) names() (charset string, ok bool) {
	at := 2
	switch {
	case r.in.word(1, "NAMES"), r.in.word(1, "CHARSET"):
	case r.in.words(1, "CHARACTER", "SET"):
		at = 3
	default:
		return "", false
	}
	if last := len(r.in.tokens); at >= last || last > at+1 && !(last == at+3 && r.in.word(at+1, "COLLATE")) || r.in.word(at, "DEFAULT") {
		return "", false
	}
	t := r.in.tokens[at]
	if t.kind == tokenString {
		return r.in.raw[t.start+1 : t.end-1], true
	}
	return r.in.identifier(at)
}

func orSyntax(err error) error {
	if err == nil {
		return errForm
	}
	return err
}

// setStatement is SET STATEMENT setting = value, ... FOR statement.
func (r *resolver) setStatement(l *level) (columns []column, rows bool) {
	end := r.in.find(2, "FOR")
	if end < 0 {
		r.unparsed(errForm)
		return nil, true
	}
	for i := 2; i < end; i++ {
		if i == 2 || r.in.tokens[i-1].kind == tokenComma {
			if name, ok := r.in.identifier(i); !ok || !slices.Contains(harmlessForStatement, strings.ToLower(name)) {
				r.refuseSetting(name, "Only settings of time and memory may be made for a statement.")
			}
		}
	}
	for i := 2; i < end; i++ {
		if r.in.tokens[i].kind == tokenOpen { // a subquery
			r.refuseSetting("of an expression", "Set it to a constant.")
		}
	}
	outer, base := r.in, r.base
	r.in = r.in.part(end+1, len(r.in.tokens))
	r.base = r.in.start
	defer func() { r.in, r.base = outer, base }()
	return r.run(l)
}

// assignSetting is one assignment of SET.
func (r *resolver) assignSetting(a *ast.VariableAssignment, l *level) {
	name := strings.ToLower(a.Name)
	var v value
	text, isText := settingText(a.Value)
	if !isText {
		r.within("field list", "", func() { v = r.expr(a.Value, l) })
		if v.literal {
			text, isText = v.text, true
		}
	}
	switch {
	case name == strings.ToLower(ast.SetNames), name == strings.ToLower(ast.SetCharset):
		r.charset("names", text, isText)
		if name == strings.ToLower(ast.SetCharset) {
			r.connection("")
		}
	case !a.IsSystem:
		r.flow(v, "a user variable")
	default:
		if _, ok := l.local(name); ok && r.program != nil {
			r.program.assign(name, v)
			return
		}
		r.flow(v, "a setting")
		r.setting(name, text, isText, v, a.IsGlobal || a.IsInstance)
	}
}

// settingText is a value that is a bare word.
func settingText(n ast.ExprNode) (string, bool) {
	if c, ok := n.(*ast.ColumnNameExpr); ok && c.Name.Table.O == "" {
		return c.Name.Name.O, true
	}
	return "", false
}

// setting records what a setting's new value means to the statements after it.
// known is false when the value is not a constant of the text.
func (r *resolver) setting(name, text string, known bool, v value, global bool) {
	if global || strings.HasPrefix(name, "global.") || strings.HasPrefix(name, "persist") {
		r.refuseSetting(name, "Settings of the whole server are made by a role that sees everything.")
		return
	}
	if r.mode.flavour == flavourTiDB && refusedByTiDB(name) {
		r.refuseSetting(name, "Leave it as the server has it.")
		return
	}
	switch name {
	case "sql_mode":
		r.st.Effect.Path = true
		r.sqlMode(text, known && (v.kind == typeText || v.kind == typeUnknown)) // a number is a set of bits
	case "character_set_client", "character_set_results", "character_set_connection":
		switch {
		case name == "character_set_connection" && !known:
			r.connection("")
		case !v.null && (known || name == "character_set_client"):
			r.charset(name, text, known)
		}
	case "collation_connection":
		charset, _, _ := strings.Cut(text, "_")
		if !known || r.depth > 0 {
			charset = ""
		}
		r.connection(charset)
	case "autocommit":
		r.st.Effect.End = true
	case "group_concat_max_len":
		if n, err := strconv.Atoi(text); !known || err != nil || n < shortestConcat {
			r.refuseSetting(name, "It may only be raised: a shorter limit would tell how long values are.")
		}
	case "pseudo_thread_id", "pseudo_slave_mode", "pseudo_replica_mode", "debug", "debug_dbug", "debug_sync", "old_mode", "old",
		"default_storage_engine", "storage_engine", "default_tmp_storage_engine", "enforce_storage_engine", "max_length_for_sort_data",
		"max_sort_length", "optimizer_trace", "session_track_system_variables":
		if name == "session_track_system_variables" || strings.HasSuffix(name, "storage_engine") && harmlessEngine(text) {
			return
		}
		r.refuseSetting(name, "Leave it as the server has it.")
	}
}

// shortestConcat is the least that group_concat_max_len may be set to: MySQL's default.
const shortestConcat = 1024

// sqlMode notes how the statements after this one are read.
func (r *resolver) sqlMode(text string, known bool) {
	if !known || r.depth > 0 { // some settings last as long as the routine that makes them
		r.moves = true
		return
	}
	m := r.nextMode()
	m.setSQLMode(text)
	if m.foreign != "" {
		r.refuseSetting("sql_mode", "Under "+m.foreign+" statements have another grammar, which is not read.")
	}
}

// nextMode is the mode that the statements after this one are read in.
func (r *resolver) nextMode() *mode {
	if r.newMode == nil {
		m := *r.mode
		r.newMode = &m
	}
	return r.newMode
}

// charset is SET NAMES and the settings of the client's character set.
func (r *resolver) charset(name, text string, known bool) {
	r.st.Effect.Path = true
	if !known || r.depth > 0 {
		r.moves = r.moves || name != "character_set_results"
	}
	if !known {
		return
	}
	if text = strings.ToLower(text); !readable(text) {
		r.unknown(rewrite.Refusal{
			Code: rewrite.CodeEncoding, Message: "character set " + text + " may not be used by roles with masks",
			Hint: "Use utf8mb4.",
		})
		return
	}
	if name == "names" || name == "character_set_client" {
		r.nextMode().charset = charsetName(text)
	}
	if name == "names" || name == "character_set_connection" {
		r.connection(text)
	}
}

// connection notes the character set that literals are written in from here on, ""
// for one that is not known.
func (r *resolver) connection(charset string) {
	r.st.Effect.Path = true
	r.nextMode().connection = charsetName(charset)
}

func (r *resolver) refuseSetting(name, hint string) {
	r.unknown(rewrite.Refusal{Code: rewrite.CodeSetting, Message: "setting " + name + " may not be changed so by roles with masks", Hint: hint})
}
