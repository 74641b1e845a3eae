//go:build !race

package pgrelay

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/auditlog"
	"sqlveil/protocol/pgwire"
	"sqlveil/protocol/pgwire/pgwiretest"
)

// A frugal client sends ready-made bytes, and allocates nothing itself.
type frugal struct {
	t     *testing.T
	conn  net.Conn
	bytes [4096]byte
}

// ask sends messages and reads until the server is ready for more.
func (f *frugal) ask(messages []byte) {
	if _, err := f.conn.Write(messages); err != nil {
		f.t.Fatal(err)
	}
	const ready = "Z\x00\x00\x00\x05"
	for have := 0; ; {
		n, err := f.conn.Read(f.bytes[have:])
		if err != nil {
			f.t.Fatal(err)
		}
		have += n
		if start := have - len(ready) - 1; start >= 0 && string(f.bytes[start:have-1]) == ready {
			if f.bytes[0] == pgwire.MsgErrorResponse {
				f.t.Fatalf("the server says %q", f.bytes[:have])
			}
			return
		}
	}
}

// newFrugal logs a frugal client in, which prepares text as s.
func newFrugal(t *testing.T, r *rig, user, text string) *frugal {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), r.dsn(user))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Prepare(t.Context(), "s", text, nil); err != nil {
		t.Fatal(err)
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hijacked.Conn.Close() })
	return &frugal{t: t, conn: hijacked.Conn}
}

// numbered is the messages of lines in which $n is a number from 10 to 99.
func numbered(t *testing.T, lines []string) (statements [90][]byte) {
	t.Helper()
	notation := &pgwiretest.Notation{}
	for i := range statements {
		for _, line := range lines {
			m, err := notation.Encode(pgwiretest.Client, strings.ReplaceAll(line, "$n", strconv.Itoa(10+i)))
			if err != nil {
				t.Fatal(err)
			}
			statements[i] = append(statements[i], m...)
		}
	}
	return statements
}

// From the client's message over the plan and the audit log to the server and back
// nothing is allocated, once a session has asked for the like before; a Parse
// allocates what it leaves behind. What is measured is all of the proxy and nothing
// else: the test's server is another process.
func TestStatementsAllocateNothing(t *testing.T) {
	log, err := auditlog.Open(auditlog.Options{Directory: t.TempDir(), Durability: auditlog.Spool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	r := newRig(t)
	r.record = log
	_, r.addr = r.proxy(t)
	const plain, masked = "SELECT name FROM person WHERE id = $1", "SELECT mobile FROM person WHERE id = $1"
	for _, test := range []struct {
		name    string
		prepare string
		lines   []string
		most    float64
	}{
		{"simple", plain, []string{`Query "SELECT name FROM person WHERE id = $n"`}, 0},
		{"simple, masked", plain, []string{`Query "SELECT mobile, born FROM person WHERE id = $n"`}, 0},
		{"simple, persons", plain, []string{`Query "SELECT id, mobile FROM person WHERE id IN ($n, 7)"`}, 0},
		{"prepared", plain, []string{`Bind "" "s" "$n"`, `Execute "" 0`, `Sync`}, 0},
		{"prepared, described", plain, []string{`Bind "" "s" "$n"`, `Describe P ""`, `Execute "" 0`, `Sync`}, 0},
		{"prepared, masked", masked, []string{`Bind "" "s" "$n"`, `Execute "" 0`, `Sync`}, 0},
		{"prepared, masked, described", masked, []string{`Bind "" "s" "$n"`, `Describe P ""`, `Execute "" 0`, `Sync`}, 0},
		{"parsed", plain, []string{`Parse "" "SELECT name FROM person WHERE id = $1"`, `Bind "" "" "$n"`, `Describe P ""`, `Execute "" 0`, `Sync`}, 10},
	} {
		for _, user := range []string{"analyst", "dba"} {
			t.Run(test.name+", "+user, func(t *testing.T) {
				client, statements := newFrugal(t, r, user, test.prepare), numbered(t, test.lines)
				turn := 0
				next := func() {
					client.ask(statements[turn%len(statements)])
					turn++
				}
				for range len(statements) {
					next()
				}
				if n := testing.AllocsPerRun(1000, next); n > test.most {
					t.Errorf("%v allocations a statement, want at most %v", n, test.most)
				}
			})
		}
	}
}
