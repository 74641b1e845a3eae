package mysql

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// fakeServer answers the loader's questions with two tables, a view and routines.
func fakeServer(_ context.Context, query string) ([][]*string, error) {
	answers := map[string]string{
		"SELECT CONCAT(@@GLOBAL":                      "|utf8mb4|8.0.36\t1",
		"SELECT CONCAT_WS":                            "print",
		"SELECT SCHEMA_NAME":                          "shop",
		"SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE": "shop\tbuyer\tBASE TABLE\tInnoDB\nshop\tsale\tBASE TABLE\tInnoDB\nshop\tv\tVIEW\t",
		"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME": "shop\tbuyer\tid\tint\tint\t10\t0\tNO\t\t\tPRI\t\nshop\tbuyer\tmail\tvarchar\tvarchar(20)\t\t\tYES\t\t\t\t\n" +
			"shop\tbuyer\tpay\tdecimal\tdecimal(8,2)\t8\t2\tYES\t\t\t\t\nshop\tbuyer\tup\tvarchar\tvarchar(20)\t\t\tYES\tVIRTUAL GENERATED\tupper(`mail`)\t\t\n" +
			"shop\tsale\tid\tint\tint\t10\t0\tNO\t\t\tPRI\t\nshop\tsale\tbuyer\tint\tint\t10\t0\tYES\t\t\t\t\nshop\tsale\tdoc\tjson\tjson\t\t\tYES\t\t\t\t\n" +
			"shop\tv\tid\tint\tint\t10\t0\tNO\t\t\tPRI\t\nshop\tv\tm\tvarchar\tvarchar(20)\t\t\tYES\t\t\t\t",
		"SELECT TABLE_SCHEMA, TABLE_NAME, VIEW": "shop\tv\tselect `shop`.`buyer`.`id` AS `id`,`shop`.`buyer`.`mail` AS `m` from `shop`.`buyer`",
		"SELECT ROUTINE_SCHEMA": "shop\tf\tFUNCTION\tSQL\tBEGIN DECLARE a INT; SELECT mail INTO a FROM buyer WHERE id = n; RETURN a; END\t\n" +
			"shop\tp\tPROCEDURE\tSQL\tSELECT * FROM buyer WHERE id = n\t",
		"SELECT SPECIFIC_SCHEMA": "shop\tf\tFUNCTION\tn\tIN\nshop\tp\tPROCEDURE\tn\tIN",
	}
	best := ""
	for start := range answers {
		if strings.HasPrefix(query, start) && len(start) > len(best) {
			best = start
		}
	}
	if best == "" {
		return nil, fmt.Errorf("not asked for here: %s", query)
	}
	var rows [][]*string
	for _, line := range strings.Split(answers[best], "\n") {
		var cells []*string
		for _, cell := range strings.Split(line, "\t") {
			cells = append(cells, &cell)
		}
		rows = append(rows, cells)
	}
	return rows, nil
}

func shopScope(t testing.TB) rewrite.Scope {
	t.Helper()
	catalog, err := Load(context.Background(), fakeServer)
	if err != nil {
		t.Fatal(err)
	}
	policy, problems := masking.Compile(masking.Spec{
		Version: 1, Levels: []string{"open", "secret"}, Unlabelled: "visible",
		Classes: map[string]masking.ClassSpec{"secret": {Level: "secret", Mask: masking.MaskSpec{"redact": nil}, Use: "deny"}},
		Columns: map[string]masking.ColumnSpec{"shop.buyer.mail": {Class: "secret"}, "shop.buyer.pay": {Class: "secret"}},
		Roles:   map[string]masking.RoleSpec{"clerk": {Clearance: "open"}, "boss": {Clearance: "secret"}},
	}, nil)
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p.Message)
		}
	}
	return rewrite.Scope{Role: policy.Role("clerk"), Policy: policy, Database: "shop", User: "clerk", SearchPath: []string{"shop"}, Catalog: catalog}
}

func plansOf(scope rewrite.Scope, text string) []*rewrite.Plan {
	return rewrite.NewPlanner(Dialect{}, 1).Plan(scope, text)
}

// TestFoldedNames is lower_case_table_names = 1, as on the fake server.
func TestFoldedNames(t *testing.T) {
	scope := shopScope(t)
	for _, sql := range []string{
		"SELECT B.Mail FROM SHOP.Buyer AS b", "SELECT buyer.MAIL FROM BUYER", "WITH X AS (SELECT mail FROM buyer) SELECT * FROM x", "SELECT m FROM V",
		"SELECT up FROM buyer",
	} {
		plan := plansOf(scope, sql)[0]
		if plan.Refuse != nil || len(plan.Outputs) != 1 || plan.Outputs[0].Mask == nil {
			t.Errorf("%s: %+v", sql, plan)
		}
	}
}

