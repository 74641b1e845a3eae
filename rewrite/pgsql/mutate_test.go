package pgsql_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/rewrite"
	"sqlveil/rewrite/pgsql"
)

// mostAllocated bounds the work on one mutated statement, which is short, in
// bytes allocated: unlike time they do not depend on what else the machine does.
const mostAllocated = 4 << 30

// allocated is how many bytes the process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// FuzzAnalyse gives the resolver statements that nobody would write: it must
// neither panic nor hang, and account for every part of the text.
func FuzzAnalyse(f *testing.F) {
	c := newCourt(f, "fuzz", readSchema(f, "judge.sql"), "shop", "lager")
	for i, text := range goldenStatements(f) {
		f.Add(text, uint64(i))
	}
	words := pool(f)
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		checkAnalysis(t, c.scope, text)
		checkAnalysis(t, c.scope, mutate(rand.New(rand.NewPCG(seed, 1)), text, words))
	})
}

var mutations = flag.Int("mutations", 5000, "how many mutated statements TestAnalyseMutated analyses")

// TestAnalyseMutated analyses statements whose words were changed at random,
// of which a good part still parses.
func TestAnalyseMutated(t *testing.T) {
	c := newCourt(t, "mutated", readSchema(t, "judge.sql"), "shop", "lager")
	statements, words := goldenStatements(t), pool(t)
	parsed := 0
	for seed := range uint64(*mutations) {
		r := rand.New(rand.NewPCG(seed, 2))
		text := statements[r.IntN(len(statements))]
		if seed%2 == 0 {
			text = newGenerator(seed).statement()
		}
		text = mutate(r, text, words)
		if checkAnalysis(t, c.scope, text) {
			parsed++
		}
	}
	if parsed*10 < *mutations {
		t.Errorf("only %d of %d mutated statements parse", parsed, *mutations)
	}
}

// TestAnalyseBounded analyses short texts that ask for a lot of work: again and
// again for wide rows, views of views, and what is in itself.
func TestAnalyseBounded(t *testing.T) {
	schema := "CREATE TABLE v0 (id int, a text);"
	for i := range 15 {
		schema += fmt.Sprintf("CREATE VIEW v%d AS SELECT x.id, y.a FROM v%d x JOIN v%d y USING (id) WHERE x.a = y.a;", i+1, i, i)
	}
	columns := make([]string, 1600)
	for i := range columns {
		columns[i] = fmt.Sprintf("c%d int", i)
	}
	c := newCourt(t, "bounded", schema+"CREATE TABLE w ("+strings.Join(columns, ",")+")")
	recursive := "WITH RECURSIVE a0 AS (SELECT w FROM w UNION ALL SELECT w FROM a0)"
	for i := range 200 {
		recursive += fmt.Sprintf(", a%d AS (SELECT x.w FROM a%d x, a%d y UNION ALL SELECT w FROM a%d)", i+1, i, i, i+1)
	}
	for name, text := range map[string]string{
		"rows":         "SELECT " + strings.Repeat("w, ", 20_000) + "1 FROM w",
		"conditions":   "SELECT 1 FROM w WHERE c1 IN (" + strings.Repeat("w, ", 20_000) + "w)",
		"stars":        "SELECT DISTINCT * FROM w" + strings.Repeat(", w", 5_000),
		"joins":        "SELECT * FROM w" + strings.Repeat(" NATURAL JOIN w b", 30),
		"lateral":      "SELECT * FROM w x" + strings.Repeat(", LATERAL (SELECT x.*) y", 5_000),
		"rows in rows": "SELECT " + strings.Repeat("ROW(w.*, ", 390) + "1" + strings.Repeat(")", 390) + " FROM w",
		"aggregates":   "SELECT " + strings.Repeat("mode() WITHIN GROUP (ORDER BY ", 190) + "1" + strings.Repeat(")", 190),
		"unions":       "SELECT * FROM w" + strings.Repeat(" UNION SELECT * FROM w", 600),
		"views":        "SELECT * FROM v15",
		"recursion":    recursive + " SELECT * FROM a200",
	} {
		t.Run(name, func(t *testing.T) { checkAnalysis(t, c.scope, text) })
	}
}

