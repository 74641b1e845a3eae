package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var path string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy",
		Long: `Run the proxy until it is asked to end by SIGTERM or an interrupt; running
statements are then let end for a while, a second signal ends at once.

The configuration is read again when it changes and on SIGHUP. One that has
problems is not put in force, is logged and makes /healthz unhealthy.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), path, drain, cmd.ErrOrStderr())
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().DurationVar(&drain, "drain", 30*time.Second, "how long running statements may take to end")
	return cmd
}

// serve runs the gateway of a configuration until ctx ends.
func serve(ctx context.Context, path string, drain time.Duration, stderr io.Writer) error {
	c, warnings, err := loadConfig(path)
	if err != nil {
		printProblems(stderr, warnings, err)
		return errSilent
	}
	log := newLog(stderr)
	logWarnings(log, warnings)
	g, err := openGateway(path, c, log)
	if err != nil {
		return err
	}
	return g.run(ctx, path, drain)
}

// run serves and reloads until ctx ends.
func (g *gateway) run(ctx context.Context, path string, drain time.Duration) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ctx, stop := context.WithCancel(ctx)
	unhook := context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) }) // the next one is the system's: it ends us
	defer unhook()
	var wg sync.WaitGroup
	var watchErr error
	wg.Go(func() {
		if watchErr = g.watchFiles(ctx, path, hangup); watchErr != nil {
			stop()
		}
	})
	err := g.serve(ctx, drain)
	stop()
	wg.Wait()
	return errors.Join(watchErr, err)
}

// newLog writes the program's log: for people to a terminal, JSON elsewhere.
func newLog(to io.Writer) zerolog.Logger {
	if file, ok := to.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			to = zerolog.ConsoleWriter{Out: file, TimeFormat: time.DateTime}
		}
	}
	return zerolog.New(to).With().Timestamp().Logger()
}
