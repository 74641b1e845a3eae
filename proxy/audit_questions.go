package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sqlveil/auditlog/review"
	"sqlveil/config"
	"sqlveil/masking"
)

// questions are the questions of an auditor that have a command of their own.
func questions() []*cobra.Command {
	return []*cobra.Command{
		releasedCommand(),
		offHoursCommand(),
		tableQuestion("first-access", "Say who touched a table, and which account a program or network, for the first time", (*review.Index).FirstAccess),
		rowsQuestion("refused", "Find statements that were refused", (*review.Index).Refused),
		burstsCommand(),
		rowsQuestion("changes", "Find changes of policy, configuration, privileges and tables", (*review.Index).Changes),
		tableQuestion("clear-reads", "Say who read which class of data in clear, and for what purpose", (*review.Index).ClearReads),
		unusedGrantsCommand(),
		sharedLoginsCommand(),
		tableQuestion("no-tls", "Say which accounts came without TLS", (*review.Index).NoTLS),
		rowsQuestion("unresolved", "Find statements that could not be resolved, or not even read", (*review.Index).Unresolved),
		enumerationCommand(),
	}
}

// rowsQuestion is a question that has rows for an answer and no flags of its own.
func rowsQuestion(use, short string, ask func(*review.Index, context.Context, review.Filter) ([]review.Row, error)) *cobra.Command {
	q := question{
		use: use, short: short, limit: searchLimit,
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			rows, err := ask(x, ctx, f)
			return review.TableOf(rows), "", err
		},
	}
	return q.command()
}

// tableQuestion is a question that has a table for an answer and no flags of its own.
func tableQuestion(use, short string, ask func(*review.Index, context.Context, review.Filter) (*review.Table, error)) *cobra.Command {
	q := question{
		use: use, short: short,
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			t, err := ask(x, ctx, f)
			return t, "", err
		},
	}
	return q.command()
}

func releasedCommand() *cobra.Command {
	var rows, persons int64
	var per string
	q := question{
		use: "released", short: "Say who was given many rows, or many persons, in a session or on a day",
		example: "  sqlveil audit released --rows 5000 --persons 500 --per day --since 7d",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Int64Var(&rows, "rows", 500, "more rows than this; 0 for no matter how many")
			cmd.Flags().Int64Var(&persons, "persons", 100, "or more persons than this; 0 for no matter how many")
			cmd.Flags().StringVar(&per, "per", "session", "session or day")
		},
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			if per != "session" && per != "day" {
				return nil, "", &usageError{fmt.Errorf("--per %s is not session or day", per)}
			}
			t, err := x.Released(ctx, f, per == "session", rows, persons)
			return t, fmt.Sprintf("rows=%d persons=%d per=%s", rows, persons, per), err
		},
	}
	return q.command()
}

func offHoursCommand() *cobra.Command {
	var from, to string
	q := question{
		use: "off-hours", short: "Find statements on classified data outside working hours", limit: searchLimit,
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&from, "from", "08:00", "when work begins, Monday to Friday, local time")
			cmd.Flags().StringVar(&to, "to", "20:00", "when it ends")
		},
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			begin, err1 := clock(from)
			end, err2 := clock(to)
			if err := errors.Join(err1, err2); err != nil {
				return nil, "", &usageError{err}
			}
			rows, err := x.OffHours(ctx, f, review.Hours{From: begin, To: end})
			return review.TableOf(rows), fmt.Sprintf("from=%s to=%s", from, to), err
		},
	}
	return q.command()
}

// clock reads a time of day.
func clock(text string) (time.Duration, error) {
	if text == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day like 08:00", text)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

func burstsCommand() *cobra.Command {
	var errorsInARow int
	var within time.Duration
	q := question{
		use: "bursts", short: "Say who had many errors, refusals or failed logins within a short time",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().IntVar(&errorsInARow, "errors", 10, "at least so many")
			cmd.Flags().DurationVar(&within, "within", time.Minute, "within this time")
		},
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			t, err := x.Bursts(ctx, f, errorsInARow, within)
			return t, fmt.Sprintf("errors=%d within=%s", errorsInARow, within), err
		},
	}
	return q.command()
}

