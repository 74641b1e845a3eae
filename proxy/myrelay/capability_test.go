package myrelay

import (
	"testing"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// Whatever a client and the server agree on of what they may leave out, the
// answers are the same.
func TestCapabilities(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec("USE " + r.database + `; CREATE PROCEDURE two() BEGIN SELECT id FROM person WHERE id = 1; SELECT id FROM person WHERE id = 2; END`)
	optional := []mywire.Capabilities{mywire.CapDeprecateEOF, mywire.CapSessionTrack, mywire.CapPSMultiResults, mywire.CapConnectAttrs, mywire.CapFoundRows}
	conversation := []struct {
		prepared     bool
		text         string
		dba, analyst string
	}{
		{false, "SELECT id, mobile FROM person WHERE id = 1", "1|13800000001", "1|138****0001"},
		{true, "SELECT mobile FROM person WHERE id = ?", "13800000007", "138****0007"},
		{false, "SELECT id FROM person WHERE id < 0", "", ""},
		{false, "USE mysql", "OK", "OK"},
		{false, "SELECT DATABASE()", "mysql", "mysql"},
		{false, "USE " + r.database, "OK", "OK"},
		{false, "CALL two()", "1 / 2 / OK", "1 / 2 / OK"},
		{false, "SELECT nothing", "error 1054 42S22", "error 1054 42S22"},
		{true, "SELECT nothing", "error 1054 42S22", "error 1054 42S22"},
		{false, "SET NAMES utf8mb4", "OK", "OK"},
		{false, "UPDATE person SET name = 'x' WHERE id = 100", "OK", "OK"},
		{true, "UPDATE person SET name = 'y' WHERE id = ? + 93", "OK", "OK"},
		{false, "SELECT mobile FROM person ORDER BY salary", "", "error 1142 42000"},
	}
	for set := range 1 << len(optional) {
		var more mywire.Capabilities
		for i, c := range optional {
			if set>>i&1 != 0 {
				more |= c
			}
		}
		for _, user := range []string{"dba", "analyst"} {
			c := r.raw(user, more)
			for _, step := range conversation {
				want := step.dba
				if user == "analyst" {
					want = step.analyst
				}
				got := ""
				if step.prepared {
					got = c.execute(step.text, 7)
				} else {
					got = c.ask(step.text)
				}
				if got != want && !(want == "" && user == "dba" && got != "") {
					t.Errorf("%s, capabilities %x: %s: got %q, want %q", user, more, step.text, got, want)
				}
			}
		}
	}
}
