package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
	"time"

	"sqlveil/proxy/proxytest"
)

// smith lets sqlsmith write statements. It sends them itself, as Query; what ran
// is sent again in binary.
func (l *lab) smith(ctx context.Context, o options, out io.Writer) error {
	f, err := l.newFlight()
	if err != nil {
		return err
	}
	again := &repeater{client: &client{address: f.proxy.address(), user: "masked", database: database}}
	f.proxy.listen = func(a *answer) {
		f.through.listen(written(a))
		again.remember(a)
	}
	f.server.listen = func(a *answer) { f.direct.listen(written(a)) }
	start := time.Now()
	err = forge(ctx, f.proxy, "masked", o.seed, o.smith)
	if err == nil {
		err = forge(ctx, f.server, "open", o.seed, max(leastControl, o.smith/controlPart))
	}
	if err == nil {
		err = again.repeat(ctx)
	}
	if err := errors.Join(err, f.close()); err != nil {
		return err
	}
	return f.judge(out, "sqlsmith", time.Since(start), o, leastSmithRun, leastSmithShown)
}

// leastControl is how many statements of sqlsmith go to the server directly at
// least: few of them show anything.
const leastControl = 300

// written is an answer that does not count unless sqlsmith wrote the statement:
// in its first session it reads the catalog.
func written(a *answer) *answer {
	a.inside = a.inside && a.session > 1
	return a
}

// forge runs sqlsmith in front of a recorder. It ends with an error when it has
// lost its session, which the tally tells.
func forge(ctx context.Context, r *recorder, user string, seed uint64, statements int) error {
	program, err := exec.LookPath("sqlsmith")
	if err != nil {
		return &proxytest.MissingError{Program: "sqlsmith", Looked: "PATH", Install: "apt-get install sqlsmith"}
	}
	host, port, err := net.SplitHostPort(r.address())
	if err != nil {
		return err
	}
	target := fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s sslmode=disable", host, port, user, proxytest.Password(user), database)
	cmd := exec.CommandContext(ctx, program, "--target="+target, "--exclude-catalog", fmt.Sprintf("--seed=%d", seed), fmt.Sprintf("--max-queries=%d", statements))
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sqlsmith: %w: %s", err, text[max(0, len(text)-500):])
	}
	return nil
}

// A repeater sends statements again that gave rows.
type repeater struct {
	client *client

	mu    sync.Mutex
	texts []string // guarded by mu
}

// mostRepeated is how many statements are sent again.
const mostRepeated = 20000

func (r *repeater) remember(a *answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.inside && a.rows > 0 && len(a.texts) == 1 && len(r.texts) < mostRepeated {
		r.texts = append(r.texts, a.texts[0])
	}
}

func (r *repeater) repeat(ctx context.Context) error {
	for _, text := range r.texts {
		if err := r.client.run(ctx, task{statements: []string{text}, way: binary}); err != nil {
			return err
		}
	}
	return r.client.close(ctx)
}
