package pgsql_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

// A court brings statements before the judge, in one database.
type court struct {
	t        testing.TB
	server   *judgeServer
	catalogs *pgsql.Catalogs
	scope    rewrite.Scope
	stale    bool // definitions may have changed since they were read
	tally    *tally
	close    func()
}

// A tally counts what became of the statements of one corpus.
type tally struct {
	judged, rejected, refused, cautious, released int

	reasons  map[string]int    // of caution, by their first words
	examples map[string]string // one statement for each
}

func newTally() *tally { return &tally{reasons: map[string]int{}, examples: map[string]string{}} }

// mostReported bounds how many disagreements towards release are written out.
const mostReported = 100

// newCourt makes a database with the given schema.
func newCourt(t testing.TB, database, schema string, path ...string) *court {
	t.Helper()
	server := proxytest.PostgreSQL(t)
	server.Database(t, database)
	if err := server.Exec(t.Context(), database, "CREATE SCHEMA judge;"+schema); err != nil {
		t.Fatal(err)
	}
	return openCourt(t, server, database, path...)
}

// openCourt opens a court in a database that is there; path is the search path.
func openCourt(t testing.TB, server *proxytest.PostgreSQLServer, database string, path ...string) *court {
	t.Helper()
	c := &court{t: t, server: newJudgeServer(t, server, database)}
	c.catalogs = pgsql.NewCatalogs(func(ctx context.Context, database string) (pgsql.Ask, func(), error) {
		conn, err := server.Connect(ctx, database)
		if err != nil {
			return nil, nil, err
		}
		other := &judgeServer{conn: conn.PgConn()}
		return other.asker, func() { _ = conn.Close(context.Background()) }, nil
	})
	c.close = sync.OnceFunc(c.catalogs.Close)
	t.Cleanup(c.close)
	if len(path) > 0 {
		c.server.text("SET search_path = " + strings.Join(path, ", ") + "; SELECT 1")
	}
	policy := blankPolicy(t)
	c.scope = rewrite.Scope{Role: policy.Role("nobody"), Policy: policy, Database: database, User: "postgres"}
	c.tally = newTally()
	c.reload()
	return c
}

// adjourn ends a court before the test ends.
func (c *court) adjourn() {
	c.close()
	c.server.close()
}

// blankPolicy labels nothing: lineage is the same under every policy but for
// generated columns, which are followed when they carry no label.
func blankPolicy(t testing.TB) *masking.Policy {
	t.Helper()
	policy, problems := masking.Compile(masking.Spec{
		Version: 1, Levels: []string{"open"}, Unlabelled: "visible", Roles: map[string]masking.RoleSpec{"nobody": {Clearance: "open"}},
	}, nil)
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p.Path, p.Message)
		}
	}
	return policy
}

// reload reads the definitions anew, the session's own included.
func (c *court) reload() {
	c.t.Helper()
	c.catalogs.Changed(c.scope.Database)
	catalog, err := c.catalogs.Local(c.t.Context(), c.scope.Database, c.server.asker)
	if err != nil {
		c.t.Fatal(err)
	}
	c.scope.Catalog = catalog
	rows, err := c.server.ask("SELECT pg_catalog.unnest(pg_catalog.current_schemas(true))")
	if err != nil {
		c.t.Fatal(err)
	}
	c.scope.SearchPath = nil
	for _, row := range rows {
		c.scope.SearchPath = append(c.scope.SearchPath, *row[0])
	}
	c.scope.User = c.server.text("SELECT current_user")
	c.server.forget()
	c.stale = false
}

