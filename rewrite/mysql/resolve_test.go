package mysql_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sqlveil/rewrite"
	"sqlveil/rewrite/mysql"
)

var update = flag.Bool("update", false, "write the plans that were found into testdata")

// TestPlans reads testdata/mysql/*.txt: statements, each followed by a line
// "----" and the plan expected for role clerk. A line "# mode ..." gives the mode
// of the session.
func TestPlans(t *testing.T) {
	scope := testScope(t)
	files, err := filepath.Glob(filepath.Join(testdata, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("glob: %v, %d files", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { checkPlans(t, scope, file) })
	}
}

func checkPlans(t *testing.T, scope rewrite.Scope, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	planner := rewrite.NewPlanner(mysql.Dialect{}, 1)
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		statement, want, _ := strings.Cut(block, "\n----\n")
		statement = strings.TrimSuffix(statement, "\n----")
		scope, statement := scope, statement
		text := statement
		if mode, rest, ok := strings.Cut(strings.TrimPrefix(statement, "# mode "), "\n"); ok && rest != statement && strings.HasPrefix(statement, "# mode ") {
			scope.Mode, text = mode, rest
		}
		got := describe(planner.Plan(scope, withoutComments(text)))
		if got != want && !*update {
			t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", filepath.Base(file), statement, got, want)
		}
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n", statement, got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// withoutComments drops the lines that speak to the reader of a case.
func withoutComments(statement string) string {
	var keep []string
	for _, line := range strings.Split(statement, "\n") {
		if !strings.HasPrefix(line, "## ") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}

// describe writes plans as the cases have them: the refusal, or the kind with
// each output and its mask, and each use of a labelled column.
func describe(plans []*rewrite.Plan) string {
	var lines []string
	for _, p := range plans {
		if p.Refuse != nil {
			code := p.Refuse.Code
			if p.Refuse.SQLState != "" {
				code += " " + p.Refuse.SQLState
			}
			lines = append(lines, fmt.Sprintf("%s refused %s: %s", p.Kind, code, p.Refuse.Message))
			continue
		}
		var cells []string
		for _, o := range p.Outputs {
			cells = append(cells, describeOutput(o))
		}
		if p.Kind == "" {
			lines = append(lines, "(empty)")
			continue
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s", p.Kind, strings.Join(cells, ", "))))
		for _, o := range p.Objects {
			if o.In != "output" {
				lines = append(lines, fmt.Sprintf("  %s in %s", o.Column, o.In))
			}
		}
		if p.SQL != "" {
			lines = append(lines, "  sent: "+p.SQL)
		}
		for _, g := range p.Guards {
			lines = append(lines, fmt.Sprintf("  parameter %d guarded for %s", g.Param, g.Column))
		}
		if effect := describeEffect(p.Effect); effect != "" {
			lines = append(lines, "  "+effect)
		}
	}
	return strings.Join(lines, "\n")
}

func describeOutput(o rewrite.Output) string {
	switch {
	case o.Mask == nil:
		return o.Name
	case o.Derived:
		return fmt.Sprintf("%s=%s(derived)", o.Name, o.Mask.Name())
	}
	return fmt.Sprintf("%s=%s", o.Name, o.Mask.Name())
}

func describeEffect(e rewrite.Effect) string {
	var words []string
	for _, w := range []struct {
		is   bool
		name string
	}{
		{e.Path, "path"},
		{e.Catalog, "catalog"},
		{e.Begin, "begin"},
		{e.End, "end"},
		{e.Opaque, "opaque"},
		{e.Explain, "explain"},
		{e.Prepare != "", "prepare " + e.Prepare + " " + e.Prepared},
		{e.Execute != "", "execute " + e.Execute},
		{e.Forget != "", "forget " + e.Forget},
	} {
		if w.is {
			words = append(words, w.name)
		}
	}
	return strings.Join(words, ", ")
}
