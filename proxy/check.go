package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sqlveil/config"
)

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with the configuration",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, warnings, err := loadConfig(path)
			printProblems(cmd.ErrOrStderr(), warnings, err)
			if err != nil {
				return errSilent
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is in order, %s\n", path, count(len(warnings), "warning"))
			return err
		},
	}
	configFlag(cmd, &path)
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
