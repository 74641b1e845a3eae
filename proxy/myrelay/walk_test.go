package myrelay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/protocol/mywire"
)

// A walk sends commands without knowing what they bring: behind each goes a query
// whose row says that the session has come so far.
type walk struct {
	*rawClient
	seen bytes.Buffer // all that came back
}

const mark = "here is the mark"

// probe sends packets, each with its number, and then the query for the mark. It
// returns the first bytes of the packets that came before that answer, and whether
// the session goes on.
func (w *walk) probe(packets ...[]byte) (answer []string, alive bool) {
	w.t.Helper()
	packets = append(packets, packet(0, mywire.AppendText(nil, mywire.ComQuery, []byte("SELECT '"+mark+"'"))))
	if _, err := w.nc.Write(bytes.Join(packets, nil)); err != nil {
		return nil, false
	}
	const afterRow = 1 // EOF
	var came []string
	for row := -1; row < afterRow; {
		body, err := w.read()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				w.t.Fatalf("hangs behind %q", came)
			}
			return came, false
		}
		if row >= 0 || bytes.Equal(body, append([]byte{byte(len(mark))}, mark...)) {
			row++
			continue
		}
		came = append(came, string(body[:min(len(body), 40)]))
	}
	const resultHead = 3 // count, column, EOF
	return came[:max(0, len(came)-resultHead)], true
}

func packet(seq byte, body []byte) []byte {
	return append([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), seq}, body...)
}

// read reads a packet, whatever its number.
func (w *walk) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.nc, head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(w.nc, body)
	w.seen.Write(body)
	return body, err
}

// bodies are what may follow a command's first byte, none of it as it should be.
func bodies(command byte) [][]byte {
	random := rand.New(rand.NewPCG(1, uint64(command)))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	return [][]byte{nil, {1}, {1, 0, 0, 0}, noise(3), noise(9), noise(40), bytes.Repeat([]byte{0xff}, 70_000), make([]byte, 12)}
}

// states bring a session to where a command is sent.
var states = map[string]func(w *walk){
	"idle": func(*walk) {},
	"an open cursor": func(w *walk) {
		id := w.prepareOne("SELECT mobile FROM person ORDER BY id")
		w.send(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, id), 1, 1, 0, 0, 0))
		for range 3 { // count, column, EOF
			w.next()
		}
	},
	"long data": func(w *walk) {
		id := w.prepareOne("INSERT INTO person (id, mobile) VALUES (0, ?)")
		w.send(append(mywire.AppendStatement(nil, mywire.ComStmtSendLongData, id), 0, 0, 'x'))
	},
}

// prepareOne prepares a text of one column or one parameter.
func (c *rawClient) prepareOne(text string) uint32 {
	c.t.Helper()
	c.send(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte(text)))
	made, err := mywire.DecodePrepareOK(c.next())
	if err != nil {
		c.t.Fatal(err)
	}
	c.definitions(int(made.Parameters))
	c.definitions(int(made.Columns))
	return made.Statement
}

// harmful are what no test may send to its server as a role that may do everything:
// it would end the server.
var harmful = map[mywire.Command]bool{mywire.ComShutdown: true}

// Every command, with bodies that are none, in every state: an answer and no hang, no
// fault, no value released, everything on record.
func TestCommandWalk(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"analyst", "dba"} {
		for name, bring := range states {
			t.Run(user+" "+name, func(t *testing.T) {
				all := 256
				if name != "idle" {
					all = int(mywire.ComClone) + 1
				}
				var w *walk
				for command := range all {
					if user == "dba" && harmful[mywire.Command(command)] {
						continue
					}
					for _, body := range bodies(byte(command)) {
						if w == nil {
							w = &walk{rawClient: r.raw(user)}
							bring(w)
						}
						_, alive := w.probe(packet(0, append([]byte{byte(command)}, body...)))
						if !alive {
							w = released(t, user, w)
						}
					}
				}
				released(t, user, w)
			})
		}
	}
	eventually(t, "all sessions gone", func() bool { return r.metrics.Sessions.Load() == 0 })
	if n := r.metrics.Panics.Load(); n != 0 {
		t.Errorf("%d faults", n)
	}
	if begun, ended := r.audit.count(auditlog.QueryBegin), r.audit.count(auditlog.QueryEnd); begun == 0 || begun != ended {
		t.Errorf("%d begun, %d ended", begun, ended)
	}
}

// released looks for what a role with masks may not see in all that a session was
// sent, and ends it.
func released(t *testing.T, user string, w *walk) *walk {
	t.Helper()
	if w == nil {
		return nil
	}
	if user == "analyst" && bytes.Contains(w.seen.Bytes(), []byte("1380000")) {
		t.Errorf("released in %q", w.seen.Bytes())
	}
	_ = w.nc.Close() // it may be closed
	return nil
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within ten seconds: %s", what)
}

