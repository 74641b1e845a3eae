package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"sqlveil/protocol/mywire"
)

// A tally counts what became of statements.
type tally struct {
	statements, answered, withRows, refused, failed int
}

func (t *tally) String() string {
	return fmt.Sprintf("%d statements: %d answered, %d of them with rows, %d refused, %d failed on the server; no token and no difference",
		t.statements, t.answered, t.withRows, t.refused, t.failed)
}

// A leakError is a statement that tells what it may not.
type leakError struct{ user, way, statement, what string }

func (e *leakError) Error() string {
	return fmt.Sprintf("%s, %s:\n%s\n%s", e.user, e.way, e.statement, e.what)
}

// ways are how a statement is sent.
var ways = []struct {
	name string
	send func(*client, string) error
}{{"as a text", (*client).query}, {"prepared", (*client).prepared}}

// mostLeaks is how many leaks a run reports before it ends.
const mostLeaks = 20

// A run is the sessions of one run, one for each of users.
type run struct {
	lab      *lab
	sessions []*client
	tally    tally
	leaks    []error
	before   string // the statement before
}

// users are who sends each statement, and where: the same in both databases, so
// that what statements leave behind is the same.
var users = []struct {
	name     string
	database int
}{{"reader", 0}, {"reader", 1}, {"clerk", 0}, {"clerk", 1}}

func (l *lab) run(ctx context.Context, seed uint64, statements int) (*tally, error) {
	r := &run{lab: l}
	g, err := newGrammar(rand.New(rand.NewPCG(seed, 2)), l.guesses)
	if err != nil {
		return &r.tally, err
	}
	defer func() {
		for _, c := range r.sessions {
			c.conn.Transport().Close()
		}
	}()
	for _, u := range users {
		c, err := dial(l.proxy.Address, u.name, databases[u.database])
		if err != nil {
			return &r.tally, err
		}
		r.sessions = append(r.sessions, c)
	}
	for range statements {
		if err := ctx.Err(); err != nil {
			return &r.tally, err
		}
		if err := r.try(g.statement()); err != nil {
			return &r.tally, fmt.Errorf("%w\n%s", err, l.proxy.Log())
		}
		if len(r.leaks) >= mostLeaks {
			break
		}
	}
	return &r.tally, errors.Join(r.leaks...)
}

// try sends a statement in every way as every user. An error is one of the
// connection; leaks are kept.
func (r *run) try(statement string) error {
	for i, way := range ways {
		if i > 0 && !preparable(statement) {
			break
		}
		for j, c := range r.sessions {
			if err := way.send(c, statement); err != nil {
				return fmt.Errorf("%s, %s: %s: %w (before it: %s)", users[j].name, way.name, statement, err, r.before)
			}
			if what, found := r.lab.tokens.find(c.answer, []byte(statement)); found {
				r.leaks = append(r.leaks, &leakError{users[j].name, way.name, statement, what})
			}
		}
		r.compare(way.name, statement)
		r.count(r.sessions[0])
	}
	r.before = statement
	return r.endTransactions(statement)
}

// endTransactions ends what a statement leaves open that fails before its ROLLBACK:
// it would keep the other sessions waiting.
func (r *run) endTransactions(statement string) error {
	if !strings.HasPrefix(statement, "START TRANSACTION") {
		return nil
	}
	for _, c := range r.sessions {
		if err := c.query("ROLLBACK"); err != nil {
			return err
		}
	}
	return nil
}

// preparable says whether a statement is one that can be prepared, and executed by a
// cursor: to ANALYZE MariaDB 10.11's answer is malformed then, and over EXPLAIN MySQL
// 8.0.46 crashes.
func preparable(statement string) bool {
	return !strings.Contains(statement, ";") && !strings.HasPrefix(statement, "ANALYZE") && !strings.HasPrefix(statement, "EXPLAIN")
}

// compare says whether the reader's answers from both databases differ.
func (r *run) compare(way, statement string) {
	left, right := r.sessions[0].answer, r.sessions[1].answer
	renamed := bytes.ReplaceAll(right, []byte(databases[1]), []byte(databases[0]))
	if bytes.Equal(left, renamed) {
		return
	}
	at := 0
	for at < min(len(left), len(renamed)) && left[at] == renamed[at] {
		at++
	}
	around := func(b []byte) []byte { return b[max(0, min(len(b), at)-30):min(len(b), at+60)] }
	r.leaks = append(r.leaks, &leakError{"reader", way, statement, fmt.Sprintf("the databases differ: %q and %q", around(left), around(renamed))})
}

// count takes a statement down by its answer.
func (r *run) count(c *client) {
	r.tally.statements++
	if c.failed == nil {
		r.tally.answered++
		if c.rows > 0 {
			r.tally.withRows++
		}
		return
	}
	e, err := mywire.DecodeError(c.failed)
	if err == nil && strings.Contains(e.Message, "(SV") {
		r.tally.refused++
		return
	}
	r.tally.failed++
}
