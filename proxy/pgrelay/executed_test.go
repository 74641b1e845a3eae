package pgrelay

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// What a prepared EXECUTE or FETCH returns is what the name stands for when it is
// carried out.
func TestPreparedExecute(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ name, outer, open, shut, other string }{
		{
			"execute", "EXECUTE s", "PREPARE s AS SELECT name || '' FROM person WHERE id = 1",
			"DEALLOCATE s", "PREPARE s AS SELECT mobile || '' FROM person WHERE id = 1",
		},
		{
			"fetch", "FETCH c", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT name || '' FROM person WHERE id = 1",
			"CLOSE c", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT mobile || '' FROM person WHERE id = 1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := r.connect("analyst").PgConn()
			simply(t, conn, c.open)
			if _, err := conn.Prepare(t.Context(), "outer", c.outer, nil); err != nil {
				t.Fatal(err)
			}
			if got := outcome(t, conn); got != "name 1" {
				t.Errorf("at first: %q", got)
			}
			simply(t, conn, c.shut)
			simply(t, conn, c.other)
			if got := outcome(t, conn); got != "NULL" && got != "[redacted]" {
				t.Errorf("by another name: %q", got)
			}
		})
	}
}

// A portal of such a statement is carried out later than it is bound.
func TestBoundExecute(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst").PgConn()
	simply(t, conn, "PREPARE s AS SELECT name || '' FROM person WHERE id = 1")
	if _, err := conn.Prepare(t.Context(), "outer", "EXECUTE s", nil); err != nil {
		t.Fatal(err)
	}
	simply(t, conn, "BEGIN")
	f := conn.Frontend()
	bind := func(portal string) {
		f.Send(&pgproto3.Bind{DestinationPortal: portal, PreparedStatement: "outer"})
	}
	rows := func() (rows int, failed string) {
		t.Helper()
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		for {
			message, err := f.Receive()
			if err != nil {
				t.Fatal(err)
			}
			switch m := message.(type) {
			case *pgproto3.DataRow:
				rows++
				if got := string(m.Values[0]); got != "name 1" {
					t.Errorf("released %q", got)
				}
			case *pgproto3.ErrorResponse:
				failed = m.Code
			case *pgproto3.ReadyForQuery:
				return rows, failed
			}
		}
	}
	bind("same")
	bind("other")
	f.Send(&pgproto3.Sync{})
	if _, failed := rows(); failed != "" {
		t.Fatal(failed)
	}
	f.Send(&pgproto3.Execute{Portal: "same"})
	f.Send(&pgproto3.Sync{})
	if n, failed := rows(); n != 1 || failed != "" {
		t.Errorf("as it was bound: %d rows, %s", n, failed)
	}
	simply(t, conn, "DEALLOCATE s")
	simply(t, conn, "PREPARE s AS SELECT mobile || '' FROM person WHERE id = 1")
	f.Send(&pgproto3.Execute{Portal: "other"})
	f.Send(&pgproto3.Sync{})
	if n, failed := rows(); n != 0 || failed != "0A000" {
		t.Errorf("of another statement: %d rows, %s", n, failed)
	}
}

func simply(t *testing.T, conn *pgconn.PgConn, text string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), text).ReadAll(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// outcome is the first cell of what the statement "outer" returns.
func outcome(t *testing.T, conn *pgconn.PgConn) string {
	t.Helper()
	result := conn.ExecPrepared(t.Context(), "outer", nil, nil, nil).Read()
	switch {
	case result.Err != nil:
		t.Fatal(result.Err)
	case len(result.Rows) == 0:
		return "no row"
	case result.Rows[0][0] == nil:
		return "NULL"
	}
	return string(result.Rows[0][0])
}