func enumerationCommand() *cobra.Command {
	var persons int
	var within time.Duration
	q := question{
		use: "enumeration", short: "Say who went through many different persons with one statement within a short time",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().IntVar(&persons, "persons", 100, "at least so many")
			cmd.Flags().DurationVar(&within, "within", 10*time.Minute, "within this time")
		},
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			t, err := x.Enumeration(ctx, f, persons, within)
			return t, fmt.Sprintf("persons=%d within=%s", persons, within), err
		},
	}
	return q.command()
}

func sharedLoginsCommand() *cobra.Command {
	var addresses int
	q := question{
		use: "shared-logins", short: "Say which accounts were used by several persons, or from many addresses, on one day",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().IntVar(&addresses, "addresses", 3, "from at least so many addresses")
		},
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			t, err := x.SharedLogins(ctx, f, addresses)
			return t, fmt.Sprintf("addresses=%d", addresses), err
		},
	}
	return q.command()
}

func unusedGrantsCommand() *cobra.Command {
	q := question{
		use: "unused-grants", short: "Say which classes of data a role may see in clear and did not",
		long: `Say which classes of data a role may see in clear, by the policy of the
configuration, and did not in the time asked about.`,
		example: "  sqlveil audit unused-grants -c sqlveil.yaml --since 90d",
		ask: func(ctx context.Context, x *review.Index, p *place, f review.Filter, _ []string) (*review.Table, string, error) {
			c, err := configured(p.config)
			if err != nil {
				return nil, "", err
			}
			grants, err := grantsOf(c.PolicyPath)
			if err != nil {
				return nil, "", err
			}
			t, err := x.UnusedGrants(ctx, f, grants)
			return t, "policy=" + c.Policy.Version(), err
		},
	}
	return q.command()
}

// grantsOf lists which classes each role of a policy sees in clear. It asks a
// policy of the same classes and roles that has one column for each class.
func grantsOf(path string) ([]review.Grant, error) {
	spec := masking.Spec{
		Version: 1, Unlabelled: "visible",
		Classes: make(map[string]masking.ClassSpec), Roles: make(map[string]masking.RoleSpec), Columns: make(map[string]masking.ColumnSpec),
	}
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Type().IsRegular() && file != path && !strings.HasSuffix(file, ".yaml") {
			return err
		}
		var part masking.Spec
		if problems := config.ReadYAML(file, &part); len(problems) > 0 {
			return fmt.Errorf("%v", problems[0])
		}
		spec.Levels = append(spec.Levels, part.Levels...)
		maps.Copy(spec.Classes, part.Classes)
		maps.Copy(spec.Roles, part.Roles)
		return nil
	})
	if err != nil {
		return nil, err
	}
	column := func(class string) masking.Column {
		return masking.Column{Database: "grants", Schema: "of", Table: "class", Name: class}
	}
	for class := range spec.Classes {
		spec.Columns[`grants.of.class."`+class+`"`] = masking.ColumnSpec{Class: class}
	}
	policy, problems := masking.Compile(spec, make([]byte, maskingKeySize)) // nothing is masked with the key
	if policy == nil {
		return nil, fmt.Errorf("%s: %s", path, problems[0].Message)
	}
	var grants []review.Grant
	for _, role := range slices.Sorted(maps.Keys(spec.Roles)) {
		for _, class := range slices.Sorted(maps.Keys(spec.Classes)) {
			label, ok := policy.Label(column(class))
			if !ok {
				return nil, os.ErrInvalid
			}
			if policy.Role(role).Sees(label.Class()) {
				grants = append(grants, review.Grant{Role: role, Class: class})
			}
		}
	}
	return grants, nil
}
