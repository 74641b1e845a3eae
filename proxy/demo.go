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
	mysql     bool
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
		Long: `Start a PostgreSQL of its own (with --mysql a MariaDB) in a temporary
directory, fill it with made-up customers, companies and orders, run the proxy in
front of it, show the same query as three roles see it, and follow the audit log
until interrupted. Everything is removed at the end.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demonstrate(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&o.mysql, "mysql", false, "with MariaDB and its protocol in place of PostgreSQL")
	cmd.Flags().BoolVar(&o.once, "once", false, "do not wait: check what was shown, verify the log and end")
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:6432", "where the proxy listens")
	cmd.Flags().IntVar(&o.customers, "customers", 10000, "how many customers there are")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "what the data is made from")
	return cmd
}

// A demoServer is a database server of a demo's own.
type demoServer interface {
	Addr() string
	// fill makes the database, its data, and the users with every privilege there.
	fill(ctx context.Context, o demoOptions) error
	// row runs a query of one row, at this server or at a proxy, and returns its
	// values as text.
	row(ctx context.Context, address, user, sql string) ([]*string, error)
	// refusal is an error of row as clients print it, when it is the server's own.
	refusal(err error) (text string, ok bool)
	// client is a command that connects.
	client(address, user string) string
	Close()
}

// A demoKind is what else depends on the kind of the server.
type demoKind struct {
	name     string // of the server
	protocol string // of the listener
	policy   string
	schema   string // of the tables, in the policy's names of columns
	start    func() (demoServer, error)
}

func (o *demoOptions) kind() *demoKind {
	if o.mysql {
		return &mysqlDemoKind
	}
	return &postgresDemoKind
}

// A demo is a database of its own with a gateway in front.
type demo struct {
	kind      *demoKind
	server    demoServer
	directory string // of the configuration, the keys and the audit log
	gateway   *gateway
	address   string // where the gateway listens
	stop      context.CancelFunc
	ended     chan error // what the gateway's run returned
}

// demonstrate is the whole demo.
func demonstrate(ctx context.Context, o demoOptions, stdout, stderr io.Writer) (err error) {
	fmt.Fprintf(stdout, "Starting %s and making %d customers ...\n", o.kind().name, o.customers)
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
	d = &demo{kind: o.kind(), stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	server, err := d.kind.start()
	if err != nil {
		return d, err
	}
	d.server = server
	if err := d.server.fill(ctx, o); err != nil {
		return d, err
	}
	if d.directory, err = os.MkdirTemp("", "sqlveil-demo-"); err != nil {
		return d, err
	}
	return d, d.startGateway(ctx, freeAddress(o.listen, stderr), stderr)
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
	site := proxytest.Site{
		Protocol: d.kind.protocol, Listen: listen, Server: d.server.Addr(), Catalog: catalogUser, Policy: d.kind.policy,
	}
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
		fmt.Fprintln(to, "  "+d.server.client(d.address, user))
	}
	fmt.Fprintf(to, "The configuration, the policy and the audit log are in %s\n", d.directory)
}
