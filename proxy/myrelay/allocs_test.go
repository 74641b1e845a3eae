//go:build !race

package myrelay

import (
	"testing"

	"sqlveil/protocol/mywire"
)

// TestExchangesAllocateNothing lets a client, the relay and a real server go through the same
// exchange again and again.
func TestExchangesAllocateNothing(t *testing.T) {
	r := newRig(t)
	r.server.Options.Audit = discard{}
	for _, user := range []string{"dba", "analyst"} {
		c := r.raw(user)
		text := func(text string) []byte { return mywire.AppendText(nil, mywire.ComQuery, []byte(text)) }
		for name, commands := range map[string][][]byte{
			"text":             {text("SELECT name FROM person WHERE id = 7")},
			"other literals":   {text("SELECT name FROM person WHERE id = 8"), text("SELECT name FROM person WHERE id = 9")},
			"masked text":      {text("SELECT id, mobile, salary FROM person WHERE id = 7")},
			"rows":             {text("SELECT * FROM person")},
			"prepared":         {executeCommand(c.prepare("SELECT name FROM person WHERE id = ?"), 7)},
			"masked, prepared": {executeCommand(c.prepare("SELECT id, mobile, salary FROM person WHERE id = ?"), 7)},
			"rows, prepared":   {executeCommand(c.prepare("SELECT * FROM person WHERE id > ?"), 1)},
		} {
			packets := c.packets(commands[0])
			turn := 0
			allocations := testing.AllocsPerRun(200, func() {
				c.exchange(commands[turn%len(commands)], packets)
				turn++
			})
			if allocations != 0 {
				t.Errorf("%s, %s: %v allocations", user, name, allocations)
			}
		}
	}
}
