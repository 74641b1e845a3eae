package mysql

import (
	"regexp"
	"slices"
	"strings"
)

// tiDBFeatures are the features of TiDB's /*T![feature] ... */ comments that every
// release since 6.5 knows. One that does not know a feature takes the comment for
// one.
//
// https://docs.pingcap.com/tidb/stable/comment-syntax/
var tiDBFeatures = []string{"auto_rand", "auto_id_cache", "auto_rand_base", "clustered_index", "force_inc", "placement", "ttl"}

// featureList is what stands behind /*T! where the comment names its features.
var featureList = regexp.MustCompile(`^\[([a-z_]+(?:,[a-z_]+)*)\]`)

// feature decides about TiDB's /*T! ... */ and /*T![feature] ... */. Of features that
// only some releases know it cannot be said here what the server does.
func (l *lexer) feature() bool {
	const mark = 4
	if l.peek(mark) != '[' {
		return l.open(mark)
	}
	list := featureList.FindStringSubmatch(l.text[l.at+mark:])
	if list == nil || slices.ContainsFunc(strings.Split(list[1], ","), func(f string) bool { return !slices.Contains(tiDBFeatures, f) }) {
		return false
	}
	return l.open(mark + len(list[0]))
}

// tiDBMarker is a table of information_schema that TiDB alone has, whatever version
// it is configured to tell.
const tiDBMarker = "tidb_servers_info"

// asTiDB makes a mode one of TiDB, which may be configured to tell any version.
func asTiDB(mode string) string {
	if saysTiDB(mode) {
		return mode
	}
	return mode + "-TiDB"
}

func saysTiDB(mode string) bool { return strings.Contains(strings.ToLower(mode), "tidb") }

// harmlessTiDBSettings are the settings of TiDB's own that choose plans, memory,
// concurrency and locks for the session alone. The others are refused: some read
// what tables held before, under the definitions of then (tidb_snapshot,
// tidb_read_staleness), change how texts are read, or write down what statements say.
//
// https://docs.pingcap.com/tidb/stable/system-variables/
var harmlessTiDBSettings = regexp.MustCompile(`^tidb_(opt_.*|.*_concurrency|mem_quota_query|txn_mode|isolation_read_engines|skip_isolation_level_check|` +
	`enable_clustered_index|constraint_check_in_place|constraint_check_in_place_pessimistic|retry_limit|disable_txn_auto_retry|` +
	`multi_statement_mode|allow_mpp|enforce_mpp|broadcast_join_threshold_size|broadcast_join_threshold_count|max_chunk_size|init_chunk_size|` +
	`index_lookup_size|index_join_batch_size|enable_parallel_apply|enable_vectorized_expression|partition_prune_mode|resource_control_strict_mode)$`)

// tiDBReadsThePast are settings of another name that do so.
var tiDBReadsThePast = []string{"tx_read_ts"}

// refusedByTiDB says whether a setting may not be made in front of TiDB.
func refusedByTiDB(name string) bool {
	return strings.HasPrefix(name, "tidb_") && !harmlessTiDBSettings.MatchString(name) || slices.Contains(tiDBReadsThePast, name)
}

// readsThePast says whether SET TRANSACTION or START TRANSACTION asks for what tables
// held at another time, under the definitions of then.
//
// https://docs.pingcap.com/tidb/stable/as-of-timestamp/
func (r *resolver) readsThePast() bool { return r.in.find(0, "OF") >= 0 }

// explainColumnsOfTiDB are the columns of a plan of TiDB's.
//
// https://docs.pingcap.com/tidb/stable/sql-statement-explain/
func explainColumnsOfTiDB(analyze bool, format string) []string {
	switch format {
	case "DOT":
		return words("dot contents")
	case "HINT":
		return words("hint")
	case "BINARY":
		return words("binary plan")
	case "TIDB_JSON":
		return words("TiDB_JSON")
	case "TRUE_CARD_COST":
		return words("id,estRows,estCost,costFormula,actRows,task,access object,execution info,operator info,memory,disk")
	}
	cost := map[string]string{"VERBOSE": "estCost,", "COST_TRACE": "estCost,costFormula,"}[format]
	if analyze {
		return words("id,estRows," + cost + "actRows,task,access object,execution info,operator info,memory,disk")
	}
	return words("id,estRows," + cost + "task,access object,operator info")
}

// shapeOfPlan are the columns of TiDB's plans that tell of operators alone. All
// others depend on the values that its planner reads: it works out subqueries
// that stand alone before it plans what is around them.
var shapeOfPlan = words("id,task")
