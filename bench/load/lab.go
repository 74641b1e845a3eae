package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// A contestant is a way to the database.
type contestant struct {
	name    string
	address string
	user    string
	process int // whose processor time counts; 0 for none
}

// A lab is a database with all contestants in front of it.
type lab struct {
	server      *proxytest.PostgreSQLServer
	directory   string
	floors      []*exec.Cmd
	proxy       *proxytest.Sqlveil
	contestants []contestant
}

const customers = 10000

// startLab starts everything. What it started before something failed is ended.
func startLab(ctx context.Context) (l *lab, err error) {
	l = new(lab)
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.server, err = proxytest.StartPostgreSQL(); err != nil {
		return nil, err
	}
	if err := l.fill(ctx); err != nil {
		return nil, err
	}
	l.contestants = []contestant{{"direct", l.server.Addr(), "dba", 0}}
	for _, name := range []string{"go-copy", "go-mask"} {
		if err := l.startFloor(name); err != nil {
			return nil, err
		}
	}
	if l.directory, err = os.MkdirTemp("", "sqlveil-load-"); err != nil {
		return nil, err
	}
	program := filepath.Join(l.directory, "sqlveil")
	if err := proxytest.BuildSqlveil(program); err != nil {
		return nil, err
	}
	site := proxytest.Site{Server: l.server.Addr(), Catalog: "sqlveil", Policy: sample.Policy}
	config, err := site.Write(l.directory)
	if err != nil {
		return nil, err
	}
	if l.proxy, err = proxytest.StartSqlveil(program, config, nil); err != nil {
		return nil, err
	}
	l.contestants = append(l.contestants,
		contestant{"sqlveil, clear", l.proxy.Address, "dba", l.proxy.Process.Pid},
		contestant{"sqlveil, masked", l.proxy.Address, "analyst", l.proxy.Process.Pid})
	return l, nil
}

// fill makes the sample and its users.
func (l *lab) fill(ctx context.Context) error {
	for _, user := range append([]string{"sqlveil"}, sample.Users...) {
		if err := l.server.AddUser(ctx, user, proxytest.ByScram, ""); err != nil {
			return err
		}
	}
	if err := l.server.Exec(ctx, "postgres", "CREATE DATABASE "+sample.Database); err != nil {
		return err
	}
	conn, err := l.server.Connect(ctx, sample.Database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := sample.Load(ctx, conn, 1, customers); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
	return err
}

// startFloor runs this program as a floor, in a process of its own so that its
// processor time can be told apart.
func (l *lab) startFloor(name string) error {
	cmd := exec.Command(os.Args[0], "-floor", name, "-target", l.server.Addr())
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	l.floors = append(l.floors, cmd)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("floor %s: %w", name, err)
	}
	l.contestants = append(l.contestants, contestant{name, strings.TrimSpace(address), "dba", cmd.Process.Pid})
	return nil
}

func (l *lab) close() {
	var err error
	if l.proxy != nil {
		err = l.proxy.Stop()
	}
	for _, floor := range l.floors {
		err = errors.Join(err, floor.Process.Kill())
		_ = floor.Wait() // killed
	}
	if l.server != nil {
		l.server.Close()
	}
	if l.directory != "" {
		err = errors.Join(err, os.RemoveAll(l.directory))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load: the end:", err)
	}
}
