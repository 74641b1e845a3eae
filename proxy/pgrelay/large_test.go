package pgrelay

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// A row with masked cells is held as a whole, up to a limit. What is larger is not
// released: a statement is refused, a COPY ends the session.
func TestLargeRows(t *testing.T) {
	r := newRig(t)
	sql := func(size int) string {
		return fmt.Sprintf("SELECT mobile, repeat('x', %d), mobile FROM person WHERE id = 1", size)
	}
	const held = 17 << 20
	for user, mobile := range map[string]string{"dba": "13800000001", "analyst": "138****0001"} {
		conn := r.connect(user)
		var before, value, after string
		if err := conn.QueryRow(soon(t), sql(held)).Scan(&before, &value, &after); err != nil || before != mobile || after != mobile || len(value) != held {
			t.Errorf("%s: %s, %d bytes, %s, %v", user, before, len(value), after, err)
		}
		var out strings.Builder
		_, err := conn.PgConn().CopyTo(soon(t), &out, "COPY ("+sql(held)+") TO STDOUT")
		if got := out.String(); err != nil || len(got) != held+2*len(mobile)+3 || !strings.HasPrefix(got, mobile+"\t") || !strings.HasSuffix(got, "\t"+mobile+"\n") {
			t.Errorf("%s: COPY: %d bytes, %v", user, len(got), err)
		}
	}
	conn := r.connect("analyst")
	refused := mustFail(t, conn, "42501", sql(maxRow))
	if !strings.Contains(refused, "SV301") {
		t.Errorf("a row too large: %s", refused)
	}
	if got := value(t, conn, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("behind a row too large: %s", got)
	}
	if _, err := conn.PgConn().CopyTo(soon(t), io.Discard, "COPY ("+sql(maxCopyRow)+") TO STDOUT"); err == nil || !conn.IsClosed() {
		t.Errorf("a COPY of a row too large: %v, closed: %v", err, conn.IsClosed())
	}
}
