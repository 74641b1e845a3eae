package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sqlveil/proxy/proxytest"
)

// A contestant is a way to the database.
type contestant struct {
	engine  *engine
	name    string
	address string
	user    string
	process int  // whose processor time counts; 0 for none
	forRows bool // a floor for large results, left out elsewhere
	tls     bool // its clients ask for TLS
}

// A lab is a database with all contestants in front of it.
type lab struct {
	engine      *engine
	server      server
	directory   string
	shared      bool   // the directory is another lab's
	program     string // sqlveil
	peers       []*peer
	proxies     []*proxytest.Sqlveil
	contestants []contestant
}

// mostSessions is the largest number of sessions that the server allows: those
// of one contestant come while those of another may not have left it yet.
const mostSessions = 2500

// startLab starts everything. What it started before something failed is ended.
func startLab(ctx context.Context, e *engine) (*lab, error) {
	l := &lab{engine: e}
	if err := l.startAll(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) startAll(ctx context.Context) error {
	if err := l.startServer(ctx); err != nil {
		return err
	}
	return l.startContestants()
}

// startContestants starts them in front of the server.
func (l *lab) startContestants() error {
	e := l.engine
	l.contestants = []contestant{{engine: e, name: "direct", address: l.server.Addr(), user: clearUser}}
	for _, start := range e.peers {
		p, err := start(l.directory, l.server.Addr())
		if err != nil {
			return err
		}
		if p == nil {
			continue // not installed
		}
		l.peers = append(l.peers, p)
		l.contestants = append(l.contestants, contestant{
			engine: e, name: p.name, address: p.address, user: clearUser, process: p.process(),
			forRows: p.name == "go-frame" || p.name == "go-mask",
		})
	}
	return l.startProxies()
}

// startServer starts the database and builds the program.
func (l *lab) startServer(ctx context.Context) (err error) {
	if l.server, err = l.engine.start(ctx); err != nil {
		return err
	}
	if l.directory, err = os.MkdirTemp("", "sqlveil-load-"); err != nil {
		return err
	}
	if err := os.Chmod(l.directory, 0o755); err != nil { // PgBouncer runs as somebody else
		return err
	}
	if err := writeListener(l.directory); err != nil {
		return err
	}
	l.program = filepath.Join(l.directory, "sqlveil")
	return proxytest.BuildSqlveil(l.program)
}

// listenerFiles are the certificate and the key that proxies show their clients.
func listenerFiles(directory string) (certificate, key string) {
	return filepath.Join(directory, "listener.crt"), filepath.Join(directory, "listener.key")
}

// writeListener makes them.
func writeListener(directory string) error {
	authority, err := proxytest.NewAuthority("sqlveil bench authority")
	if err != nil {
		return err
	}
	pair, err := authority.Server("127.0.0.1")
	if err != nil {
		return err
	}
	certificate, key := listenerFiles(directory)
	return errors.Join(os.WriteFile(certificate, pair.Certificate, 0o644), os.WriteFile(key, pair.Key, 0o644))
}

// startProxies starts sqlveil with each durability that is compared.
func (l *lab) startProxies() error {
	for _, durability := range []string{"classified", "spool"} {
		p, err := l.startProxy(l.program, durability, l.engine.policy)
		if err != nil {
			return err
		}
		add := func(name, user string) {
			l.contestants = append(l.contestants, contestant{engine: l.engine, name: name, address: p.Address, user: user, process: p.Process.Pid})
		}
		if durability == "spool" {
			add("sqlveil, masked, spool", maskedUser)
			continue
		}
		add("sqlveil, clear", clearUser)
		add("sqlveil, masked", maskedUser)
	}
	return nil
}

// startProxy starts sqlveil with a policy, in a directory of its own, with an
// environment besides ours.
func (l *lab) startProxy(program, durability, policy string, environment ...string) (*proxytest.Sqlveil, error) {
	dir, err := os.MkdirTemp(l.directory, "site-")
	if err != nil {
		return nil, err
	}
	site := proxytest.Site{
		Protocol: l.engine.protocol, Server: l.server.Addr(), Catalog: catalogUser, Policy: policy, Durability: durability,
	}
	site.Certificate, site.Key = listenerFiles(l.directory)
	config, err := site.Write(dir)
	if err != nil {
		return nil, err
	}
	p, err := proxytest.StartSqlveil(program, config, environment)
	if err != nil {
		return nil, err
	}
	l.proxies = append(l.proxies, p)
	return p, nil
}

func (l *lab) close() {
	var err error
	for _, p := range l.proxies {
		err = errors.Join(err, p.Stop())
	}
	for _, p := range l.peers {
		p.stop()
	}
	if l.server != nil {
		l.server.Close()
	}
	if l.directory != "" && !l.shared {
		err = errors.Join(err, os.RemoveAll(l.directory))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load: the end:", err)
	}
}
