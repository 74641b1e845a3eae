package myrelay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
)

// A client that prepares without end is told to stop, and can go on when it closes some.
func TestManyStatements(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"analyst", "dba"} {
		c := r.raw(user)
		text := mywire.AppendText(nil, mywire.ComStmtPrepare, []byte("SELECT id FROM person WHERE name = '"+strings.Repeat("x", 200_000)+"'"))
		var made []uint32
		for {
			c.send(text)
			body := c.next()
			if body[0] == 0xff {
				told, err := mywire.DecodeError(body)
				if err != nil || told.Code != 1461 {
					t.Errorf("%s: told %v, %v", user, told, err)
				}
				break
			}
			ok, err := mywire.DecodePrepareOK(body)
			if err != nil {
				t.Fatal(err)
			}
			c.definitions(int(ok.Columns))
			if made = append(made, ok.Statement); len(made) > 1000 {
				t.Fatalf("%s: no end", user)
			}
		}
		if held := len(made) * len(text); held < maxHeld/3 {
			t.Errorf("%s: only %d bytes were held", user, held)
		}
		c.send(mywire.AppendStatement(nil, mywire.ComStmtClose, made[0]))
		if got := c.execute("SELECT id FROM person WHERE id = ?", 5); got != "\x05\x00\x00\x00" {
			t.Errorf("%s: then %q", user, got)
		}
	}
}

// Parameters that come in pieces are kept up to a bound; beyond it what would be written
// over a masked column is refused.
func TestMuchLongData(t *testing.T) {
	r := newRig(t)
	c := r.raw("analyst")
	piece := bytes.Repeat([]byte("1"), maxLong)
	bind := func(id uint32) string {
		c.send(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, id), 0, 1, 0, 0, 0, 0, 1, 0xfd, 0))
		body := c.next()
		if body[0] != 0xff {
			return "OK"
		}
		return string(body[9:])
	}
	var last uint32
	for n := 0; n <= maxLongHeld/maxLong; n++ {
		last = c.prepareOne("UPDATE person SET mobile = ? WHERE id = 0")
		c.send(append(append(mywire.AppendStatement(nil, mywire.ComStmtSendLongData, last), 0, 0), piece...))
	}
	if got := bind(last); !strings.Contains(got, "SV108") {
		t.Errorf("beyond the bound: %s", got)
	}
	c.send([]byte{byte(mywire.ComResetConnection)})
	if body := c.next(); body[0] != 0 {
		t.Fatalf("%q", body)
	}
	last = c.prepareOne("UPDATE person SET mobile = ? WHERE id = 0")
	c.send(append(append(mywire.AppendStatement(nil, mywire.ComStmtSendLongData, last), 0, 0), "13711112222"...))
	if got := bind(last); got != "OK" {
		t.Errorf("afterwards: %s", got)
	}
}

// Parameters of many packets are passed on in bounded memory for a role that sees
// everything, and are an error for others.
func TestHugeParameters(t *testing.T) {
	r := newRig(t)
	const size = maxParameters + 100
	parts := func(c *rawClient, id uint32) error {
		head := append(mywire.AppendStatement(nil, mywire.ComStmtExecute, id), 0, 1, 0, 0, 0, 0, 1, 0xfc, 0)
		head = protocol.AppendLenenc(head, size)
		const part = 1<<24 - 1
		body := io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, size))
		left := len(head) + size
		for seq := byte(0); ; seq++ {
			n := min(left, part)
			if _, err := c.nc.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}); err != nil {
				return err
			}
			if _, err := io.CopyN(c.nc, body, int64(n)); err != nil {
				return err
			}
			if left -= n; n < part {
				return nil
			}
		}
	}
	masked := &walk{rawClient: r.raw("analyst")}
	if err := parts(masked.rawClient, masked.prepareOne("UPDATE person SET photo = ? WHERE id = 0")); err != nil {
		t.Fatal(err)
	}
	body, err := masked.read()
	if told, derr := mywire.DecodeError(body); err != nil || derr != nil || told.Code != mywire.CodeTooLarge {
		t.Fatalf("told %q, %v, %v", body, err, derr)
	}
	if got := masked.ask("SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("then %s", got)
	}
	open := &walk{rawClient: r.raw("dba")}
	id := open.prepareOne("UPDATE person SET photo = ? WHERE id = 0")
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if parts(open.rawClient, id) == nil { // the server may hang up before it has all
		if body, err := open.read(); err == nil && body[0] != 0xff {
			t.Errorf("more than the server takes: %q", body)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > size/2 {
		t.Errorf("%d bytes were allocated for %d", grown, size)
	}
}

// zeros is a source of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Who takes its time to log in, byte by byte, is shown the door, and holds up nobody.
func TestSlowLogin(t *testing.T) {
	r := newRig(t, func(relay *Relay) { relay.LoginTimeout = time.Second })
	started := make([]net.Conn, 50)
	for i := range started {
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		started[i] = nc
	}
	if got := r.raw("analyst").ask("SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("somebody else: %s", got)
	}
	login := packet(1, make([]byte, 200))
	for i := 0; i < len(login); i++ {
		for _, nc := range started {
			_, _ = nc.Write(login[i : i+1]) // fails once it is shown the door
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, nc := range started {
		_ = nc.SetReadDeadline(time.Now().Add(20 * time.Second)) // fails only on a closed connection
		_, err := io.Copy(io.Discard, nc)
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Fatal("still connected")
		}
	}
	eventually(t, "all of them gone", func() bool { return r.metrics.Sessions.Load() == 1 })
}
