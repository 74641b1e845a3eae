package mysql

import (
	"math"
	"strings"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// shownCounter is what SHOW STATUS tells of the work that statements made: it
// counts the rows that an UPDATE changed and the bytes that a value has.
var shownCounter = &rewrite.TableColumn{
	Name: masking.Column{Database: "information_schema", Table: "SESSION_STATUS", Name: "VARIABLE_VALUE"}, Type: "varchar(2048)", System: true, Rel: math.MaxUint32,
}

// counters are how the names of such variables begin.
//
// https://mariadb.com/kb/en/server-status-variables/
var counters = []string{
	"handler_", "innodb_", "binlog_", "aria_", "key_", "rows_", "bytes_", "created_tmp_", "sort_", "memory_", "max_statement_time", "qcache_",
	"tmp_space", "wsrep_replicated", "wsrep_received", "wsrep_local", "rocksdb_", "tokudb_", "columnstore_", "performance_schema_", "empty_queries",
}

// showsCounters says whether SHOW STATUS may show counters: all of it does, and a
// LIKE that matches the name of one.
func (in *input) showsCounters(at int) bool {
	if !in.word(at, "LIKE") || len(in.tokens) != at+2 || in.tokens[at+1].kind != tokenString {
		return true
	}
	t := in.tokens[at+1]
	pattern := strings.ToLower(in.raw[t.start+1 : t.end-1])
	literal := pattern
	if wild := strings.IndexAny(pattern, `%\`); wild >= 0 {
		literal = pattern[:wild]
	}
	for _, c := range counters {
		n := min(len(c), len(literal))
		if alike(literal[:n], c[:n]) && (n == len(c) || literal != pattern) {
			return true
		}
	}
	return false
}

// alike compares with _ standing for any character.
func alike(pattern, text string) bool {
	for i := range len(pattern) {
		if pattern[i] != '_' && pattern[i] != text[i] {
			return false
		}
	}
	return true
}
