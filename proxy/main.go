// Sqlveil stands between clients and a PostgreSQL server, speaks the server's
// own protocol, and shows each caller what the caller's role may see: protected
// columns masked, everything on record.
//
// The commands are files of this package, each named after its command:
//
//	serve    run the proxy
//	check    say everything that is wrong with the configuration
//	explain  say what would become of a statement
//	test     check a policy against statements with expected masks
//	demo     try it all, with a database of its own
//	audit    verify, follow and search the audit log
//	keygen   make a masking key
//	version  say which build this is
//
// What they put in a row is built in gateway.go: one listener for each entry of
// sqlveil.yaml, each with its relay from the table in wires.go. Read on in
// package session.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// What the program exits with.
const (
	exitOK     = 0
	exitFailed = 1 // it could not be done, or what was checked is not right
	exitUsage  = 2 // the command line is wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out a command line. When ctx ends the command comes to its end.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if message := oneLine(err); message != "" {
		fmt.Fprintln(stderr, "sqlveil: "+message)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// errSilent is a failure that has been told already.
var errSilent = errors.New("")

// A usageError is a wrong command line.
type usageError struct{ error }

// Unwrap returns what is wrong.
func (e *usageError) Unwrap() error { return e.error }

// oneLine is an error as one line of text.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(plainError(err).Error(), func(r rune) bool { return r == '\n' }), "; ")
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "sqlveil",
		Short:         "A database proxy that masks what a caller may not see and keeps a record of everything",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("unknown command %q, see sqlveil --help", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w, see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(
		serveCommand(),
		checkCommand(),
		explainCommand(),
		testCommand(),
		demoCommand(),
		auditCommand(),
		keygenCommand(),
		versionCommand(),
	)
	return root
}

// wanted are the names of arguments with their number.
func wanted(names []string) string {
	return strings.TrimSpace(count(len(names), "argument") + " " + strings.Join(names, " "))
}

// arguments wants exactly these arguments on the command line.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return &usageError{fmt.Errorf("%s wants %s, got %d", cmd.CommandPath(), wanted(names), len(args))}
		}
		return nil
	}
}

// configFlag adds -c, the path of sqlveil.yaml, to a command.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "sqlveil.yaml", "the configuration")
}
