package myrelay

import (
	"testing"

	"sqlveil/masking"
)

// What was made of a result the first time counts for as long as the statement is
// judged in the same way and the server describes it in the same words.
func TestResultsThatComeAgain(t *testing.T) {
	r := newRig(t)
	open := policySpec
	open.Columns = map[string]masking.ColumnSpec{"*.person.salary": {Class: "salary"}}
	strict, loose := compiled(t, policySpec), compiled(t, open)
	c := r.raw("analyst")
	st := c.prepare("SELECT mobile, salary, name FROM person WHERE id = ?")
	const zero = "\x00\x00\x00\x00\x00\x00\x00\x00||name 1"
	for _, step := range []struct {
		name         string
		before       func()
		text, binary string
	}{
		{"first", func() {}, "138****0001||name 1", "138****0001||name 1"},
		{"again", func() {}, "138****0001||name 1", "138****0001||name 1"},
		{"label gone", func() { r.policy.Store(loose) }, "13800000001||name 1", "13800000001||name 1"},
		{"and again", func() {}, "13800000001||name 1", "13800000001||name 1"},
		{"label back", func() { r.policy.Store(strict) }, "138****0001||name 1", "138****0001||name 1"},
		{"wider", func() { r.exec("ALTER TABLE " + r.database + ".person MODIFY mobile varchar(300)") }, "138****0001||name 1", "138****0001||name 1"},
		{"a number", func() { r.exec("ALTER TABLE " + r.database + ".person MODIFY mobile bigint") }, "0||name 1", zero},
		{"a number again", func() {}, "0||name 1", zero},
	} {
		step.before()
		if got := c.ask("SELECT mobile, salary, name FROM person WHERE id = 1"); got != step.text {
			t.Errorf("%s, text: %q, want %q", step.name, got, step.text)
		}
		c.send(executeCommand(st, 1))
		if got := c.answers(true); got != step.binary {
			t.Errorf("%s, prepared: %q, want %q", step.name, got, step.binary)
		}
	}
}

// What was made of the results of statements is kept while there is room, and counts.
func TestDescribedIsBounded(t *testing.T) {
	d := &described{heard: words{make([]byte, maxWords), make([]int, 4)}}
	c := &conn{statements: make(map[uint32]*statement)}
	var all []*statement
	for range 2 * maxHeld / d.size() {
		st := new(statement)
		c.holdDescribed(st, d)
		c.holdDescribed(st, d) // in place of itself
		all = append(all, st)
	}
	if c.held > maxHeld/2 || c.held < maxHeld/2-d.size() || all[0].described == nil || all[len(all)-1].described != nil {
		t.Errorf("%d bytes of %d are held", c.held, maxHeld)
	}
	for _, st := range all {
		c.drop(st)
	}
	if c.held != 0 {
		t.Errorf("%d bytes are held of nothing", c.held)
	}
}
