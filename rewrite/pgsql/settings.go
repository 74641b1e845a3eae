package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
)

// set is SET and RESET.
func (r *resolver) set(s *pg.VariableSetStmt) {
	r.st.LiteralFree = false
	name := strings.ToLower(s.Name)
	if s.Kind == pg.VariableSetKind_VAR_RESET_ALL {
		name = "search_path"
	}
	if s.Kind == pg.VariableSetKind_VAR_RESET_ALL || s.Kind == pg.VariableSetKind_VAR_RESET {
		r.st.Kind = "RESET"
	}
	var values []string
	for _, n := range s.Args {
		if c := n.GetAConst(); c != nil && c.GetSval() != nil {
			values = append(values, c.GetSval().Sval)
		}
	}
	r.setting(name, values, s.Kind == pg.VariableSetKind_VAR_SET_VALUE)
	if len(values) != len(s.Args) { // a number may be a schema's name
		r.newPath = nil
	}
}

// setting records what a setting's new value means to the statements after it.
// given is false when it goes back to a default.
func (r *resolver) setting(name string, values []string, given bool) {
	switch name {
	case "search_path", "role", "session_authorization", "schema", "transaction_isolation":
		r.st.Effect.Path = true
		r.movesPath = r.movesPath || name != "transaction_isolation"
		if name == "search_path" && given {
			r.newPath = r.effectivePath(values)
		}
	case "standard_conforming_strings":
		r.rereads()
		if given && !settingOn(values) {
			r.refuseSetting(name, "With it off, strings cannot be told from code. Use E'...' for backslash escapes.")
		}
	case "client_encoding", "names":
		r.rereads()
		if given && !isUnconverted(values) {
			r.st.Unknown = append(r.st.Unknown, rewrite.Refusal{
				Code: rewrite.CodeEncoding, Message: "client_encoding may only be UTF8 for roles with masks",
				Hint: "Let the client use UTF8.",
			})
		}
	default:
		if given && fixedTo(name, values) {
			r.refuseSetting(name, "Leave it as the server has it.")
		}
	}
}

// FixedSetting says whether a setting may not have a value for roles with masks.
// Those that decide how a text is read are looked at when one is.
func FixedSetting(name, value string) bool { return fixedTo(strings.ToLower(name), []string{value}) }

// fixedTo says whether a setting may not have the values. What the server's planner
// may use anyway may be switched on.
func fixedTo(name string, values []string) bool {
	return fixedSetting(name) && !(strings.HasPrefix(name, "enable_") && settingOn(values))
}

// fixedSetting says whether a setting is the server's alone to make: it decides
// which code runs or what names mean, or makes the planner read a table by an
// index, so that rows come in the order of a protected column.
func fixedSetting(name string) bool {
	switch name {
	case "session_replication_role", "session_preload_libraries", "local_preload_libraries", "dynamic_library_path",
		"jit_provider", "backtrace_functions", "allow_system_table_mods", "zero_damaged_pages", "ignore_system_indexes",
		"plpgsql.variable_conflict", "effective_cache_size", "cursor_tuple_fraction":
		return true
	}
	return strings.HasPrefix(name, "enable_") || strings.HasSuffix(name, "_cost")
}

// fixedValue says whether a value is one that some [fixedSetting], or a setting
// that decides how texts are read, takes.
func fixedValue(value string) bool {
	if settingOn([]string{value}) || isUnconverted([]string{value}) {
		return true
	}
	return !strings.ContainsAny(value, ", ") // a list is what none of them takes
}

// rereads records that the texts that follow may be read in another way. The
// server has read this one already.
func (r *resolver) rereads() {
	r.samePath = !r.st.Effect.Path
	r.st.Effect.Path = true
}

func (r *resolver) refuseSetting(name, hint string) {
	r.unknown(rewrite.Refusal{Code: rewrite.CodeSetting, Message: "setting " + name + " may not be changed so by roles with masks", Hint: hint})
}

func settingOn(values []string) bool {
	return len(values) == 1 && slices.Contains([]string{"on", "true", "yes", "1", "t", "y", "tr", "tru", "ye"}, strings.ToLower(values[0]))
}

// isUnconverted reports whether an encoding leaves UTF-8 as it is.
func isUnconverted(values []string) bool {
	if len(values) != 1 {
		return false
	}
	name := strings.Map(func(c rune) rune {
		if c == '-' || c == '_' {
			return -1
		}
		return c
	}, strings.ToLower(strings.Trim(values[0], "'")))
	return name == "utf8" || name == "unicode" || name == "sqlascii"
}

// setConfig is set_config(name, value, is_local): SET in a function.
func (r *resolver) setConfig(args []value) {
	r.st.LiteralFree = false
	r.st.Effect.Path = true
	if len(args) != 3 || !args[0].literal {
		// pg_dump sets what it finds in pg_settings. Any setting may be meant, but
		// those that matter take words and numbers of their own.
		if len(args) != 3 || !args[1].literal || fixedValue(args[1].text) {
			r.unsupported("set_config of a setting that is not a constant")
		}
		r.movesPath = true
		return
	}
	if args[1].literal {
		r.setting(strings.ToLower(args[0].text), []string{args[1].text}, true)
		r.newPath = nil
		return
	}
	switch name := strings.ToLower(args[0].text); {
	case name == "search_path", name == "role", name == "session_authorization":
		r.movesPath = true
	case name == "standard_conforming_strings", name == "client_encoding", name == "names", fixedSetting(name):
		r.refuseSetting(args[0].text, "Set it to a constant.")
	}
}

// effectivePath is where the server looks for names under a search_path
// setting: temporary tables and pg_catalog first unless they are listed, and
// only schemas that exist.
func (r *resolver) effectivePath(listed []string) []string {
	var out []string
	if temp := r.tempSchema(); temp != "" && !slices.Contains(listed, "pg_temp") {
		out = append(out, temp)
	}
	if !slices.Contains(listed, systemSchema) {
		out = append(out, systemSchema)
	}
	for _, schema := range listed {
		switch {
		case schema == "$user":
			schema = r.scope.User
		case schema == "pg_temp":
			schema = r.tempSchema()
		}
		if schema != "" && r.catalog.HasSchema(schema) && !slices.Contains(out, schema) {
			out = append(out, schema)
		}
	}
	return out
}

// splitPath reads a search_path setting as the server keeps it: names
// separated by commas, quoted where they must be.
func splitPath(list string) []string {
	var out []string
	l := lexer{text: list}
	for {
		switch t := l.next(); t.kind {
		case tokenEnd, tokenBroken:
			return out
		case tokenWord:
			out = append(out, strings.ToLower(list[t.start:t.end]))
		case tokenQuoted:
			out = append(out, strings.ReplaceAll(list[t.start+1:t.end-1], `""`, `"`))
		}
	}
}
