package pgrelay

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// held is a query whose third row a server cannot make before a lock is given back;
// the second is larger than what a server keeps before it sends, and drives the
// first out.
const held = `SELECT mobile, repeat('x', 40000), CASE WHEN i > 2 THEN pg_advisory_lock_shared(%d) END
	FROM person, generate_series(1, 3) i WHERE id = 1`

// The first row is with the client while the server still works on the last, masked
// or not.
func TestFirstRow(t *testing.T) {
	r := newRig(t)
	const lock = 4711
	hold := func() { value(t, r.admin(), "SELECT pg_advisory_lock($1)::text", lock) }
	release := func() {
		t.Helper()
		if got := value(t, r.admin(), "SELECT pg_advisory_unlock($1)::text", lock); got != "true" {
			t.Fatalf("the lock was not held: %s", got)
		}
	}
	for user, mobile := range map[string]string{"dba": "13800000001", "analyst": "138****0001"} {
		conn := r.connect(user)
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeDescribeExec} {
			hold()
			rows, err := conn.Query(soon(t), fmt.Sprintf(held, lock), mode)
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for ; rows.Next(); count++ {
				if got := string(rows.RawValues()[0]); got != mobile {
					t.Errorf("%s, %s: %q", user, mode, got)
				}
				if count == 0 {
					release()
				}
			}
			if rows.Err() != nil || count != 3 {
				t.Fatalf("%s, %s: %d rows, %v", user, mode, count, rows.Err())
			}
			value(t, conn, "SELECT pg_advisory_unlock_shared($1)::text", lock)
		}
		hold()
		first := &firstWrite{then: release}
		tag, err := conn.PgConn().CopyTo(soon(t), first, "COPY ("+fmt.Sprintf(held, lock)+") TO STDOUT")
		if err != nil || tag.RowsAffected() != 3 || first.text != mobile {
			t.Fatalf("%s, COPY: %s of %q, %v", user, tag, first.text, err)
		}
		value(t, conn, "SELECT pg_advisory_unlock_shared($1)::text", lock)
	}
}

// A firstWrite does something when it is written to for the first time, and keeps
// the start of that.
type firstWrite struct {
	text string
	then func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.text == "" {
		w.text = string(p[:min(len(p), len("13800000001"))])
		w.then()
	}
	return len(p), nil
}
