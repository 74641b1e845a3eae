package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sqlveil/config"
	"sqlveil/masking"
	"sqlveil/rewrite"
)

// An explainer plans statements as a listener would, for any role and database.
type explainer struct {
	listener *config.Listener
	policy   *masking.Policy
	database string // "" for the catalog account's own
	planner  *rewrite.Planner
	scope    rewrite.Scope
}

func explainCommand() *cobra.Command {
	var path, listener, role, database string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain SQL",
		Short: "Say what would become of a statement",
		Long: `Say what would become of a statement that a caller of a role sends to a
listener: what each result column is made of and how it is masked, which columns
are used elsewhere, and whether it would be refused. The statement is not run.`,
		Example: "  sqlveil explain --role analyst 'SELECT name, mobile FROM customers'",
		Args:    arguments("SQL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := configured(path)
			if err != nil {
				return err
			}
			e, err := newExplainer(cmd.Context(), c, listener, database)
			if err != nil {
				return err
			}
			explained, err := e.explain(role, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), explained)
			}
			return explained.print(cmd.OutOrStdout())
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&listener, "listener", "", "the listener's name; may be left out where there is one")
	cmd.Flags().StringVar(&role, "role", "", "the role's name in the policy")
	cmd.Flags().StringVar(&database, "database", "", "the session's database; the catalog account's own when left out")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// configured loads a configuration for a command that only needs it to be right.
func configured(path string) (*config.Config, error) {
	c, _, err := loadConfig(path)
	return c, err
}

// newExplainer reads the catalog of a database behind a listener.
func newExplainer(ctx context.Context, c *config.Config, name, database string) (*explainer, error) {
	l, err := findListener(c, name)
	if err != nil {
		return nil, err
	}
	wire, ok := wires[l.Protocol]
	if !ok {
		return nil, fmt.Errorf("listener %s: the protocol %q is not one of %v", l.Name, l.Protocol, wireNames())
	}
	scope, err := wire.scope(ctx, l, database)
	if err != nil {
		return nil, err
	}
	scope.Policy = c.Policy
	return &explainer{
		listener: l, policy: c.Policy, database: scope.Database,
		planner: rewrite.NewPlanner(wire.dialect, 1), scope: *scope,
	}, nil
}

func findListener(c *config.Config, name string) (*config.Listener, error) {
	var names []string
	for i := range c.Listeners {
		if l := &c.Listeners[i]; l.Name == name || name == "" && len(c.Listeners) == 1 {
			return l, nil
		}
		names = append(names, c.Listeners[i].Name)
	}
	if name == "" {
		return nil, &usageError{fmt.Errorf("--listener must be one of %s", strings.Join(names, ", "))}
	}
	return nil, &usageError{fmt.Errorf("no listener %q, there are %s", name, strings.Join(names, ", "))}
}

// An explanation is what becomes of a text, in the shape that --json prints.
type explanation struct {
	Statements []explainedStatement `json:"statements"`
}

type explainedStatement struct {
	Kind    string            `json:"kind"`
	Verdict string            `json:"verdict"` // pass, mask, refuse
	Code    string            `json:"code,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Hint    string            `json:"hint,omitempty"`
	Columns []explainedColumn `json:"columns"`
	Uses    []explainedUse    `json:"uses"`
	SQL     string            `json:"sql"`
}

type explainedColumn struct {
	Name       string   `json:"name"`
	Sources    []string `json:"sources"`
	Derivation string   `json:"derivation"` // plain, derived, none
	Class      string   `json:"class,omitempty"`
	Mask       string   `json:"mask,omitempty"`
}

type explainedUse struct {
	Column  string `json:"column"`
	In      string `json:"in"`
	Allowed bool   `json:"allowed"`
}

// explain plans a text for a role.
func (e *explainer) explain(roleName, text string) (*explanation, error) {
	role := e.policy.Role(roleName)
	if role == nil {
		return nil, &usageError{fmt.Errorf("--role: the policy has no role %q", roleName)}
	}
	scope := e.scope
	scope.Role = role
	result := new(explanation)
	for _, plan := range e.planner.Plan(scope, text) {
		result.Statements = append(result.Statements, explainPlan(plan, text))
	}
	return result, nil
}

// explainPlan explains the plan of one statement of a text.
func explainPlan(plan *rewrite.Plan, text string) explainedStatement {
	s := explainedStatement{
		Kind: string(plan.Kind), Verdict: verdict(plan), SQL: plan.SQL,
		Columns: []explainedColumn{}, Uses: []explainedUse{},
	}
	if s.SQL == "" {
		s.SQL = strings.TrimSpace(text[plan.Start:plan.End])
	}
	if plan.Refuse != nil {
		s.Code, s.Reason, s.Hint, s.SQL = plan.Refuse.Code, plan.Refuse.Message, plan.Refuse.Hint, ""
	}
	for _, output := range plan.Outputs {
		s.Columns = append(s.Columns, explainOutput(output))
	}
	for _, use := range plan.Uses {
		s.Uses = append(s.Uses, explainedUse{use.Column.Name.String(), use.In, use.Allowed})
	}
	return s
}

func verdict(plan *rewrite.Plan) string {
	switch {
	case plan.Refuse != nil:
		return "refuse"
	case plan.Masked:
		return "mask"
	default:
		return "pass"
	}
}

func explainOutput(output rewrite.Output) explainedColumn {
	column := explainedColumn{Name: output.Name, Sources: []string{}, Derivation: "plain"}
	for _, source := range output.Sources {
		if name := source.Name.String(); !slices.Contains(column.Sources, name) {
			column.Sources = append(column.Sources, name)
		}
	}
	switch {
	case len(column.Sources) == 0:
		column.Derivation = "none"
	case output.Derived:
		column.Derivation = "derived"
	}
	if output.Class != nil {
		column.Class = output.Class.Name
	}
	if output.Mask != nil {
		column.Mask = output.Mask.Name()
	}
	return column
}

func printJSON(to io.Writer, value any) error {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// print writes the explanation for people.
func (x *explanation) print(to io.Writer) error {
	for i, s := range x.Statements {
		if len(x.Statements) > 1 {
			fmt.Fprintf(to, "statement %d\n", i+1)
		}
		if err := s.print(to); err != nil {
			return err
		}
	}
	return nil
}

func (s *explainedStatement) print(to io.Writer) error {
	fmt.Fprintf(to, "%s: %s\n", s.Kind, s.Verdict)
	if s.Code != "" {
		fmt.Fprintf(to, "  %s %s\n", s.Code, s.Reason)
	}
	if s.Hint != "" {
		fmt.Fprintf(to, "  hint: %s\n", s.Hint)
	}
	columns := newGrid("column", "made of", "how", "class", "mask")
	for _, c := range s.Columns {
		columns.add(c.Name, strings.Join(c.Sources, ", "), c.Derivation, c.Class, c.Mask)
	}
	columns.print(to)
	uses := newGrid("also used", "in", "allowed")
	for _, u := range s.Uses {
		uses.add(u.Column, u.In, map[bool]string{true: "yes", false: "no"}[u.Allowed])
	}
	uses.print(to)
	if s.SQL == "" {
		return nil
	}
	_, err := fmt.Fprintf(to, "sent: %s\n", s.SQL)
	return err
}
