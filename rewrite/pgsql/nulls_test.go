package pgsql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// isNull is a function that says of an expression whether it is NULL, and
// nothing of one that fails.
const isNullFunction = `CREATE FUNCTION is_null(expression text) RETURNS bool LANGUAGE plpgsql AS $$
	DECLARE x bool;
	BEGIN
		EXECUTE 'SELECT x IS NOT DISTINCT FROM NULL FROM (' || expression || ') y (x)' INTO x;
		RETURN x;
	EXCEPTION WHEN OTHERS THEN
		RETURN false;
	END$$`

// callsPerProbe is how often a function is called with values at random.
const callsPerProbe = 60

// TestFunctionsKeepNULLs calls each function whose NULLs are taken to be those of
// its arguments with arguments that are not NULL.
func TestFunctionsKeepNULLs(t *testing.T) {
	conn := newTestServer(t).session(t)
	everyExtension(t, conn)
	run(t, conn, isNullFunction)
	rng := rand.New(rand.NewPCG(5, 6))
	list := probes(t, conn, func(p probe) bool {
		return p.kind == "f" && p.j.Kind != Sink && !p.j.Set && !callTells(value{Value: someValue}, p.name, p.arguments()).Nulls
	})
	if len(list) < 250 {
		t.Errorf("only %d functions probed", len(list))
	}
	for _, p := range list {
		var calls []string
		for range callsPerProbe {
			choice := make([]int, len(p.types))
			for i, typ := range p.types {
				choice[i] = rng.IntN(len(extremes[typ]))
			}
			calls = append(calls, p.call(choice))
		}
		neverNullAmong(t, conn, calls)
	}
}

// arguments are values of the probe's types.
func (p probe) arguments() []value {
	args := make([]value, len(p.types))
	for i, typ := range p.types {
		args[i].typ = typ
	}
	return args
}

// neverNullAmong fails if one of the queries returns NULL.
func neverNullAmong(t *testing.T, conn *pgx.Conn, queries []string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT c FROM unnest($1::text[]) c WHERE is_null(c) LIMIT 1", queries)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var call string
		if err := rows.Scan(&call); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%.300s: is NULL, of arguments that are not", call)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
}

// TestOperatorsKeepNULLs does the same with operators.
func TestOperatorsKeepNULLs(t *testing.T) {
	conn := newTestServer(t).session(t)
	everyExtension(t, conn)
	run(t, conn, isNullFunction)
	rng := rand.New(rand.NewPCG(7, 8))
	probed := 0
	for _, r := range texts(t, conn, `SELECT o.oprname, coalesce(l.typname, ''), coalesce(l.oid::regtype::text, ''), r.typname, r.oid::regtype,
			n.nspname FROM pg_operator o LEFT JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright
		JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY o.oid`) {
		name, left, leftCast, right, rightCast := r[0], r[1], r[2], r[3], r[4]
		left, leftCast = concrete(left, leftCast)
		right, rightCast = concrete(right, rightCast)
		if makesNulls[name] || extremes[right] == nil || left != "" && extremes[left] == nil {
			continue
		}
		probed++
		var calls []string
		for range callsPerProbe {
			operand := ""
			if left != "" {
				operand = literalOf(left, leftCast, rng.IntN(len(extremes[left])))
			}
			calls = append(calls, fmt.Sprintf("SELECT %s OPERATOR(%s.%s) %s", operand, pgx.Identifier{r[5]}.Sanitize(), name,
				literalOf(right, rightCast, rng.IntN(len(extremes[right])))))
		}
		neverNullAmong(t, conn, calls)
	}
	if probed < 500 {
		t.Errorf("only %d operators probed", probed)
	}
}

// concrete is a type that may stand for typ.
func concrete(typ, cast string) (string, string) {
	if other := probeTypes[typ]; other != "" {
		return other, pgx.Identifier{systemSchema, other}.Sanitize()
	}
	return typ, cast
}

// TestEverySetIsJudged compares the list of functions that return sets.
func TestEverySetIsJudged(t *testing.T) {
	conn := newTestServer(t).session(t)
	everyExtension(t, conn)
	seen := 0
	for _, r := range texts(t, conn, `SELECT n.nspname, p.proname, e.extname,
			(SELECT coalesce(string_agg(a.typname, ',' ORDER BY u.i), '') FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (o, i) JOIN pg_type a ON a.oid = u.o)
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		LEFT JOIN pg_extension e ON e.oid = d.refobjid WHERE p.proretset`) {
		seen++
		if j := JudgeCall(r[0], r[1], r[2], strings.Split(r[3], ",")); !j.Set && j.Kind != Refused {
			t.Errorf("%s.%s(%s) of extension %q returns a set, and is not judged to", r[0], r[1], r[3], r[2])
		}
	}
	if seen < 50 {
		t.Errorf("only %d functions seen", seen)
	}
}
