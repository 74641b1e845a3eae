package pgsql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// extremes are values of each type at which functions are known to fail: the
// ends of the range, the empty value, the infinite, the unusual.
var extremes = map[string][]string{
	"bool":        {"t", "f"},
	"int2":        {"0", "1", "-1", "32767", "-32768"},
	"int4":        {"0", "1", "-1", "5", "2147483647", "-2147483648"},
	"int8":        {"0", "1", "-1", "5000000000", "9223372036854775807", "-9223372036854775808"},
	"numeric":     {"0", "-1.5", "1e-300", "1e300", "NaN", "Infinity", "-Infinity", "12345678901234567890.5"},
	"float4":      {"0", "-1.5", "3e38", "1e-38", "NaN", "Infinity", "-Infinity"},
	"float8":      {"0", "-1.5", "1e308", "-1e308", "1e-300", "NaN", "Infinity", "-Infinity"},
	"money":       {"0", "-1.5", "92233720368547758.07", "-92233720368547758.08"},
	"text":        {"", "a", "Ärger 😀", " x ", `\`, "(", "%_", "{1,2}", "5", "2020-01-01", strings.Repeat("long ", 600)},
	"varchar":     {"", "a", "Ärger 😀", `\`, strings.Repeat("long ", 600)},
	"bpchar":      {"", "a", " x ", `\`},
	"name":        {"", "a", "pg_class", "Ärger"},
	"char":        {"", "a", `\377`},
	"cstring":     {"", "a"},
	"bytea":       {"", `\x00`, `\xff00fe`, `\x61`},
	"bit":         {"", "1", "101", strings.Repeat("10", 40)},
	"varbit":      {"", "1", "101", strings.Repeat("10", 40)},
	"date":        {"2000-02-29", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity"},
	"timestamp":   {"2000-02-29 12:00", "4713-01-01 00:00 BC", "294276-12-31 23:59:59.999999", "infinity", "-infinity"},
	"timestamptz": {"2000-02-29 12:00", "4713-01-01 00:00+00 BC", "294276-12-31 23:59:59.999999+00", "infinity", "-infinity"},
	"time":        {"00:00", "24:00", "23:59:59.999999"},
	"timetz":      {"00:00+00", "24:00+15", "23:59:59.999999-15:59"},
	"interval":    {"0", "178000000 years", "-178000000 years", "1 mon -1 day 0.5 sec", "2147483647 days", "-1000000000 hours"},
	"json":        {"null", "1", `"a"`, "[]", "[1,[2]]", `{"a":1}`, `{"a":{"b":null}}`, "1e400", `"\u00e4"`},
	"jsonb":       {"null", "1", `"a"`, "[]", "[1,[2]]", `{"a":1}`, `{"a":{"b":null}}`, "1e400", "true"},
	"jsonpath":    {"$", "$.a", "strict $.a.b", "$.a + 1"},
	"uuid":        {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
	"inet":        {"0.0.0.0/0", "255.255.255.255", "::", "ffff::1/64", "10.0.0.1/8"},
	"cidr":        {"0.0.0.0/0", "10.0.0.0/8", "::/0", "ffff::/16"},
	"macaddr":     {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"},
	"macaddr8":    {"00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff", "08:00:2b:ff:fe:01:02:03"},
	"oid":         {"0", "1259", "4294967295"},
	"xid":         {"0", "3", "4294967295"},
	"xid8":        {"0", "3", "18446744073709551615"},
	"cid":         {"0", "4294967295"},
	"tid":         {"(0,0)", "(4294967295,65535)"},
	"pg_lsn":      {"0/0", "FFFFFFFF/FFFFFFFF"},
	"regclass":    {"0", "pg_class"}, "regtype": {"0", "int4"}, "regproc": {"0", "now"}, "regnamespace": {"0", "public"},
	"regconfig": {"english", "simple"}, "regrole": {"0"}, "regoper": {"0"}, "regoperator": {"0"}, "regprocedure": {"0"},
	"regcollation":   {"0", `"C"`},
	"oidvector":      {"", "1 2"},
	"int2vector":     {"", "1 2"},
	"tsvector":       {"", "a:1 b:2", "'Ärger':1A"},
	"tsquery":        {"", "a", "a & !b", "a <-> b"},
	"xml":            {"", "a", "<a/>"},
	"point":          {"(0,0)", "(1e308,-1e308)", "(NaN,Infinity)"},
	"int4range":      {"empty", "[1,5)", "(,)", "[2147483646,2147483647)"},
	"int4multirange": {"{}", "{[1,5)}", "{(,)}"},
	"record":         {""},
	"_text":          {"{}", "{a,b}", "{NULL}", "{{a,b},{c,d}}", "[5:6]={a,b}", `{""}`},
	"_int4":          {"{}", "{1,2}", "{NULL}", "{{1,2},{3,4}}", "[5:6]={1,2}"},
	"_aclitem":       {"{}", "{postgres=r/postgres}"},
	"_bool":          {"{}", "{t}"},
	"_name":          {"{}", "{a}"},
	"_char":          {"{}", "{a}"},
	"aclitem":        {"postgres=r/postgres"},

	// of extensions
	"citext":        {"", "a", "Ärger 😀", `\`, "(", "é["},
	"hstore":        {"", "a=>1", `"Ä"=>NULL, b=>"x y"`, `"1"=>"1e400", t=>t`},
	"ltree":         {"", "a", "a.b.c"},
	"_ltree":        {"{}", "{a,a.b}"},
	"cube":          {"0", "(1e308,-1e308)", "(0,0),(1,1)", "(NaN)"},
	"seg":           {"0", "1e30 .. 2e30", "< 5"},
	"ean13":         {"9780201379624"},
	"lo":            {"0", "4294967295"},
	"regdictionary": {"simple", "unaccent"},
}

// probeTypes stand for the pseudo-types.
var probeTypes = map[string]string{
	"anyelement": "int4", "anynonarray": "int4", "anyarray": "_int4", "anyrange": "int4range", "anymultirange": "int4multirange",
	"anycompatible": "int4", "anycompatiblenonarray": "int4", "anycompatiblearray": "_int4", "anycompatiblerange": "int4range",
	"anycompatiblemultirange": "int4multirange", "any": "text",
}

// A probe is a function with values to call it with.
type probe struct {
	schema, name string
	types        []string // of its arguments
	casts        []string // how literals are made values of them
	kind         string   // pg_proc.prokind
	j            Judgement
}

// call is the call with the n-th value of each argument.
func (p probe) call(choice []int) string {
	args := make([]string, len(choice))
	for i, n := range choice {
		args[i] = literalOf(p.types[i], p.casts[i], n)
	}
	f := fmt.Sprintf("%s(%s)", pgx.Identifier{p.schema, p.name}.Sanitize(), strings.Join(args, ", "))
	switch p.kind {
	case "a":
		return "SELECT " + f + " FROM generate_series(1, 3)"
	case "w":
		return "SELECT " + f + " OVER () FROM generate_series(1, 3)"
	}
	return "SELECT " + f
}

func literalOf(typ, cast string, n int) string {
	if typ == "record" {
		return "ROW(1,'a')"
	}
	return fmt.Sprintf("'%s'::%s", strings.ReplaceAll(extremes[typ][n], "'", "''"), cast)
}

// probes are the functions of the system and of the bundled extensions that may
// be called and of which keep wants to know more.
func probes(t *testing.T, conn *pgx.Conn, keep func(probe) bool) []probe {
	t.Helper()
	var list []probe
	for _, r := range texts(t, conn, `SELECT n.nspname, p.proname, p.prokind, a.names, a.schemas, e.extname
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		CROSS JOIN LATERAL (SELECT string_agg(a.typname, ',' ORDER BY u.i) AS names, string_agg(s.nspname, ',' ORDER BY u.i) AS schemas
			FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (o, i) JOIN pg_type a ON a.oid = u.o JOIN pg_namespace s ON s.oid = a.typnamespace) a
		LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		LEFT JOIN pg_extension e ON e.oid = d.refobjid
		WHERE p.pronargs > 0 AND p.provariadic = 0 AND NOT EXISTS (SELECT FROM pg_aggregate g WHERE g.aggfnoid = p.oid AND g.aggkind <> 'n')
		ORDER BY p.oid`) {
		p := probe{schema: r[0], name: r[1], kind: r[2], types: strings.Split(r[3], ","), casts: strings.Split(r[4], ",")}
		p.j = JudgeCall(p.schema, p.name, r[5], p.types)
		known := p.j.Kind != Refused
		for i, typ := range p.types {
			if other := probeTypes[typ]; other != "" {
				p.types[i] = other
			}
			p.casts[i] = pgx.Identifier{p.casts[i], p.types[i]}.Sanitize()
			known = known && extremes[p.types[i]] != nil
		}
		if known && keep(p) {
			list = append(list, p)
		}
	}
	return list
}

// probesPerArgument bounds how many settings of the other arguments are tried.
const probesPerArgument = 8

// try is a function that runs a query and returns its error.
const try = `CREATE FUNCTION try(sql text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN EXECUTE sql; RETURN ''; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END$$`

// TestTotalFunctionsDoNotFail calls each function that is judged never to fail
// on an argument with values of that argument, the others staying as they are:
// either all calls fail or none.
func TestTotalFunctionsDoNotFail(t *testing.T) {
	conn := newTestServer(t).session(t)
	everyExtension(t, conn)
	run(t, conn, try)
	rng := rand.New(rand.NewPCG(1, 2))
	list := probes(t, conn, func(p probe) bool { return p.j.safe != 0 })
	if len(list) < 1000 {
		t.Errorf("only %d functions probed", len(list))
	}
	for _, p := range list {
		for i := range p.types {
			if !p.j.Fails(i) {
				p.vary(t, conn, rng, i)
			}
		}
	}
}

// datesEnd are functions which fail for some dates that are infinite or at the
// end of the range; see functions.txt.
var datesEnd = map[string]bool{"age": true, "date_trunc": true, "timezone": true, "timestamp": true, "timestamptz": true}

// values are the values to try for an argument.
func (p probe) values(argument int) []int {
	var list []int
	for n, v := range extremes[p.types[argument]] {
		end := strings.Contains(v, "infinity") || strings.Contains(v, "294276") || strings.Contains(v, "4713") || strings.Contains(v, "5874897")
		if !end || !datesEnd[p.name] {
			list = append(list, n)
		}
	}
	return list
}

// vary sets all arguments but one at random and tries every value of that one.
func (p probe) vary(t *testing.T, conn *pgx.Conn, rng *rand.Rand, argument int) {
	t.Helper()
	for range probesPerArgument {
		choice := make([]int, len(p.types))
		for i := range p.types {
			values := p.values(i)
			choice[i] = values[rng.IntN(len(values))]
		}
		var calls []string
		for _, n := range p.values(argument) {
			choice[argument] = n
			calls = append(calls, p.call(choice))
		}
		var failed, fine string
		var why string
		rows, err := conn.Query(t.Context(), "SELECT c, try(c) FROM unnest($1::text[]) c", calls)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var call, result string
			if err := rows.Scan(&call, &result); err != nil {
				t.Fatal(err)
			}
			if result == "" {
				fine = call
			} else {
				failed, why = call, result
			}
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		if failed != "" && fine != "" {
			t.Errorf("%.300s: %s", failed, why)
			return
		}
		if len(p.types) == 1 {
			return
		}
	}
}

// TestTotalCastsDoNotFail casts every value of every type.
func TestTotalCastsDoNotFail(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, "CREATE EXTENSION unaccent")
	run(t, conn, try)
	cast := func(typ string) string { return pgx.Identifier{"pg_catalog", typ}.Sanitize() }
	system := map[string]bool{}
	for _, r := range texts(t, conn, "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace") {
		system[r[0]] = true
	}
	for from := range extremes {
		for to := range extremes {
			if !system[from] || !system[to] || from == "record" || !CastTotal(from, to) {
				continue
			}
			for _, n := range (probe{name: "timestamp", types: []string{from}}).values(0) {
				sql := fmt.Sprintf("SELECT %s::%s", literalOf(from, cast(from), n), cast(to))
				why := texts(t, conn, "SELECT try('"+strings.ReplaceAll(sql, "'", "''")+"')")[0][0]
				if why != "" && !strings.HasPrefix(why, "42846") { // there is no such cast
					t.Errorf("%s: %s", sql, why)
				}
			}
		}
	}
}

// TestCastsKeepText compares what the types' output functions print.
func TestCastsKeepText(t *testing.T) {
	conn := newTestServer(t).session(t)
	cast := func(typ string) string { return pgx.Identifier{"pg_catalog", typ}.Sanitize() }
	for from, values := range extremes {
		for to := range extremes {
			if from == to || !CastKeepsText(from, to) {
				continue
			}
			for n := range values {
				v := literalOf(from, cast(from), n)
				r := texts(t, conn, fmt.Sprintf("SELECT format('%%s', %s), format('%%s', %s::%s)", v, v, cast(to)))[0]
				if strings.TrimRight(r[0], " ") != strings.TrimRight(r[1], " ") { // char(n) is padded
					t.Errorf("%s to %s: %q becomes %q", from, to, r[0], r[1])
				}
			}
		}
	}
}
