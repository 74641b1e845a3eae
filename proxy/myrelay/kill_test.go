package myrelay

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sqlveil/auditlog"
	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// of returns the events of a kind.
func (m *memory) of(kind auditlog.Kind) (events []auditlog.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

// sleeping starts a statement that takes long in a session of its own and returns it
// with its number when the server carries it out.
func (r *rig) sleeping(user string) (c *rawClient, thread string) {
	r.t.Helper()
	c = r.raw(user)
	thread = c.ask("SELECT CONNECTION_ID()")
	c.send(mywire.AppendText(nil, mywire.ComQuery, []byte("SELECT SLEEP(60)")))
	watcher := r.rawAt(r.Addr(), "dba")
	eventually(r.t.(*testing.T), "the statement runs", func() bool { return sleeps(watcher, thread) })
	return c, thread
}

// sleeps says whether the session with a number sleeps.
func sleeps(watcher *rawClient, thread string) bool {
	return watcher.ask("SELECT count(*) FROM information_schema.PROCESSLIST WHERE (STATE = 'User sleep' OR VERSION() LIKE '%TiDB%' AND INFO LIKE 'SELECT SLEEP%') AND ID = "+thread) == "1"
}

// KILL in each of its forms, and COM_PROCESS_KILL, mean the session that clients know
// by the number, and are on record there.
func TestKill(t *testing.T) {
	r := newRig(t)
	forms := []string{"KILL QUERY %s", "kill query %s ;", "KILL HARD QUERY %s", "KILL %s", "KILL CONNECTION %s", ""}
	if r.Product() == proxytest.ProductTiDB {
		forms = []string{"KILL QUERY %s", "kill query %s ;", "KILL TIDB QUERY %s", "KILL %s", "KILL TIDB CONNECTION %s", "KILL TIDB %s"}
	}
	for n, form := range forms {
		victim, thread := r.sleeping("analyst")
		killer := r.raw("dba")
		if form == "" {
			var id uint32
			if _, err := fmt.Sscan(thread, &id); err != nil {
				t.Fatal(err)
			}
			killer.send(protocol.AppendUint32LE([]byte{byte(mywire.ComProcessKill)}, id))
			if got := killer.next(); got[0] != 0 {
				t.Fatalf("COM_PROCESS_KILL: %q", got)
			}
		} else if got := killer.ask(fmt.Sprintf(form, thread)); got != "OK" {
			t.Fatalf("%s: %s", form, got)
		}
		eventually(t, form+": the statement ended", func() bool { return !sleeps(killer, thread) })
		victim.nc.Close()
		eventually(t, form+" on record", func() bool { return len(r.audit.of(auditlog.QueryCancel)) == n+1 })
		e := r.audit.of(auditlog.QueryCancel)[n]
		if from := e.Detail[0].Value; e.Who.Login != "analyst" || from != killer.nc.LocalAddr().String() {
			t.Errorf("%s: %s of %s", form, from, e.Who.Login)
		}
	}
	killer := r.raw("analyst")
	nobody := "error 1094" // which TiDB only warns of
	if r.Product() == proxytest.ProductTiDB {
		nobody = "OK"
	}
	if got := killer.ask("KILL 4000000000"); !strings.HasPrefix(got, nobody) {
		t.Errorf("nobody's number: %s", got)
	}
	if n := len(r.audit.of(auditlog.QueryCancel)); n != 6 {
		t.Errorf("%d on record", n)
	}
}

// A client that leaves while its statement runs ends it, at the server too.
func TestClientLeaves(t *testing.T) {
	server := proxytest.MariaDB(t)
	for name, kill := range map[string]func(context.Context, uint32) error{
		"with the means": func(ctx context.Context, thread uint32) error {
			return server.Exec(ctx, "", fmt.Sprintf("KILL QUERY %d", thread))
		},
		"without": nil,
		"in vain": func(context.Context, uint32) error { return context.DeadlineExceeded },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(relay *Relay) { relay.Kill = kill })
			victim, thread := r.sleeping("analyst")
			victim.nc.Close()
			eventually(t, "the session gone", func() bool { return r.metrics.Sessions.Load() == 0 })
			watcher := r.rawAt(r.Addr(), "dba")
			eventually(t, "the statement ended", func() bool { return !sleeps(watcher, thread) })
			ends := r.audit.of(auditlog.QueryEnd)
			// A SLEEP that is ended returns a row, which may come before the end of the session.
			if end := ends[len(ends)-1]; end.Result.Ended != "client gone" && (name != "with the means" || end.Result.Ended != "") {
				t.Errorf("ended by %q", end.Result.Ended)
			}
			if cancels := r.audit.of(auditlog.QueryCancel); len(cancels) != 1 || cancels[0].Detail[0].Value != "the client left" {
				t.Errorf("on record: %+v", cancels)
			}
		})
	}
}

// One that leaves in the middle of a result ends its session, too.
func TestClientLeavesInResult(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"analyst", "dba"} {
		c := r.raw(user)
		thread := c.ask("SELECT CONNECTION_ID()")
		c.send(mywire.AppendText(nil, mywire.ComQuery, []byte("SELECT a.mobile, repeat('x', 1000) FROM person a, person b, person c")))
		c.next()
		c.nc.Close()
		eventually(t, "the session gone", func() bool { return r.metrics.Sessions.Load() == 0 })
		watcher := r.rawAt(r.Addr(), "dba")
		eventually(t, "the statement ended", func() bool {
			return watcher.ask("SELECT count(*) FROM information_schema.PROCESSLIST WHERE ID = "+thread) == "0"
		})
	}
	for _, end := range r.audit.of(auditlog.QueryEnd) {
		if end.Result.Ended != "client gone" && end.Result.Ended != "" {
			t.Errorf("ended by %q", end.Result.Ended)
		}
	}
}