// TestMySQL has what MariaDB does not.
func TestMySQL(t *testing.T) {
	scope := shopScope(t)
	for sql, want := range map[string]int{
		"INSERT INTO sale (id, buyer) VALUES (1, 2) AS new(a, b) ON DUPLICATE KEY UPDATE buyer = new.b": 0,
		"EXPLAIN SELECT 1": 12 + 1, "EXPLAIN FORMAT=TREE SELECT 1": 1, "SHOW INDEX FROM sale": 15, "SHOW COLLATION": 7, "SHOW PROCESSLIST": 8,
		"SELECT doc->>'$.a' FROM sale": 1,
	} {
		plan := plansOf(scope, sql)[0]
		if plan.Refuse != nil || len(plan.Outputs) != want {
			t.Errorf("%s: %d columns, %v", sql, len(plan.Outputs), plan.Refuse)
		}
	}
	for _, sql := range []string{
		"INSERT INTO sale (id, buyer) VALUES (1, 2) AS new ON DUPLICATE KEY UPDATE buyer = (SELECT pay FROM buyer LIMIT 1)",
		"INSERT INTO sale (id) VALUES (1) RETURNING id", "SELECT seq FROM seq_1_to_3", "EXPLAIN ANALYZE SELECT mail FROM buyer",
	} {
		if plan := plansOf(scope, sql)[0]; plan.Refuse == nil {
			t.Errorf("%s was not refused", sql)
		}
	}
}

func TestNoDatabase(t *testing.T) {
	scope := shopScope(t)
	scope.Database, scope.SearchPath = "", nil
	plan := plansOf(scope, "SELECT mail FROM buyer")[0]
	if plan.Refuse == nil || plan.Refuse.SQLState != "3D000" {
		t.Errorf("got %v", plan.Refuse)
	}
	if plan := plansOf(scope, "SELECT mail FROM shop.buyer")[0]; plan.Refuse != nil || plan.Effect.ReadsPath {
		t.Errorf("got %v, reads path %v", plan.Refuse, plan.Effect.ReadsPath)
	}
}

func TestStatementsOfAText(t *testing.T) {
	scope := shopScope(t)
	text := " SELECT 1 ; -- a\n SELECT 'é;' FROM sale; "
	var parts []string
	for _, st := range (Dialect{}).Analyse(scope, text) {
		parts = append(parts, text[st.Start:st.End])
	}
	if got := strings.Join(parts, "|"); got != "SELECT 1|SELECT 'é;' FROM sale" {
		t.Errorf("got %q", got)
	}
	scope.Mode = "|latin1"
	latin := "SELECT '\xe9'; SELECT 2"
	parts = nil
	for _, st := range (Dialect{}).Analyse(scope, latin) {
		parts = append(parts, latin[st.Start:st.End])
	}
	if got := strings.Join(parts, "|"); got != "SELECT '\xe9'|SELECT 2" {
		t.Errorf("got %q", got)
	}
}

// FuzzAnalyse checks that no text makes the analysis panic, that each has a
// statement, and that a boss is refused nothing.
func FuzzAnalyse(f *testing.F) {
	files, err := filepath.Glob("../testdata/mysql/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n\n") {
			statement, _, _ := strings.Cut(block, "\n----")
			for old, name := range map[string]string{"person": "buyer", "visit": "sale", "mobile": "pay", "p_": "p; ", "f_mail": "f", "v_buyer": "v"} {
				statement = strings.ReplaceAll(statement, old, name)
			}
			f.Add(statement)
		}
	}
	scope := shopScope(f)
	boss := scope
	boss.Role = scope.Policy.Role("boss")
	f.Fuzz(func(t *testing.T, text string) {
		for _, mode := range []string{"", "ANSI_QUOTES|utf8mb4|10.11.6-MariaDB", "|latin1|8.0.11-TiDB-v7"} {
			scope.Mode, boss.Mode = mode, mode
			plans := plansOf(scope, text)
			if len(plans) == 0 && strings.TrimFunc(text, func(c rune) bool { return c < 128 && isSpace(byte(c)) }) != "" {
				t.Fatalf("%q has no plan", text)
			}
			for _, p := range plans {
				if p.Start < 0 || p.End < p.Start || p.End > len(text) {
					t.Fatalf("%q: from %d to %d", text, p.Start, p.End)
				}
			}
			for _, p := range plansOf(boss, text) {
				if p.Refuse != nil {
					t.Fatalf("%q: the boss was refused: %v", text, p.Refuse)
				}
			}
		}
	})
}

// The names that stand for what is cut out are nobody else's: a table of such a name
// would be taken for it.
func TestNamesOfStandInsAreRefused(t *testing.T) {
	scope := shopScope(t)
	for name, refused := range map[string]bool{"t0": false, "\x01t0": true, "\x01T0": true} {
		text := "SELECT j.v FROM JSON_TABLE('[1]', '$[*]' COLUMNS (v INT PATH '$')) j JOIN `" + name + "` k ON true"
		plans := rewrite.NewPlanner(Dialect{}, 1).Plan(scope, strings.ReplaceAll(text, "`t0`", "buyer"))
		if len(plans) != 1 || (plans[0].Refuse != nil) != refused {
			t.Errorf("%q: %+v", text, plans[0].Refuse)
		}
	}
}
