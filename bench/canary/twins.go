package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"sqlveil/proxy/proxytest"
)

// compareTwins sends each statement to two databases that differ in protected values
// only. Whoever may not see or use those must get the same from both, byte for
// byte: rows, counts, errors, descriptions. What differs would tell a value to
// whoever asks often enough.
func (l *lab) compareTwins(ctx context.Context, o options, out io.Writer) error {
	start := time.Now()
	masked, err := l.newTwins(l.strict.Address, "masked", newTally(l.search))
	if err != nil {
		return err
	}
	masked.again = true
	open, err := l.newTwins(l.server.Addr(), "open", newTally(l.search))
	if err != nil {
		return errors.Join(err, masked.close(ctx))
	}
	g := newGenerator(o.seed + 1e6)
	for i := range o.twins {
		t := g.guess(l.secrets)
		if g.one(2) {
			t = g.task()
		}
		if !comparable(t) {
			continue
		}
		err = masked.run(ctx, t)
		if err == nil && i%controlPart == 0 {
			err = open.run(ctx, t)
		}
		if err != nil {
			break
		}
	}
	if err := errors.Join(err, masked.close(ctx), open.close(ctx)); err != nil {
		return err
	}
	fmt.Fprintf(out, "twins, through sqlveil, in %.0f s: %d of %d tasks tell them apart; directly %d of %d\n",
		time.Since(start).Seconds(), len(masked.differing), masked.tasks, len(open.differing), open.tasks)
	masked.tally.print(out, o.samples)
	return errors.Join(masked.judge(out), open.control())
}

// comparable says whether a task must have the same outcome in both: the numbers
// of processes and of new tables differ by nature, and how many different values
// there are is released.
func comparable(t task) bool {
	return t.form != "system" && t.form != "keep" && !strings.Contains(strings.Join(t.statements, " "), "count(DISTINCT ")
}

// The least parts of all tasks on the twins: of statements that must run, of
// tasks that must differ directly.
const (
	leastTwinsRun       = 0.25
	leastTwinsDiffering = 0.2
)

// A pairOfTwins has a session in each database.
type pairOfTwins struct {
	server    *proxytest.PostgreSQLServer
	tally     *tally
	again     bool // a difference counts when it is there again in tidy tables
	sides     [2]*side
	tasks     int
	differing []string
}

// A side is one database of the two.
type side struct {
	client   *client
	recorder *recorder

	mu      sync.Mutex
	answers []*answer // guarded by mu; since the task began
}

func (l *lab) newTwins(address, user string, t *tally) (*pairOfTwins, error) {
	p := &pairOfTwins{server: l.server, tally: t}
	for i, name := range twins {
		s := new(side)
		r, err := record(address, func(a *answer) {
			if i == 0 {
				t.listen(a)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.answers = append(s.answers, a)
		})
		if err != nil {
			return nil, err
		}
		s.recorder, s.client = r, &client{address: r.address(), user: user, database: name}
		p.sides[i] = s
		if err := s.client.connect(context.Background()); err != nil {
			return nil, err
		}
		s.take() // of the login
	}
	return p, nil
}

// take returns the answers so far and forgets them.
func (s *side) take() []*answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.answers
	s.answers = nil
	return taken
}

// run sends a task to both and compares.
func (p *pairOfTwins) run(ctx context.Context, t task) error {
	p.tasks++
	d, err := p.ask(ctx, t)
	if err != nil || d == "" {
		return err
	}
	if p.again {
		if err := p.tidy(ctx); err != nil {
			return err
		}
		d, err = p.ask(ctx, t)
	}
	if d != "" {
		p.differing = append(p.differing, fmt.Sprintf("%s, %s: %s\n  %s", t.form, t.way, strings.Join(t.statements, ";\n    "), d))
	}
	return err
}

// ask sends a task to both and says how the answers differ.
func (p *pairOfTwins) ask(ctx context.Context, t task) (string, error) {
	var answers [2][]*answer
	for i, s := range p.sides {
		if err := s.client.run(ctx, t); err != nil {
			return "", err
		}
		answers[i] = s.take()
	}
	return difference(answers[0], answers[1]), nil
}

// tidy makes the tables of both of one size again. What was written and rolled
// back leaves rows that take room according to what is in them, and by the room
// the server chooses its plans, hence the order of rows that nobody orders.
func (p *pairOfTwins) tidy(ctx context.Context) error {
	for _, name := range twins {
		for _, t := range tables {
			if err := p.server.Exec(ctx, name, "VACUUM FULL "+t.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// difference says how answers differ, "" when they do not.
func difference(a, b []*answer) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d answers and %d", len(a), len(b))
	}
	for i := range a {
		if x, y := a[i].bytes, bytes.ReplaceAll(b[i].bytes, []byte(twins[1]), []byte(twins[0])); !bytes.Equal(x, y) {
			at := 0
			for at < len(x) && at < len(y) && x[at] == y[at] {
				at++
			}
			from := max(0, at-40)
			return fmt.Sprintf("answer %d: %q and %q", i, x[from:min(len(x), at+80)], y[from:min(len(y), at+80)])
		}
	}
	return ""
}

func (p *pairOfTwins) close(ctx context.Context) error {
	var err error
	for _, s := range p.sides {
		err = errors.Join(err, s.client.close(ctx), s.recorder.close())
	}
	return err
}

// judge says what is wrong with what a role with masks got.
func (p *pairOfTwins) judge(out io.Writer) error {
	for _, d := range p.differing {
		fmt.Fprintln(out, "TELLS", d)
	}
	var err error
	if len(p.differing) > 0 {
		err = fmt.Errorf("twins: %d of %d tasks tell them apart", len(p.differing), p.tasks)
	}
	if sum := p.tally.total(); share(sum.ran, sum.all) < leastTwinsRun {
		err = errors.Join(err, fmt.Errorf("twins: only %.2f of the statements ran", share(sum.ran, sum.all)))
	}
	return err
}

// control says what is wrong with what the server shows directly.
func (p *pairOfTwins) control() error {
	if got := share(len(p.differing), p.tasks); got < leastTwinsDiffering {
		return fmt.Errorf("twins: directly only %.2f of the tasks tell them apart", got)
	}
	return nil
}
