package main

import "context"

// An engine is a kind of server, with what is measured in front of it.
type engine struct {
	name     string // of the file with the result
	title    string // as its makers write it
	protocol string // as sqlveil's configuration names it
	policy   string

	there   func() bool                               // whether its programs are; nil for one whose packages "make bench" installs
	start   func(ctx context.Context) (server, error) // with users and tables
	version string                                    // SQL that tells it
	peers   []func(directory, target string) (*peer, error)
	login   func(ctx context.Context, c contestant) (client, error)
	prepare func(ctx context.Context, conn client) error // what the works execute

	small, large []work
	short        work // what a session asks that lasts for one question
	encrypted    []work
	growing      growing
	crowded      work // of sessions that have prepared nothing
	counted      []counted

	// forCrowd is a way to a server that thousands of sessions can take; to close it
	// leaves the server as it is.
	forCrowd func(directory string, s server) (server, error)
}

// engines are all of them, by their name.
var engines = map[string]*engine{postgresql.name: &postgresql, mariadb.name: mariadb, mysql.name: mysql}

// A server is a running database.
type server interface {
	Addr() string
	Exec(ctx context.Context, database, text string) error
	Close()
}

// A client is a session, through whatever is in between.
type client interface {
	// ask runs a query whose result is one text.
	ask(ctx context.Context, query string) (string, error)
	// run runs a query and drops its result.
	run(ctx context.Context, query string) error
	leave(ctx context.Context) error
}

// A work is something to measure.
type work struct {
	name, unit string
	// run does it once in a session and returns how many units that were.
	run func(ctx context.Context, conn client) (int, error)
	// whole, where run is nil, is a program that does it in sessions of its own.
	whole func(ctx context.Context, c contestant, sessions int) (measurement, error)
}