// try judges one statement; what the server rejects is only counted.
func (c *court) try(sql string, params ...string) {
	c.t.Helper()
	if c.server.conn.TxStatus() == 'E' {
		return // until the script itself ends the transaction
	}
	if c.stale {
		c.reload()
	}
	query, err := c.server.analyse(sql, params)
	if err != nil {
		c.tally.rejected++
		c.survives(sql)
		return
	}
	c.tally.judged++
	got := c.survives(sql)
	if len(got) == 0 {
		c.t.Errorf("not analysed: %q", sql)
		return
	}
	if refusedByDesign(got) {
		c.tally.refused++
		return
	}
	findings := append(compare(c.judged(sql, query), got), c.types(sql, len(params))...)
	released, cautious := false, false
	for _, f := range findings {
		if f.release {
			if !released && c.tally.released < mostReported {
				c.t.Errorf("towards release: %s\n%s", f.what, sql)
			}
			released = true
			continue
		}
		cautious = true
		c.tally.reason(f.what, sql)
	}
	if released {
		c.tally.released++
	} else if cautious {
		c.tally.cautious++
	}
}

// refusedByDesign reports whether a function or a kind of statement was refused
// that no role with masks may run.
func refusedByDesign(got []*rewrite.Statement) bool {
	for _, u := range got[0].Unknown {
		if u.Code == rewrite.CodeFunction || u.Code == rewrite.CodeKind || u.Code == rewrite.CodeSetting {
			return true
		}
	}
	return false
}

// types compares the types of the result columns, where the resolver knows them.
func (c *court) types(sql string, params int) []finding {
	described, err := c.server.conn.Prepare(c.t.Context(), "", sql, nil)
	if err != nil || params > 0 {
		return nil
	}
	types := pgsql.ResultTypes(c.scope, sql)
	if len(types) != len(described.Fields) {
		return nil // no rows come, or the comparison of columns says so
	}
	var findings []finding
	for i, got := range types {
		if want := c.server.typeName(described.Fields[i].DataTypeOID); got != "" && got != "_" && textual(got) != textual(want) {
			findings = append(findings, finding{true, fmt.Sprintf("column %d is of type %s instead of %s", i+1, got, want)})
		}
	}
	return findings
}

// textual makes one of the types between which nothing ever chooses.
func textual(typ string) string {
	if typ == "varchar" {
		return "text"
	}
	return typ
}

// judged is the server's account of a statement.
func (c *court) judged(sql string, query *tree) (j *judgement) {
	defer func() {
		if fault := recover(); fault != nil {
			c.t.Errorf("the judge: %v\n%s\n%s", fault, sql, debug.Stack())
			j = &judgement{opaque: true}
		}
	}()
	return judge(c.server, query)
}

// survives resolves a statement, which must never panic; nil when it did.
func (c *court) survives(sql string) []*rewrite.Statement {
	defer func() {
		if fault := recover(); fault != nil {
			c.t.Errorf("panic: %v\n%s\n%s", fault, sql, debug.Stack())
		}
	}()
	return pgsql.Dialect{}.Analyse(c.scope, sql)
}

// reason counts a disagreement towards caution by what is common to its kind.
func (t *tally) reason(what, sql string) {
	words := strings.Fields(what)
	for i, w := range words {
		if strings.ContainsAny(w, `"0123456789`) || strings.Count(w, ".") > 1 {
			words[i] = "_"
		}
	}
	key := strings.Join(words, " ")
	t.reasons[key]++
	if old, known := t.examples[key]; !known || len(sql) < len(old) {
		t.examples[key] = sql
	}
}

// mostCautious is how many of a hundred statements may be treated with more
// caution than needed.
const mostCautious = 1

// mostCautiousGolden is the same for the golden statements, many of which are
// there for the sake of caution.
const mostCautiousGolden = 10

