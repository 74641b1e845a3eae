package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	once      bool
	listen    string
	customers int
	seed      uint64
}

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it all, with a database of its own",
		Long: `Start a PostgreSQL of its own in a temporary directory, fill it with made-up
customers, companies and orders, run the proxy in front of it, show the same
query as three roles see it, and follow the audit log until interrupted.
Everything is removed at the end.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demonstrate(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "do not wait: check what was shown, verify the log and end")
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:6432", "where the proxy listens")
	cmd.Flags().IntVar(&o.customers, "customers", 10000, "how many customers there are")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "what the data is made from")
	return cmd
}

// A demo is a database of its own with a gateway in front.
type demo struct {
	server    *proxytest.PostgreSQLServer
	directory string // of the configuration, the keys and the audit log
	gateway   *gateway
	address   string // where the gateway listens
	stop      context.CancelFunc
	ended     chan error // what the gateway's run returned
}

// demonstrate is the whole demo.
func demonstrate(ctx context.Context, o demoOptions, stdout, stderr io.Writer) (err error) {
	fmt.Fprintf(stdout, "Starting PostgreSQL and making %d customers ...\n", o.customers)
	d, err := startDemo(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	d.printAddresses(stdout)
	if err := d.show(ctx, stdout); err != nil {
		return err
	}
	if o.once {
		return d.verify(ctx, stdout)
	}
	fmt.Fprintln(stdout, "\nThe audit log, as it grows; interrupt to end:")
	return d.follow(ctx, stdout)
}

// startDemo starts everything. What it started before something failed is
// ended again.
func startDemo(ctx context.Context, o demoOptions, stderr io.Writer) (d *demo, err error) {
	d = &demo{stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.server, err = proxytest.StartPostgreSQL(); err != nil {
		return d, err
	}
	if err := fillDemo(ctx, d.server, o); err != nil {
		return d, err
	}
	if d.directory, err = os.MkdirTemp("", "sqlveil-demo-"); err != nil {
		return d, err
	}
	return d, d.startGateway(ctx, freeAddress(o.listen, stderr), stderr)
}

// fillDemo makes the database and the logins.
func fillDemo(ctx context.Context, server *proxytest.PostgreSQLServer, o demoOptions) error {
	for _, user := range append([]string{catalogUser}, sample.Users...) {
		if err := server.AddUser(ctx, user, proxytest.ByScram, ""); err != nil {
			return err
		}
	}
	if err := server.Exec(ctx, "postgres", "CREATE DATABASE "+sample.Database+" OWNER dba"); err != nil {
		return err
	}
	conn, err := server.Connect(ctx, sample.Database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := sample.Load(ctx, conn, o.seed, o.customers); err != nil {
		return err
	}
	_, err = conn.PgConn().Exec(ctx, "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC").ReadAll()
	return err
}

// catalogUser is the account that reads table definitions.
const catalogUser = "sqlveil"

// freeAddress is the address wanted, or any other port when it is taken.
func freeAddress(wanted string, stderr io.Writer) string {
	socket, err := net.Listen("tcp", wanted)
	if err == nil {
		socket.Close()
		return wanted
	}
	fmt.Fprintf(stderr, "%s is taken, another port will do\n", wanted)
	return "127.0.0.1:0"
}

// startGateway writes a configuration and runs it.
func (d *demo) startGateway(ctx context.Context, listen string, stderr io.Writer) error {
	site := proxytest.Site{Listen: listen, Server: d.server.Addr(), Catalog: catalogUser, Policy: sample.Policy}
	path, err := site.Write(d.directory)
	if err != nil {
		return err
	}
	c, _, err := loadConfig(path)
	if err != nil {
		return err
	}
	log := newLog(stderr).Level(zerolog.WarnLevel)
	if d.gateway, err = openGateway(path, c, log); err != nil {
		return err
	}
	d.address = d.gateway.listeners[0].socket.Addr().String()
	ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	d.ended = make(chan error, 1)
	go func() { d.ended <- d.gateway.run(ctx, path, time.Second) }()
	return nil
}

// close ends the gateway, then the server.
func (d *demo) close() error {
	d.stop()
	var err error
	if d.ended != nil {
		err = <-d.ended
	}
	if d.server != nil {
		d.server.Close()
	}
	if d.directory == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(d.directory))
}

// printAddresses says how to look around.
func (d *demo) printAddresses(to io.Writer) {
	fmt.Fprintln(to, "\nConnect as any of these roles:")
	for _, user := range sample.Users {
		fmt.Fprintf(to, "  psql '%s'\n", proxytest.PostgresDSN(d.address, user, sample.Database))
	}
	fmt.Fprintf(to, "The configuration, the policy and the audit log are in %s\n", d.directory)
}
