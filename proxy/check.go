package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sqlveil/config"
)

func checkCommand() *cobra.Command {
	var path string
	var offline bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with the configuration",
		Long: `Say everything that is wrong with the configuration, all of it at once and each
with its place. Warnings are for what may be meant: inference risks, classes that
are not used, and, by a look at the databases' definitions, labels that name no
column and columns that look sensitive and have no label.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, warnings, err := loadConfig(path)
			if err == nil && !offline {
				warnings = append(warnings, compareWithDatabases(cmd.Context(), c)...)
			}
			printProblems(cmd.ErrOrStderr(), warnings, err)
			if err != nil {
				return errSilent
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is in order, %s\n", path, count(len(warnings), "warning"))
			return err
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&offline, "offline", false, "do not look at the databases")
	return cmd
}

// printProblems prints what is wrong and what may be, a line each.
func printProblems(to io.Writer, warnings []config.Problem, err error) {
	for _, warning := range warnings {
		fmt.Fprintln(to, warning)
	}
	if err != nil {
		fmt.Fprintln(to, err)
	}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