// report says what became of a corpus and fails when anything would be released
// too much, or too many statements were treated with more caution than needed.
func (n *tally) report(t testing.TB, corpus string, limit int) {
	t.Helper()
	t.Logf("%s: %d judged, %d not taken by the server, %d refused by design, %d towards release, %d towards caution (%.2f %%)",
		corpus, n.judged, n.rejected, n.refused, n.released, n.cautious, 100*float64(n.cautious)/float64(max(n.judged, 1)))
	keys := slices.SortedFunc(maps.Keys(n.reasons), func(a, b string) int { return n.reasons[b] - n.reasons[a] })
	for _, key := range keys[:min(len(keys), 20)] {
		t.Logf("%6d %s\n       %s", n.reasons[key], key, n.examples[key])
	}
	if n.released > 0 {
		t.Errorf("%s: %d disagreements towards release", corpus, n.released)
	}
	if n.judged == 0 || n.cautious*100 >= n.judged*limit {
		t.Errorf("%s: %d of %d statements towards caution", corpus, n.cautious, n.judged)
	}
}

func (c *court) report(corpus string) {
	c.t.Helper()
	c.tally.report(c.t, corpus, mostCautious)
}

var (
	generated  = flag.Int("judge.generated", 4000, "how many statements of the generator TestJudgeGenerated judges")
	mutated    = flag.Int("judge.mutated", 2000, "how many changed statements TestJudgeMutated judges")
	sqlsmith   = flag.Int("judge.sqlsmith", 0, "how many statements of sqlsmith TestJudgeSqlsmith judges")
	regression = flag.String("judge.regression", "", "the directory src/test/regress of PostgreSQL's source, for TestJudgeRegression")
	cases      = flag.String("judge.cases", "", "a directory with cases/pg-*.txt and sql/pg/setup.sql, for TestJudgeCases")
)

// TestJudgeGenerated compares lineages over the generator's statements.
func TestJudgeGenerated(t *testing.T) {
	c := newCourt(t, "judge", readSchema(t, "judge.sql"), "shop", "lager")
	for seed := range uint64(*generated) {
		c.try(newGenerator(seed).statement())
	}
	c.report("generator")
}

// TestJudgeMutated compares lineages over the golden statements, as they are
// and with some words changed.
func TestJudgeMutated(t *testing.T) {
	c := newCourt(t, "judge_mutated", readSchema(t, "schema.sql"), "public", "hr")
	statements, words := goldenStatements(t), pool(t)
	for _, text := range append(statements, newerStatements...) {
		c.try(text)
	}
	for seed := range uint64(*mutated) {
		r := rand.New(rand.NewPCG(seed, 3))
		c.try(mutate(r, statements[r.IntN(len(statements))], words))
	}
	c.tally.report(t, "changed statements", mostCautiousGolden)
}

func readSchema(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestJudgeKnowsTrees reads trees back that were made by hand.
func TestJudgeKnowsTrees(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`<>`, "<>"},
		{`{VAR :varno 1 :name a\ b :empty "" :null <>}`, `{VAR varno=1 name=a b empty= null=<>}`},
		{`(i 1 -2)`, "(1 -2)"},
		{`("a" "\(" "i")`, "(a ( i)"},
		{`({CONST :constvalue 4 [ 1 0 -1 2 ]} <>)`, "({CONST constvalue=4[1 0 255 2]} <>)"},
	} {
		got, err := readTree(c.text)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: got %v, %v, want %s", c.text, got, err, c.want)
		}
	}
	for _, broken := range []string{"", "(", "{VAR :a", "{VAR a 1}", "(1 [ x ])"} {
		if got, err := readTree(broken); err == nil {
			t.Errorf("%q: got %v, want an error", broken, got)
		}
	}
}

// String writes a tree for a test's failure.
func (t *tree) String() string {
	switch {
	case t == nil:
		return "<>"
	case t.kind != "":
		words := []string{t.kind}
		for _, f := range t.fields {
			words = append(words, fmt.Sprintf("%s=%v", f.name, f.value))
		}
		return "{" + strings.Join(words, " ") + "}"
	case t.items != nil:
		return "(" + strings.Trim(fmt.Sprint(t.items), "[]") + ")"
	case t.bytes != nil:
		return t.word + fmt.Sprint(t.bytes)
	}
	return t.word
}
