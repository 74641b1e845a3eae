package myrelay

import (
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"sqlveil/auditlog"
	"sqlveil/proxy/proxytest"
)

// What TiDB alone has shows a role with masks nothing of protected values: neither
// statements that show what tables or other statements hold, nor tables that keep
// those, nor plans, into which TiDB puts what subqueries return. Other servers know
// hardly any of it.
func TestStatementsOfTiDB(t *testing.T) {
	r := newRig(t)
	direct, conn := r.connect("dba", func(c *driver.Config) { c.Addr = r.Addr() }), r.connect("analyst")
	const mobile, salary = "13800000001", "1001"
	known, refusal := 0, "error"
	if r.Product() == proxytest.ProductTiDB {
		refusal = "error 1142"
	}
	for _, form := range []struct {
		text    string
		refused bool
	}{
		{"ANALYZE TABLE person", false},
		{"TRACE SELECT mobile FROM person WHERE id = 1", true},
		{"TRACE FORMAT = 'row' SELECT mobile FROM person WHERE mobile = '" + mobile + "'", true},
		{"ADMIN SHOW DDL JOBS", true},
		{"ADMIN CHECKSUM TABLE person", true},
		{"ADMIN CHECK TABLE person", true},
		{"ADMIN SHOW SLOW RECENT 10", true},
		{"SPLIT TABLE person BETWEEN (0) AND (1000) REGIONS 2", true},
		{"BATCH ON id LIMIT 10 DRY RUN DELETE FROM person WHERE mobile = '" + mobile + "'", true},
		{"PLAN REPLAYER DUMP EXPLAIN SELECT mobile FROM person WHERE mobile = '" + mobile + "'", true},
		{"IMPORT INTO person FROM '/etc/passwd'", true},
		{"SHOW STATS_BUCKETS", true},
		{"SHOW STATS_TOPN", true},
		{"SHOW STATS_HISTOGRAMS", true},
		{"SHOW BINDINGS", true},
		{"SHOW SESSION_STATES", true},
		{"SHOW TABLE person REGIONS", true},
		{"SHOW TABLE person NEXT_ROW_ID", true},
		{"SHOW ANALYZE STATUS", true},
		{"SHOW CONFIG", true},
		{"SET SESSION tidb_snapshot = '2024-01-01 00:00:00'", true},
		{"START TRANSACTION READ ONLY AS OF TIMESTAMP NOW(6)", true},
		{"SELECT mobile FROM person AS OF TIMESTAMP NOW(6) WHERE id = 1", true},
		{"SELECT * FROM information_schema.statements_summary", false},
		{"SELECT * FROM information_schema.statements_summary_history", false},
		{"SELECT * FROM information_schema.slow_query", false},
		{"SELECT * FROM information_schema.processlist", false},
		{"SELECT * FROM information_schema.tidb_trx", false},
		{"SELECT * FROM information_schema.deadlocks", false},
		{"SELECT * FROM information_schema.memory_usage_ops_history", false},
		{"SELECT * FROM mysql.stats_top_n", false},
		{"SELECT * FROM mysql.stats_buckets", false},
		{"SELECT * FROM mysql.bind_info", false},
		{"EXPLAIN SELECT * FROM person WHERE id < (SELECT salary FROM person WHERE id = 1)", false},
		{"EXPLAIN SELECT (SELECT mobile FROM person WHERE id = 1)", false},
		{"EXPLAIN FORMAT = 'brief' SELECT name FROM person WHERE mobile = (SELECT mobile FROM person WHERE id = 1)", false},
		{"EXPLAIN FORMAT = 'tidb_json' SELECT (SELECT mobile FROM person WHERE id = 1)", false},
		{"EXPLAIN FORMAT = 'verbose' SELECT (SELECT mobile FROM person WHERE id = 1)", false},
		{"EXPLAIN FORMAT = 'dot' SELECT (SELECT mobile FROM person WHERE id = 1)", false},
		{"EXPLAIN ANALYZE SELECT (SELECT mobile FROM person WHERE id = 1)", false},
		{"SHOW WARNINGS", false},
	} {
		shown(t, direct, "SELECT id FROM person WHERE mobile = '"+mobile+"' AND salary = "+salary)
		if want := shown(t, direct, form.text); !strings.HasPrefix(want, "error") {
			known++
		}
		shown(t, direct, "ROLLBACK")
		got := shown(t, conn, form.text)
		if strings.Contains(got, mobile) || strings.Contains(got, salary) {
			t.Errorf("%s: released %s", form.text, got)
		}
		if form.refused && !strings.HasPrefix(got, refusal) {
			t.Errorf("%s: got %s", form.text, got)
		}
	}
	t.Logf("the server knows %d forms", known)
	if r.Product() == proxytest.ProductTiDB && known < 30 {
		t.Errorf("TiDB knows only %d forms", known)
	}
	if got := shown(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("then %s", got)
	}
	if begun, ended, refused := r.audit.count(auditlog.QueryBegin), r.audit.count(auditlog.QueryEnd), r.audit.count(auditlog.QueryRefuse); begun != ended || refused < 20 {
		t.Errorf("%d statements begun, %d ended, %d refused", begun, ended, refused)
	}
}
