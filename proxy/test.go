package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"sqlveil/config"
)

// A policyTest is a file of statements and what a policy must make of them.
type policyTest struct {
	Config   string       `json:"config"` // sqlveil.yaml, relative to the file; -c counts more
	Listener string       `json:"listener"`
	Database string       `json:"database"`
	Cases    []policyCase `json:"cases"`
}

// A policyCase is one statement of one role.
type policyCase struct {
	Role   string         `json:"role"`
	SQL    string         `json:"sql"`
	Expect policyExpected `json:"expect"`
}

// policyExpected is what must become of it; what is left out may be anything.
type policyExpected struct {
	Verdict string            `json:"verdict"` // pass, mask or refuse
	Code    string            `json:"code"`
	Columns map[string]string `json:"columns"` // the mask of each, "" for none
}

func testCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "Check a policy against statements with expected masks",
		Long: `Check what the policy makes of the statements of a file against what the file
expects. The statements are not run; names are looked up in the database behind
the listener.`,
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return testPolicy(cmd.Context(), args[0], path, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "the configuration; the file's own when left out")
	return cmd
}

// testPolicy runs the cases of a file.
func testPolicy(ctx context.Context, file, path string, to io.Writer) error {
	var suite policyTest
	if problems := config.ReadYAML(file, &suite); len(problems) > 0 {
		return configError(problems)
	}
	if path == "" {
		path = filepath.Join(filepath.Dir(file), suite.Config)
	}
	c, err := configured(path)
	if err != nil {
		return err
	}
	e, err := newExplainer(ctx, c, suite.Listener, suite.Database)
	if err != nil {
		return err
	}
	failed := 0
	for i, test := range suite.Cases {
		wrong, err := test.run(e)
		if err != nil {
			return fmt.Errorf("%s: case %d: %w", file, i+1, err)
		}
		for _, w := range wrong {
			fmt.Fprintf(to, "%s: case %d, %s: %s: %s\n", file, i+1, test.Role, test.SQL, w)
		}
		failed += min(1, len(wrong))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, count(len(suite.Cases), "case"))
	}
	_, err = fmt.Fprintf(to, "%s as expected\n", count(len(suite.Cases), "case"))
	return err
}

// run says what is not as the case expects.
func (c *policyCase) run(e *explainer) (wrong []string, err error) {
	explained, err := e.explain(c.Role, c.SQL)
	if err != nil {
		return nil, err
	}
	if n := len(explained.Statements); n != 1 {
		return []string{fmt.Sprintf("it is %d statements, a case has one", n)}, nil
	}
	got := explained.Statements[0]
	if want := c.Expect.Verdict; want != "" && got.Verdict != want {
		wrong = append(wrong, fmt.Sprintf("verdict %s %s, want %s", got.Verdict, got.Code, want))
	}
	if want := c.Expect.Code; want != "" && got.Code != want {
		wrong = append(wrong, fmt.Sprintf("code %q, want %s", got.Code, want))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Expect.Columns)) {
		if problem := got.columnMask(name, c.Expect.Columns[name]); problem != "" {
			wrong = append(wrong, problem)
		}
	}
	return wrong, nil
}

// columnMask says how a result column's mask differs from the one wanted.
func (s *explainedStatement) columnMask(name, want string) string {
	for _, column := range s.Columns {
		if column.Name != name {
			continue
		}
		if column.Mask != want {
			return fmt.Sprintf("column %s has the mask %q, want %q", name, column.Mask, want)
		}
		return ""
	}
	return fmt.Sprintf("there is no result column %s", name)
}
