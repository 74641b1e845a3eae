package mysql

import (
	"slices"
	"strings"
)

// sensitive says whether a column of the server's own schemas holds data: values
// of tables, other sessions' statements, secrets.
func sensitive(schema, table, column string) bool {
	schema, table, column = strings.ToLower(schema), strings.ToLower(table), strings.ToLower(column)
	if schema == "sys" {
		return slices.Contains(sysStatements, column)
	}
	for _, s := range sensitiveColumns[schema] {
		if prefix, ok := strings.CutSuffix(s.table, "*"); s.table != table && !(ok && strings.HasPrefix(table, prefix)) {
			continue
		}
		if s.columns == nil || slices.Contains(s.columns, column) {
			return true
		}
	}
	return false
}

// A sensitiveTable names a table, or those with a prefix before *, and its
// columns that hold data, nil for all.
type sensitiveTable struct {
	table   string
	columns []string
}

// sysStatements are the columns of the views in sys that show statements.
var sysStatements = []string{
	"query", "current_statement", "last_statement", "statement", "sql_text", "waiting_query", "blocking_query",
	"waiting_trx_query", "blocking_trx_query", "waiting_lock_data", "blocking_lock_data", "last_error_message", "variable_value",
	"sql_kill_blocking_query", "object_name_data", "thd_query", "query_sample_text", "digest_text", "message",
}

var sensitiveColumns = map[string][]sensitiveTable{
	"information_schema": {
		{"processlist", []string{"info", "info_binary"}},
		{"cluster_processlist", []string{"info"}},
		{"column_statistics", []string{"histogram"}},
		{"optimizer_trace", nil},
		{"query_cache_info", nil},
		{"innodb_trx", []string{"trx_query", "trx_rows_modified", "trx_weight", "trx_lock_memory_bytes"}},
		{"innodb_metrics", nil},
		{"innodb_sys_tablestats", []string{"modified_counter"}},
		{"innodb_tablestats", []string{"modified_counter"}},
		{"session_status", []string{"variable_value"}},
		{"global_status", []string{"variable_value"}},
		{"table_statistics", nil},
		{"index_statistics", nil},
		{"user_statistics", nil},
		{"client_statistics", nil},
		{"innodb_locks", []string{"lock_data"}},
		{"innodb_ft_index_table", nil},
		{"innodb_ft_index_cache", nil},
		{"innodb_buffer*", nil},
		{"profiling", []string{"query"}},
		{"user_attributes", []string{"attribute"}},
		{"sql_functions", nil},
		// TiDB
		{"slow_query", nil},
		{"cluster_slow_query", nil},
		{"statements_summary*", nil},
		{"cluster_statements_summary*", nil},
		{"tidb_statements_stats", nil},
		{"cluster_tidb_statements_stats", nil},
		{"data_lock_waits", nil},
		{"deadlocks", nil},
		{"cluster_deadlocks", nil},
		{"tidb_trx", nil},
		{"cluster_tidb_trx", nil},
		{"tikv_region_status", []string{"start_key", "end_key"}},
		{"tikv_region_peers", nil},
		{"tidb_hot_regions*", nil},
		{"cluster_log", nil},
		{"tidb_plan_cache", nil},
		{"cluster_tidb_plan_cache", nil},
		{"client_errors_summary*", nil},
		{"table_storage_stats", nil},
		{"memory_usage_ops_history", nil},
		{"runaway_watches", nil},
		{"cluster_memory_usage_ops_history", nil},
		{"cluster_data_lock_waits", nil},
		{"ddl_jobs", []string{"query"}},
		{"analyze_status", []string{"fail_reason"}},
		{"tidb_index_usage", nil},
		{"cluster_tidb_index_usage", nil},
	},
	"performance_schema": {
		{"events_statements*", nil},
		{"prepared_statements_instances", []string{"sql_text"}},
		{"session_status", []string{"variable_value"}},
		{"global_status", []string{"variable_value"}},
		{"status_by_*", []string{"variable_value"}},
		{"table_io_waits*", nil},
		{"file_*", nil},
		{"socket_*", nil},
		{"memory_summary*", nil},
		{"threads", []string{"processlist_info"}},
		{"processlist", []string{"info"}},
		{"user_variables_by_thread", nil},
		{"data_locks", []string{"lock_data"}},
		{"metadata_locks", []string{"object_name"}},
		{"error_log", nil},
		{"replication_applier_status*", []string{"last_error_message"}},
		{"replication_connection_status", []string{"last_error_message"}},
		{"replication_asynchronous_connection_failover", nil},
		{"firewall*", nil},
		{"keyring_keys", nil},
		{"tidb_profile*", nil},
	},
	"mysql": {
		{"user", []string{"password", "authentication_string", "user_attributes", "plugin_auth_string"}},
		{"global_priv", []string{"priv"}},
		{"password_history", []string{"password"}},
		{"servers", nil},
		{"slave_master_info", nil},
		{"slave_relay_log_info", nil},
		{"general_log", nil},
		{"slow_log", nil},
		{"column_stats", nil},
		{"spider*", nil},
		{"oqgraph*", nil},
		{"audit_log*", nil},
		{"firewall*", nil},
		{"component_config", nil},
		// TiDB
		{"stats_*", nil},
		{"bind_info", nil},
		{"analyze_jobs", nil},
		{"column_stats_usage", nil},
		{"tidb_*", nil},
		{"plan_replayer*", nil},
		{"load_data_jobs", nil},
		{"schema_index_usage", nil},
		{"index_advisor_results", nil},
		{"expr_pushdown_blacklist", nil},
	},
	"metrics_schema": {{"*", nil}},
}
