package pgrelay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/auditlog"
	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
)

// raw logs in without a driver and returns both ends of the connection to the proxy.
func (r *rig) raw(t *testing.T, user string) (*protocol.Conn, *pgwire.Reader, *pgwire.Writer) {
	t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := protocol.NewConn(nc)
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in, out := pgwire.NewReader(c), pgwire.NewWriter(c)
	if err := out.Write(pgwire.AppendStartup(nil, pgwire.Version30, []pgwire.Parameter{{Name: "user", Value: user}, {Name: "database", Value: r.database}})); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	untilReady(t, in)
	return c, in, out
}

// untilReady reads up to a ReadyForQuery and returns the letters before it.
func untilReady(t *testing.T, in *pgwire.Reader) string {
	t.Helper()
	var letters strings.Builder
	for {
		h, err := in.Next()
		if err != nil {
			t.Fatalf("after %q: %v", letters.String(), err)
		}
		if h.Type == pgwire.MsgReadyForQuery {
			return letters.String()
		}
		letters.WriteByte(h.Type)
	}
}

// A client that sends far more than may be in flight before it reads any answer gets
// them all, in the order in which it asked, and so does one that sends no Sync.
func TestDeepPipeline(t *testing.T) {
	for name, syncs := range map[string]bool{"batches": true, "one batch": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c, in, _ := r.raw(t, "analyst")
			const statements = 2 * maxFlight
			message := func(b []byte, letter byte, body string) []byte {
				return append(protocol.AppendUint32(append(b, letter), uint32(len(body)+4)), body...)
			}
			one := message(nil, 'P', "\x00SELECT mobile FROM person WHERE id = 7\x00\x00\x00")
			one = message(one, 'B', "\x00\x00\x00\x00\x00\x00\x00\x00")
			one = message(one, 'E', "\x00\x00\x00\x00\x00")
			if syncs {
				one = message(one, 'S', "")
			}
			sent := make(chan error, 1)
			go func() {
				all := bytes.Repeat(one, statements)
				if !syncs {
					all = message(all, 'S', "")
				}
				_, err := c.Write(all)
				sent <- errors.Join(err, c.Flush())
			}()
			want := "12DC"
			if !syncs {
				want = strings.Repeat(want, statements)
			}
			for i := range statements {
				if got := untilReady(t, in); got != want {
					t.Fatalf("statement %d: %.20q", i, got)
				}
				if !syncs {
					break
				}
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Every message cut at every byte: the answers are those of whole ones.
func TestSplitMessages(t *testing.T) {
	r := newRig(t)
	c, in, _ := r.raw(t, "analyst")
	var batch []byte
	for _, m := range []struct {
		letter byte
		body   string
	}{
		{'P', "s\x00SELECT mobile FROM person WHERE id = $1\x00\x00\x00"},
		{'B', "\x00s\x00\x00\x00\x00\x01\x00\x00\x00\x017\x00\x01\x00\x01"},
		{'D', "P\x00"},
		{'E', "\x00\x00\x00\x00\x00"},
		{'C', "Ss\x00"},
		{'S', ""},
		{'Q', "SELECT 1; SELECT mobile FROM person WHERE id = 1\x00"},
	} {
		batch = append(batch, m.letter)
		batch = protocol.AppendUint32(batch, uint32(len(m.body)+4))
		batch = append(batch, m.body...)
	}
	for at := 1; at < len(batch); at++ {
		for _, part := range [][]byte{batch[:at], batch[at:]} {
			if _, err := c.Write(part); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			runtime.Gosched()
		}
		if got := untilReady(t, in); got != "12TDC3" {
			t.Fatalf("cut at %d: %s", at, got)
		}
		if got := untilReady(t, in); got != "TDCTDC" {
			t.Fatalf("cut at %d: %s", at, got)
		}
	}
}

// Messages that are not what they should be end the session, not the process.
func TestMalformedMessages(t *testing.T) {
	r := newRig(t)
	for name, message := range map[string]string{
		"length 0":                   "Q\x00\x00\x00\x00",
		"length 3":                   "Q\x00\x00\x00\x03",
		"length -1":                  "Q\xff\xff\xff\xff",
		"length 2^31-1":              "Q\x7f\xff\xff\xff",
		"Query without end":          "Q\x00\x00\x00\x08SELE",
		"Parse without text":         "P\x00\x00\x00\x05\x00",
		"Bind with 65535 parameters": "B\x00\x00\x00\x0a\x00\x00\x00\x00\xff\xff",
		"Bind with a negative size":  "B\x00\x00\x00\x10\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00",
		"Describe of nothing":        "D\x00\x00\x00\x06X\x00",
		"Execute cut off":            "E\x00\x00\x00\x05\x00",
		"Close of nothing":           "C\x00\x00\x00\x04",
		"unknown letter":             "!\x00\x00\x00\x04",
		"a password":                 "p\x00\x00\x00\x05\x00",
	} {
		t.Run(name, func(t *testing.T) {
			c, in, _ := r.raw(t, "analyst")
			if _, err := c.Write([]byte(message)); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			f, err := in.Frame(10000)
			if err != nil {
				t.Fatal(err)
			}
			d, err := pgwire.DecodeDiagnostic(f.Body)
			if err != nil || d.Severity != pgwire.SeverityFatal || d.Code != pgwire.StateProtocolViolation {
				t.Errorf("got %q %+v %v", f.Type, d, err)
			}
		})
	}
	eventually(t, "all sessions gone", func() bool { return r.metrics.Sessions.Load() == 0 })
	if n := r.metrics.Panics.Load(); n != 0 {
		t.Errorf("%d faults", n)
	}
}

// A client that does not read holds the server back, and nobody else.
func TestBackPressure(t *testing.T) {
	r := newRig(t)
	c, in, out := r.raw(t, "analyst")
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := out.Query([]byte("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if got := value(t, r.connect("analyst"), "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("somebody else: %s", got)
	}
	var during runtime.MemStats
	runtime.ReadMemStats(&during)
	if grown := int64(during.HeapInuse) - int64(before.HeapInuse); grown > 20<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if got := untilReady(t, in); len(got) != 100002 {
		t.Errorf("%d messages", len(got))
	}
	c.Close()
	eventually(t, "the statement ended", func() bool {
		ends := r.audit.of(auditlog.QueryEnd)
		return len(ends) == 2 && max(ends[0].Result.Rows, ends[1].Result.Rows) == 100000
	})
}

// A client that takes nothing for long is given up.
func TestWriteTimeout(t *testing.T) {
	r := newRig(t, func(relay *Relay) { relay.WriteTimeout = 300 * time.Millisecond })
	_, _, out := r.raw(t, "analyst")
	if err := out.Query([]byte("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)")); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session gone", func() bool { return r.metrics.Sessions.Load() == 0 })
}

// A client that goes in the middle of a result leaves nothing behind.
func TestResetInResult(t *testing.T) {
	r := newRig(t)
	base := runtime.NumGoroutine()
	for range 5 {
		c, _, out := r.raw(t, "analyst")
		if err := out.Query([]byte("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")); err != nil {
			t.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Peek(5); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	eventually(t, "all sessions gone", func() bool { return r.metrics.Sessions.Load() == 0 })
	eventually(t, "all goroutines gone", func() bool { return runtime.NumGoroutine() <= base+2 })
}

// The server goes in the middle of it all.
func TestServerKilled(t *testing.T) {
	r := newRig(t)
	conn := r.connect("analyst")
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT pg_sleep(20)")
		done <- err
	}()
	eventually(t, "the statement runs", func() bool { return r.metrics.Statements.Load() == 1 })
	if _, err := r.admin().Exec(soon(t), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'analyst'"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; stateOf(err) != "57P01" {
		t.Errorf("got %v", err)
	}
	eventually(t, "the session gone", func() bool { return r.metrics.Sessions.Load() == 0 })
}

// A server that cannot be reached.
func TestServerDown(t *testing.T) {
	r := newRig(t)
	_, addr := r.proxy(t, func(relay *Relay) { relay.Address = "127.0.0.1:1" })
	config, err := pgconn.ParseConfig("postgres://dba@" + addr + "/x?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgconn.ConnectConfig(soon(t), config); stateOf(err) != "08006" {
		t.Errorf("got %v", err)
	}
}

// Long messages pass for a role that sees everything, and are refused to others.
func TestLongMessages(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("x", 5<<20)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(mode.String(), func(t *testing.T) {
			open := r.connect("dba", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = mode })
			if got := value(t, open, "SELECT length('"+long+"')::text"); got != fmt.Sprint(len(long)) {
				t.Errorf("got %s", got)
			}
			if got := value(t, open, "SELECT length($1::text)::text", long); got != fmt.Sprint(len(long)) {
				t.Errorf("got %s", got)
			}
			masked := r.connect("analyst", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = mode })
			mustFail(t, masked, "42501", "SELECT '"+long+"'")
			if got := value(t, masked, "SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
				t.Errorf("afterwards: %s", got)
			}
		})
	}
	masked := r.connect("analyst", func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeExec })
	if got := value(t, masked, "SELECT mobile FROM person WHERE id = 1 AND $1::text <> ''", long); got != "138****0001" {
		t.Errorf("a long parameter: %s", got)
	}
	r.exec("UPDATE person SET mobile = repeat('1', 3000000), name = repeat('n', 3000000) WHERE id = 2")
	var name, mobile string
	if err := masked.QueryRow(soon(t), "SELECT name, mobile FROM person WHERE id = 2").Scan(&name, &mobile); err != nil || len(name) != 3000000 || !strings.HasPrefix(mobile, "111**") {
		t.Errorf("long cells: %d %.20s %v", len(name), mobile, err)
	}
}

// Text in another encoding than UTF-8 is refused where it cannot be read.
func TestEncoding(t *testing.T) {
	r := newRig(t)
	r.exec("UPDATE person SET mobile = '13é00000001' WHERE id = 1")
	conn := r.connect("analyst", func(c *pgx.ConnConfig) {
		c.RuntimeParams["client_encoding"] = "LATIN1"
		c.DefaultQueryExecMode = pgx.QueryExecModeExec
	})
	var got string
	err := conn.QueryRow(soon(t), "SELECT mobile FROM person WHERE id = 1").Scan(&got)
	var refused *pgconn.PgError
	if !errors.As(err, &refused) && strings.Contains(got, "\xe9") {
		t.Errorf("got %q %v", got, err)
	}
}
