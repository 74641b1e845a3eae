package myrelay

import (
	"strings"
	"testing"
)

// A result without a table may have more columns than fit into 16 bits.
func TestManyColumns(t *testing.T) {
	const columns = 70_000
	r := newRig(t)
	c := r.raw("dba")
	if got := c.ask("SELECT 'a'" + strings.Repeat(",'a'", columns-1)); strings.Count(got, "a") != columns {
		t.Errorf("%d columns: %.80s", strings.Count(got, "a"), got)
	}
	if got := c.ask("SELECT 1"); got != "1" {
		t.Errorf("then: %s", got)
	}
}
