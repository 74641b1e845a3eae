package pgsql_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"

	"sqlveil/proxy/proxytest"
)

// take judges every query in a statement, and runs the statement if it is none:
// later ones may need what it defines.
func (c *court) take(statement *pg.RawStmt, text string) {
	c.survives(text)
	switch n := statement.Stmt.GetNode().(type) {
	case *pg.Node_SelectStmt, *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
		c.try(text, c.parameters(text)...)
		if s := statement.Stmt.GetSelectStmt(); s.GetIntoClause() == nil && (s == nil || len(s.FromClause) > 0) {
			return
		}
	case *pg.Node_CopyStmt:
		if n.CopyStmt.Query != nil {
			c.deparsed(n.CopyStmt.Query)
		}
		return
	case *pg.Node_ExplainStmt:
		c.deparsed(n.ExplainStmt.Query)
		return
	case *pg.Node_DeclareCursorStmt:
		c.deparsed(n.DeclareCursorStmt.Query)
	case *pg.Node_ViewStmt:
		c.deparsed(n.ViewStmt.Query)
	case *pg.Node_CreateTableAsStmt:
		c.deparsed(n.CreateTableAsStmt.Query)
	case *pg.Node_PrepareStmt:
		c.deparsed(n.PrepareStmt.Query)
	case *pg.Node_TransactionStmt:
		if n.TransactionStmt.Kind == pg.TransactionStmtKind_TRANS_STMT_PREPARE {
			text = "ROLLBACK" // nobody would finish it
		}
	case *pg.Node_CreatedbStmt, *pg.Node_DropdbStmt, *pg.Node_AlterSystemStmt, *pg.Node_CreateTableSpaceStmt, *pg.Node_VacuumStmt:
		return
	}
	c.run(text)
}

// run executes a statement that may change definitions or settings. What it
// fails with is its own affair.
func (c *court) run(text string) {
	c.stale = true
	_, _ = c.server.ask(text)
}

// deparsed judges a query that stands in another statement.
func (c *court) deparsed(query *pg.Node) {
	text, err := pg.Deparse(&pg.ParseResult{Stmts: []*pg.RawStmt{{Stmt: query}}})
	if err != nil {
		return
	}
	if tree, err := pg.Parse(text); err != nil || len(tree.Stmts) != 1 || tree.Stmts[0].Stmt.GetExecuteStmt() != nil {
		return
	}
	c.try(text, c.parameters(text)...)
}

// parameters are the types of a statement's parameters, nil when it has none.
func (c *court) parameters(text string) []string {
	if !strings.Contains(text, "$1") || c.server.conn.TxStatus() == 'E' {
		return nil
	}
	described, err := c.server.conn.Prepare(c.t.Context(), "", text, nil)
	if err != nil {
		return nil
	}
	var types []string
	for _, oid := range described.ParamOIDs {
		types = append(types, c.server.text(fmt.Sprintf("SELECT pg_catalog.format_type(%d, NULL)", oid)))
	}
	return types
}