// checkAnalysis analyses a text and reports whether it parses.
func checkAnalysis(t *testing.T, scope rewrite.Scope, text string) bool {
	t.Helper()
	defer func() {
		if fault := recover(); fault != nil {
			t.Fatalf("panic: %v\n%s\n%s", fault, text, debug.Stack())
		}
	}()
	before := allocated()
	statements := pgsql.Dialect{}.Analyse(scope, text)
	if bytes := allocated() - before; bytes > mostAllocated {
		t.Errorf("%d bytes for %q", bytes, text)
	}
	for _, st := range statements {
		if st == nil || st.Start < 0 || st.End > len(text) || st.Start > st.End {
			t.Fatalf("%q: statement %+v of %d bytes", text, st, len(text))
		}
		for _, column := range st.Columns {
			for s := range column.Value.Sources {
				if s.Column == nil {
					t.Fatalf("%q: a source without a column", text)
				}
			}
		}
	}
	tree, err := pg.Parse(text)
	if err == nil && len(statements) != len(tree.Stmts) {
		t.Fatalf("%q: %d statements instead of %d", text, len(statements), len(tree.Stmts))
	}
	return err == nil
}

// goldenStatements are the statements of testdata/pgsql/*.txt.
func goldenStatements(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("glob: %v, %d files", err, len(files))
	}
	var out []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\n\n") {
			statement, _, _ := strings.Cut(block, "\n----")
			out = append(out, withoutComments(statement))
		}
	}
	return out
}

// A word is a token of a statement; words of one kind may stand for each other.
type word struct {
	text string
	kind int32
}

// pool is the words of all golden statements and of many generated ones, by kind.
func pool(t testing.TB) map[int32][]word {
	t.Helper()
	statements := goldenStatements(t)
	for seed := range uint64(300) {
		statements = append(statements, newGenerator(seed).statement())
	}
	out := map[int32][]word{}
	for _, text := range statements {
		for _, w := range wordsOf(text) {
			out[w.kind] = append(out[w.kind], w)
		}
	}
	return out
}

// wordsOf cuts a text as the server's scanner does. Keywords of one category
// are of one kind.
func wordsOf(text string) []word {
	scanned, err := pg.Scan(text)
	if err != nil {
		return nil
	}
	var out []word
	for _, token := range scanned.Tokens {
		w := word{text[token.Start:token.End], int32(token.Token)}
		if token.KeywordKind != pg.KeywordKind_NO_KEYWORD {
			w.kind = -int32(token.KeywordKind)
		}
		out = append(out, w)
	}
	return out
}

// mutate changes a few words: replaces them by others, drops, doubles or swaps
// them, or wraps a stretch of them in parentheses or a subquery.
func mutate(r *rand.Rand, text string, pool map[int32][]word) string {
	words := wordsOf(text)
	for range 1 + r.IntN(3) {
		if len(words) < 2 {
			break
		}
		at := r.IntN(len(words))
		to := min(len(words), at+1+r.IntN(6))
		stretch := written(words[at:to])
		switch r.IntN(12) {
		case 0:
			words = append(words[:at:at], words[at+1:]...)
		case 1:
			words = append(words[:to:to], words[at:]...)
		case 2:
			other := r.IntN(len(words))
			words[at], words[other] = words[other], words[at]
		case 3:
			words = append(append(words[:at:at], word{text: "(" + stretch + ")"}), words[to:]...)
		case 4:
			words = append(append(words[:at:at], word{text: "(SELECT " + stretch + ")"}), words[to:]...)
		default:
			if others := pool[words[at].kind]; len(others) > 0 {
				words[at] = others[r.IntN(len(others))]
			}
		}
	}
	return written(words)
}

func written(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}
