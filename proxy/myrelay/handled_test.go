package myrelay

import (
	"testing"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// A procedure that goes on after a SELECT of its own failed ends that one's result
// by an EOF, also where that is deprecated.
func TestHandledError(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec("USE " + r.database + `; CREATE PROCEDURE handled() BEGIN
		DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SELECT 'handled';
		SELECT id, (SELECT o.id FROM person o WHERE o.id >= person.id) FROM person WHERE id IN (1, 100) ORDER BY id;
		SELECT 'done'; END`)
	for _, agreed := range []mywire.Capabilities{0, mywire.CapDeprecateEOF, mywire.CapDeprecateEOF | mywire.CapSessionTrack} {
		c := r.raw("dba", agreed|mywire.CapPSMultiResults)
		for name, answer := range map[string]func() string{
			"text":     func() string { return c.ask("CALL handled()") },
			"prepared": func() string { return c.execute("CALL handled()", 0) },
		} {
			if got, want := answer(), " / handled / done / OK"; got != want {
				t.Errorf("capabilities %x, %s: got %q, want %q", agreed, name, got, want)
			}
		}
	}
}