// script takes the statements of a psql script one by one.
func (c *court) script(text string) {
	var pending strings.Builder
	copying := false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case copying:
			copying = trimmed != `\.`
			continue
		case strings.HasPrefix(trimmed, `\`):
			continue
		}
		if cut, _, found := strings.Cut(line, `\g`); found { // \gset and its like end a statement too
			line, trimmed = cut+";\n", ";"
		}
		pending.WriteString(line)
		uncommented, _, _ := strings.Cut(trimmed, "--")
		if !strings.HasSuffix(strings.TrimSpace(uncommented), ";") {
			continue
		}
		copying = strings.Contains(strings.ToLower(pending.String()), "from stdin")
		if c.takeAll(pending.String()) {
			pending.Reset()
		}
	}
}

// longestStatement bounds what is taken for one statement that is not at its end.
const longestStatement = 20_000

// takeAll takes the statements of a text; false means that the last one goes on.
func (c *court) takeAll(text string) bool {
	tree, err := pg.Parse(text)
	if err != nil {
		unfinished := strings.Contains(err.Error(), "at end of input") || strings.Contains(err.Error(), "unterminated")
		return !unfinished || len(text) > longestStatement
	}
	for _, s := range tree.Stmts {
		end := len(text)
		if s.StmtLen > 0 {
			end = int(s.StmtLocation + s.StmtLen)
		}
		c.take(s, strings.TrimSpace(text[s.StmtLocation:end]))
	}
	return true
}

// TestJudgeRegression judges PostgreSQL's own regression tests: with the
// directory src/test/regress of the source package of the same version.
func TestJudgeRegression(t *testing.T) {
	if *regression == "" {
		return
	}
	schedule, err := os.ReadFile(filepath.Join(*regression, "parallel_schedule"))
	if err != nil {
		t.Fatal(err)
	}
	server := proxytest.PostgreSQL(t)
	database := server.Database(t, "regression")
	if err := server.Exec(t.Context(), database, "CREATE SCHEMA judge"); err != nil {
		t.Fatal(err)
	}
	total := newTally()
	for line := range strings.Lines(string(schedule)) {
		names, found := strings.CutPrefix(line, "test:")
		if !found {
			continue
		}
		for _, name := range strings.Fields(names) {
			c := openCourt(t, server, database)
			c.tally = total
			text, err := os.ReadFile(filepath.Join(*regression, "sql", name+".sql"))
			if err != nil {
				t.Fatal(err)
			}
			c.server.text("SET statement_timeout = '10s'; SELECT 1")
			c.script(string(text))
			c.adjourn()
		}
	}
	total.report(t, "regression tests", mostCautious)
}

// TestJudgeSqlsmith judges what sqlsmith makes of the generator's schema.
func TestJudgeSqlsmith(t *testing.T) {
	if *sqlsmith == 0 {
		return
	}
	c := newCourt(t, "sqlsmith", readSchema(t, "judge.sql"), "shop", "lager")
	server := proxytest.PostgreSQL(t)
	target := fmt.Sprintf("--target=host=%s port=%d dbname=sqlsmith user=postgres", server.Directory, server.Port)
	for seed, arguments := range [][]string{{"--exclude-catalog"}, nil} {
		arguments = append(arguments, "--dry-run", fmt.Sprintf("--seed=%d", seed+1), fmt.Sprintf("--max-queries=%d", *sqlsmith/2), target)
		command := exec.Command("sqlsmith", arguments...)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		statements := bufio.NewScanner(out)
		statements.Buffer(nil, 16<<20)
		statements.Split(bySemicolon)
		for statements.Scan() {
			c.try(statements.Text())
		}
		if err := statements.Err(); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	c.report("sqlsmith")
}

// bySemicolon cuts after each semicolon that ends a line.
func bySemicolon(data []byte, atEnd bool) (int, []byte, error) {
	if at := bytes.Index(data, []byte(";\n")); at >= 0 {
		return at + 2, data[:at], nil
	}
	if atEnd {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

var (
	casePair  = regexp.MustCompile(`(?s)\[\[(.*?)~~(.*?)\]\]`)
	caseValue = regexp.MustCompile(`\{\{[^}]+\}\}`)
)

// TestJudgeCases judges the statements of case files: blocks that begin with
// "== ", options that begin with "@", statements between lines ";;". The
// directory holds cases/pg-*.txt and the schema in sql/pg/setup.sql.
func TestJudgeCases(t *testing.T) {
	if *cases == "" {
		return
	}
	files, err := filepath.Glob(filepath.Join(*cases, "cases", "pg-*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("glob: %v, %d files", err, len(files))
	}
	schema, err := os.ReadFile(filepath.Join(*cases, "sql", "pg", "setup.sql"))
	if err != nil {
		t.Fatal(err)
	}
	c := newCourt(t, "cases", string(schema))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split("\n"+string(text), "\n== ")[1:] {
			c.judgeCase(block)
		}
	}
	c.report("cases")
}

func (c *court) judgeCase(block string) {
	var body strings.Builder
	for i, line := range strings.Split(block, "\n") {
		if i > 0 && !strings.HasPrefix(line, "@") {
			body.WriteString(line + "\n")
		}
	}
	c.run("BEGIN")
	for _, side := range []string{"$1", "$2"} {
		text := caseValue.ReplaceAllString(casePair.ReplaceAllString(body.String(), side), "1")
		for _, statement := range strings.Split(text, "\n;;\n") {
			c.run("SAVEPOINT s")
			c.takeAll(statement)
			c.run("ROLLBACK TO s")
		}
	}
	c.run("ROLLBACK")
}
