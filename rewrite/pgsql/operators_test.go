package pgsql

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// operandTypes are the types that operands are tried of.
var operandTypes = []string{
	"bool", "int2", "int4", "int8", "numeric", "float4", "float8", "money", "text", "varchar", "bpchar", "name", "char", "bytea",
	"date", "timestamp", "timestamptz", "time", "timetz", "interval", "json", "jsonb", "uuid", "inet", "cidr", "macaddr", "oid",
	"regclass", "xid", "tid", "pg_lsn", "tsvector", "tsquery", "_text", "_int4", "_varchar", "int4range", "daterange", "bit", "varbit",
	"box", "point", "unknown",
}

// operandPairs is how many pairs of types are tried with each operator.
const operandPairs = 60

// TestOperatorsAsTheServerResolvesThem asks the server which operator, and which
// implicit casts, it takes for operands of some types: the judgement must not
// promise more than theirs.
func TestOperatorsAsTheServerResolvesThem(t *testing.T) {
	conn := newTestServer(t).session(t)
	run(t, conn, `CREATE FUNCTION tree(expression text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			EXECUTE 'CREATE OR REPLACE VIEW probe AS SELECT ' || expression || ' AS x';
			RETURN (SELECT ev_action::text FROM pg_rewrite WHERE ev_class = 'probe'::regclass);
		EXCEPTION WHEN undefined_function OR ambiguous_function OR invalid_text_representation OR datatype_mismatch
			OR indeterminate_datatype OR invalid_table_definition OR invalid_datetime_format THEN
			RETURN '';
		END$$`)
	truth := serverTruth{operators: map[string]systemOperator{}, casts: map[string]bool{}}
	for _, r := range texts(t, conn, `SELECT o.oid, coalesce(l.typname, '-'), r.typname, p.proname FROM pg_operator o
		LEFT JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright JOIN pg_proc p ON p.oid = o.oprcode`) {
		j := JudgeCall(systemFunctions, r[3], "", operands(r[1], r[2]))
		truth.operators[r[0]] = systemOperator{r[1], r[2], r[3], j}
	}
	for _, r := range texts(t, conn, `SELECT c.castfunc::oid, s.typname, t.typname FROM pg_cast c
		JOIN pg_type s ON s.oid = c.castsource JOIN pg_type t ON t.oid = c.casttarget WHERE c.castfunc <> 0`) {
		truth.casts[r[0]] = truth.casts[r[0]] || CastTotal(r[1], r[2])
	}
	rng := rand.New(rand.NewPCG(3, 4))
	resolved := 0
	for _, name := range slices.Sorted(maps.Keys(systemOperators())) {
		for range operandPairs {
			left, right := operandTypes[rng.IntN(len(operandTypes))], operandTypes[rng.IntN(len(operandTypes))]
			if rng.IntN(3) == 0 {
				right = left
			}
			if operand(left)+operand(right) == "NULLNULL" {
				continue
			}
			run(t, conn, "DROP VIEW IF EXISTS probe")
			expression := fmt.Sprintf("%s OPERATOR(pg_catalog.%s) %s", operand(left), name, operand(right))
			var tree string
			if err := conn.QueryRow(t.Context(), "SELECT tree($1)", expression).Scan(&tree); err != nil {
				t.Fatalf("%s: %v", expression, err)
			}
			if tree == "" {
				continue
			}
			resolved++
			truth.check(t, expression, tree, JudgeOperation(name, left, right))
		}
	}
	if resolved < 300 {
		t.Errorf("only %d operations resolved", resolved)
	}
}

// operand is an expression of a type.
func operand(typ string) string {
	if typ == "unknown" {
		return "NULL"
	}
	return "NULL::pg_catalog." + pgx.Identifier{typ}.Sanitize()
}

// serverTruth is what the server's operators and cast functions are, by OID.
type serverTruth struct {
	operators map[string]systemOperator
	casts     map[string]bool // the cast never fails, as far as one function serves several
}

var (
	operatorNumber = regexp.MustCompile(`:opno (\d+)`)
	implicitCast   = regexp.MustCompile(`\{FUNCEXPR :funcid (\d+) :funcresulttype \d+ :funcretset \w+ :funcvariadic \w+ :funcformat 2`)
)

func (truth serverTruth) check(t *testing.T, expression, tree string, j Judgement) {
	t.Helper()
	found := operatorNumber.FindStringSubmatch(tree)
	if found == nil {
		t.Errorf("%s: no operator in %s", expression, tree)
		return
	}
	want := truth.operators[found[1]]
	if !j.Known || j.safe&^want.safe != 0 {
		t.Errorf("%s is %s: judged %+v, must not be better than %+v", expression, want.function, j, want.Judgement)
	}
	for _, call := range implicitCast.FindAllStringSubmatch(tree, -1) {
		if total, ok := truth.casts[call[1]]; ok && !total && j.Total() {
			t.Errorf("%s casts by function %s, which may fail: judged %+v", expression, call[1], j)
		}
	}
}
