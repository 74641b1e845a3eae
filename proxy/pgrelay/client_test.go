package pgrelay

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sqlveil/auditlog"
	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite/pgsql"
)

func TestLogin(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"dba", "analyst", "analyst_scram", "analyst_md5", "analyst_password"} {
		t.Run(user, func(t *testing.T) {
			conn := r.connect(user)
			if got := value(t, conn, "SELECT current_user::text"); got != user {
				t.Errorf("logged in as %s", got)
			}
		})
	}
	if got := len(r.audit.of(auditlog.AuthOK)); got != 5 {
		t.Errorf("%d logins on record", got)
	}
}

// The server cuts a long name off and would log in whoever the rest names.
func TestLoginByLongName(t *testing.T) {
	r := newRig(t)
	user := "analyst" + strings.Repeat("_", longestName-len("analyst"))
	if err := r.AddUser(t.Context(), user, proxytest.ByMD5, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.exec("DROP ROLE " + user) })
	for _, change := range []func(*pgx.ConnConfig){
		func(c *pgx.ConnConfig) { c.User = user + "x" },
		func(c *pgx.ConnConfig) { c.Database += strings.Repeat("x", longestName) },
	} {
		config, err := pgx.ParseConfig(r.dsn(user))
		if err != nil {
			t.Fatal(err)
		}
		change(config)
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err == nil {
			t.Errorf("logged in as %s", value(t, conn, "SELECT current_user::text"))
			conn.Close(t.Context())
		} else if !strings.Contains(err.Error(), "too long") {
			t.Error(err)
		}
	}
}

// What a role with masks may not SET it may not bring along either: planner
// settings make rows come in the order of an index over a protected column.
func TestSettingsBroughtAlong(t *testing.T) {
	r := newRig(t)
	_, address := r.proxy(t, func(relay *Relay) { relay.Fixed = pgsql.FixedSetting })
	for _, test := range []struct {
		user, name, value string
		welcome           bool
	}{
		{"analyst", "options", "-c enable_seqscan=off", false},
		{"analyst", "options", `--Enable-SeqScan=of\f`, false},
		{"analyst", "options", "-cstatement_timeout=0 -fs", false},
		{"analyst", "enable_seqscan", "off", false},
		{"analyst", "Random_Page_Cost", "0", false},
		{"analyst", "plpgsql.variable_conflict", "use_column", false},
		{"analyst", "enable_seqscan", "on", true},
		{"analyst", "options", "-c statement_timeout=9000 -c search_path=public --DateStyle=German", true},
		{"dba", "options", "-fs -c random_page_cost=0", true},
	} {
		config, err := pgx.ParseConfig(proxytest.PostgresDSN(address, test.user, r.database))
		if err != nil {
			t.Fatal(err)
		}
		config.RuntimeParams[test.name] = test.value
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err == nil {
			conn.Close(t.Context())
		}
		if (err == nil) != test.welcome || err != nil && !strings.Contains(err.Error(), "SV109") {
			t.Errorf("%s with %s=%q: %v", test.user, test.name, test.value, err)
		}
	}
}

func TestPsql(t *testing.T) {
	r := newRig(t)
	script := "SELECT id, mobile, salary, born FROM person ORDER BY id LIMIT 2;\n"
	if got, want := r.psql("dba", script), "1|13800000001|1001.00|2000-01-02\n2|13800000002|1002.00|2000-01-03\n"; got != want {
		t.Errorf("dba sees %q, want %q", got, want)
	}
	if got, want := r.psql("analyst", script), "1|138****0001||1970-01-01\n2|138****0002||1970-01-01\n"; got != want {
		t.Errorf("analyst sees %q, want %q", got, want)
	}
}

func TestModes(t *testing.T) {
	r := newRig(t)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			conn := r.connect("analyst", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = mode })
			for range 3 {
				if got, want := value(t, conn, "SELECT mobile FROM person WHERE id = $1", 7), "138****0007"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if got, want := value(t, conn, "SELECT m FROM (SELECT id, mobile m FROM person) p WHERE id = $1", 8), "138****0008"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			_, err := conn.Exec(context.Background(), "SELECT name FROM person WHERE salary > 1000")
			if stateOf(err) != "42501" || !strings.Contains(err.Error(), "sqlveil: ") {
				t.Errorf("a refused statement gave %v", err)
			}
			if got := value(t, conn, "SELECT count(*)::text FROM person"); got != "100" {
				t.Errorf("after a refusal: %q", got)
			}
		})
	}
}
