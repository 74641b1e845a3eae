package pgsql

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		schema, name, extension string
		kind                    FunctionKind
		total                   bool
		returns                 string
	}{
		{"pg_catalog", "lower", "", Pure, true, ""}, // of a range it is the bound
		{"pg_catalog", "md5", "", Pure, true, "text"},
		{"pg_catalog", "substr", "", Pure, false, ""},
		{"pg_catalog", "length", "", Pure, false, ""},
		{"pg_catalog", "count", "", Count, true, "int8"},
		{"pg_catalog", "max", "", Choice, true, ""},
		{"pg_catalog", "sum", "", Aggregate, false, ""},
		{"pg_catalog", "now", "", Session, false, "timestamptz"},
		{"pg_catalog", "set_config", "", Sink, false, "text"},
		{"pg_catalog", "pg_notify", "", Sink, false, ""},
		{"pg_catalog", "query_to_xml", "", Refused, false, ""},
		{"pg_catalog", "lo_get", "", Refused, false, ""},
		{"pg_catalog", "no_such_function", "", Refused, false, ""},
		{"public", "lower", "", Refused, false, ""},
		{"public", "dblink", "dblink", Refused, false, ""},
		{"public", "similarity", "pg_trgm", Pure, true, "float4"},
		{"public", "lower", "pg_trgm", Refused, false, ""},
	} {
		j := Judge(c.schema, c.name, c.extension)
		if j.Kind != c.kind || j.Total() != c.total || j.Returns != c.returns {
			t.Errorf("%s.%s (%s): %+v, want kind %d, total %v, returns %q", c.schema, c.name, c.extension, j, c.kind, c.total, c.returns)
		}
	}
}

func TestJudgeCall(t *testing.T) {
	for _, c := range []struct {
		name  string
		types []string
		kind  FunctionKind
		fails []bool
	}{
		{"length", []string{"text"}, Pure, []bool{false}},
		{"length", []string{"bytea", "name"}, Pure, []bool{true, true}},
		{"length", []string{"path"}, Pure, []bool{true}},
		{"length", []string{""}, Pure, []bool{true}}, // it might be a path
		{"substr", []string{"text", "int4", "int4"}, Pure, []bool{false, true, true}},
		{"to_char", []string{"timestamp", "unknown"}, Pure, []bool{true, true}},
		{"to_char", []string{"timestamp", "text"}, Pure, []bool{false, true}},
		{"to_char", []string{"numeric", "text"}, Pure, []bool{true, true}},
		{"json_build_object", []string{"text", "text", "text", "text"}, Pure, []bool{true, false, true, false}},
		{"array_agg", []string{"text"}, Aggregate, []bool{false}},
		{"array_agg", []string{"_text"}, Aggregate, []bool{true}},
		{"array_agg", []string{""}, Aggregate, []bool{true}},
		{"ts_rewrite", []string{"tsquery", "text"}, Refused, []bool{true, true}},
		{"ts_rewrite", []string{"tsquery", "tsquery", "tsquery"}, Pure, []bool{false, false, false}},
		{"lag", []string{"text", "int4", "text"}, Choice, []bool{false, true, false}},
	} {
		j := JudgeCall("pg_catalog", c.name, "", c.types)
		if j.Kind != c.kind {
			t.Errorf("%s(%v): kind %d, want %d", c.name, c.types, j.Kind, c.kind)
		}
		for i, want := range c.fails {
			if j.Fails(i) != want {
				t.Errorf("%s(%v): argument %d fails %v, want %v", c.name, c.types, i, !want, want)
			}
		}
	}
}

func TestJudgementNamed(t *testing.T) {
	if j := JudgeCall("pg_catalog", "regexp_like", "", []string{"text", "text"}).Named(); !j.Fails(0) || !j.Fails(1) || !j.Known {
		t.Errorf("regexp_like(pattern => ..., string => ...): %+v", j)
	}
	if j := JudgeCall("pg_catalog", "md5", "", []string{"text"}).Named(); !j.Total() {
		t.Errorf("md5: %+v", j)
	}
}

func TestJudgeOperation(t *testing.T) {
	for _, c := range []struct {
		name, left, right string
		known, total      bool
		returns           string
	}{
		{"=", "", "", true, true, "bool"},
		{"=", "text", "unknown", true, true, "bool"},
		{"=", "box", "box", true, false, "bool"},
		{"||", "text", "text", true, true, "text"},
		{"||", "text", "unknown", true, true, "text"},
		{"||", "varchar", "int4", true, true, "text"},
		{"||", "_text", "_text", true, false, ""},
		{"||", "jsonb", "jsonb", true, true, "jsonb"},
		{"||", "", "", true, false, ""},
		{"+", "int4", "int4", true, false, "int4"},
		{"/", "numeric", "int4", true, false, ""},
		{"-", "-", "int4", true, false, "int4"},
		{"~~", "text", "text", true, false, "bool"},
		{"->>", "jsonb", "text", true, true, "text"},
		{"#", "int4", "int4", true, true, "int4"},
		{"?#", "", "", true, false, "bool"},
		{"&&", "_text", "_text", true, true, "bool"},
		{"<@", "int4", "int4range", true, true, "bool"},
		{"=", "mood", "mood", true, true, "bool"},
		{"@#@", "", "", false, false, ""},
	} {
		j := JudgeOperation(c.name, c.left, c.right)
		if j.Known != c.known || j.Total() != c.total || j.Returns != c.returns {
			t.Errorf("%s %s %s: %+v, want known %v, total %v, returns %q", c.left, c.name, c.right, j, c.known, c.total, c.returns)
		}
	}
}