// kindOf is what kind of packets came: all that is compared where the words differ.
func kindOf(answer []string) string {
	if len(answer) == 0 {
		return "nothing"
	}
	if strings.HasPrefix(answer[0], "\xff") {
		return fmt.Sprintf("error % x", answer[0][1:3])
	}
	return fmt.Sprintf("%d packets, the first % x", len(answer), answer[0][:1])
}

// What is cut off gets the answer of the server, or that it is malformed where the
// server would go by what is left of an earlier packet, and the session goes on.
func TestMalformedCommands(t *testing.T) {
	r := newRig(t)
	malformed := kindOf([]string{"\xff\x2b\x07"})
	for _, user := range []string{"analyst", "dba"} {
		w, direct := &walk{rawClient: r.raw(user)}, &walk{rawClient: r.rawAt(r.Addr(), user)}
		for command := mywire.ComQuit + 1; command <= mywire.ComResetConnection; command++ {
			if harmful[command] {
				continue
			}
			for _, body := range []string{"", "\x01", "\x01\x00\x00\x00", "\x01\x00\x00\x00\x00\x00\x00\x00"} {
				bytes := packet(0, append([]byte{byte(command)}, body...))
				got, alive := w.probe(bytes)
				want, lives := direct.probe(bytes)
				if !lives {
					direct = &walk{rawClient: r.rawAt(r.Addr(), user)}
				}
				if !alive {
					w = &walk{rawClient: r.raw(user)}
				}
				if !alive && lives {
					t.Errorf("%s, %s %q: the session ended behind %q", user, command, body, got)
				}
				unanswered := len(got) == 0 && kindOf(want) == malformed // MySQL says so of what MariaDB never answers
				if kind := kindOf(got); user == "dba" && kind != kindOf(want) && kind != malformed && !unanswered {
					t.Errorf("%s, %s %q: got %s, directly %s", user, command, body, kind, kindOf(want))
				}
			}
		}
	}
}

// While a file is being sent every byte is one of the file's, until an empty packet.
func TestCommandsInFile(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"analyst", "dba"} {
		w := &walk{rawClient: r.raw(user, mywire.CapLocalFiles)}
		w.ask("CREATE TEMPORARY TABLE loading (v blob)")
		for command := range int(mywire.ComClone) + 1 {
			for _, body := range bodies(byte(command)) {
				w.send(mywire.AppendText(nil, mywire.ComQuery, []byte("LOAD DATA LOCAL INFILE 'x' INTO TABLE loading FIELDS TERMINATED BY ''")))
				if asked := w.next(); asked[0] != 0xfb {
					t.Fatalf("%s: %q in place of the wish for a file", user, asked)
				}
				answer, alive := w.probe(packet(2, append([]byte{byte(command)}, body...)), packet(3, nil))
				if !alive || len(answer) != 1 {
					t.Fatalf("%s, %#02x %q: answered %q, %v", user, command, body[:min(len(body), 40)], answer, alive)
				}
			}
		}
	}
}

// Commands that are sent before the result of the one before has been read wait.
func TestCommandsInResult(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"analyst", "dba"} {
		var w *walk
		for command := range int(mywire.ComClone) + 1 {
			if user == "dba" && harmful[mywire.Command(command)] {
				continue
			}
			if w == nil {
				w = &walk{rawClient: r.raw(user)}
			}
			query := packet(0, mywire.AppendText(nil, mywire.ComQuery, []byte("SELECT a.mobile FROM person a, person b")))
			answer, alive := w.probe(query, packet(0, []byte{byte(command), 1, 0, 0, 0}))
			const rows, around = 100 * 100, 4 // count, column, two EOF
			if len(answer) < rows+around {
				t.Errorf("%s, %#02x: %d packets", user, command, len(answer))
			}
			if !alive {
				w = released(t, user, w)
			}
		}
		released(t, user, w)
	}
}

// What comes before a login ends the connection, and no other.
func TestCommandsBeforeLogin(t *testing.T) {
	r := newRig(t)
	for command := range 256 {
		for _, body := range [][]byte{nil, bodies(byte(command))[5], make([]byte, 40)} {
			nc, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = nc.SetDeadline(time.Now().Add(20 * time.Second)) // fails only on a closed connection
			w := &walk{rawClient: &rawClient{t: t, nc: nc}}
			if _, err := w.read(); err != nil {
				t.Fatalf("no greeting: %v", err)
			}
			if answer, alive := w.probe(packet(1, append([]byte{byte(command)}, body...))); alive {
				t.Fatalf("%#02x %q lets in: %q", command, body, answer)
			}
			_ = nc.Close() // it is closed
		}
	}
	if got := r.raw("analyst").ask("SELECT mobile FROM person WHERE id = 1"); got != "138****0001" {
		t.Errorf("then %s", got)
	}
	eventually(t, "all sessions but one gone", func() bool { return r.metrics.Sessions.Load() == 1 })
	if n := r.metrics.Panics.Load(); n != 0 {
		t.Errorf("%d faults", n)
	}
}