func TestCasts(t *testing.T) {
	for _, c := range []struct {
		from, to     string
		total, keeps bool
	}{
		{"text", "varchar", true, true},
		{"varchar", "text", true, true},
		{"text", "int4", false, false},
		{"text", "bytea", false, false},
		{"int4", "int8", true, true},
		{"int8", "int4", false, false},
		{"numeric", "text", true, true},
		{"numeric", "numeric", false, true},
		{"bool", "text", true, false},
		{"inet", "text", true, false},
		{"date", "text", true, true},
		{"date", "timestamp", true, false},
		{"json", "jsonb", false, false},
		{"_varchar", "_text", true, false},
		{"_numeric", "_numeric", false, true},
		{"", "text", false, false},
		{"money", "int4", false, false},
	} {
		if got := CastTotal(c.from, c.to); got != c.total {
			t.Errorf("%s to %s: total %v, want %v", c.from, c.to, got, c.total)
		}
		if got := CastKeepsText(c.from, c.to); got != c.keeps {
			t.Errorf("%s to %s: keeps the text %v, want %v", c.from, c.to, got, c.keeps)
		}
	}
}

// everyExtension makes each extension that the server has at hand. Those whose
// library lacks a program of another language stay out: what is not judged is refused.
func everyExtension(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	run(t, conn, `DO $$DECLARE e name; BEGIN
		FOR e IN SELECT name FROM pg_available_extensions ORDER BY name LOOP
			BEGIN
				EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', e);
			EXCEPTION WHEN undefined_file OR feature_not_supported OR insufficient_privilege THEN
				RAISE NOTICE 'no %: %', e, SQLERRM;
			END;
		END LOOP;
	END$$`)
}

func TestEveryFunctionIsJudged(t *testing.T) {
	conn := newTestServer(t).session(t)
	everyExtension(t, conn)
	rows := texts(t, conn, `SELECT DISTINCT n.nspname, p.proname, e.extname FROM pg_proc p
		JOIN pg_namespace n ON n.oid = p.pronamespace
		LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		LEFT JOIN pg_extension e ON e.oid = d.refobjid ORDER BY 3, 1, 2`)
	for _, r := range rows {
		if !Judge(r[0], r[1], r[2]).Known {
			t.Errorf("nobody has judged %s.%s (%s)", r[0], r[1], r[2])
		}
	}
	if len(rows) < 3000 {
		t.Errorf("only %d functions seen", len(rows))
	}
}

func TestEveryOperatorIsJudged(t *testing.T) {
	conn := newTestServer(t).session(t)
	for _, r := range texts(t, conn, `SELECT o.oprname, coalesce(l.typname, '-'), r.typname, p.proname, t.typname
		FROM pg_operator o LEFT JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright
		JOIN pg_type t ON t.oid = o.oprresult JOIN pg_proc p ON p.oid = o.oprcode`) {
		if line := strings.Join(r, " "); !strings.Contains(operatorsText, "\n"+line+"\n") {
			t.Errorf("nobody has judged operator %s", line)
		}
	}
}

// TestJudgementsAgreeWithTheServer finds judgements that a function's own
// declaration contradicts.
func TestJudgementsAgreeWithTheServer(t *testing.T) {
	conn := newTestServer(t).session(t)
	for _, r := range texts(t, conn, `SELECT p.proname, p.prokind, p.provolatile, t.typname,
			coalesce((SELECT string_agg(a.typname, ',' ORDER BY u.i) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (o, i)
			JOIN pg_type a ON a.oid = u.o), '')
		FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype WHERE p.pronamespace = 'pg_catalog'::regnamespace
		AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')`) {
		name, kind, volatility, result, signature := r[0], r[1], r[2], r[3], r[4]
		var types []string
		if signature != "" {
			types = strings.Split(signature, ",")
		}
		j := JudgeCall("pg_catalog", name, "", types)
		aggregate := j.Kind == Aggregate || j.Kind == Choice || j.Kind == Count
		switch {
		case (kind == "a" || kind == "w") != aggregate:
			t.Errorf("%s(%s) is of kind %s and judged %d", name, signature, kind, j.Kind)
		case volatility == "v" && j.Total() && name != "array_shuffle":
			t.Errorf("%s(%s) is volatile and judged total", name, signature)
		case j.Returns != "" && j.Returns != result:
			t.Errorf("%s(%s) returns %s, not %s", name, signature, result, j.Returns)
		}
	}
}
