package myrelay

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sqlveil/auditlog"
	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// Commands that go around all SQL are refused for roles with masks, and the
// session lives on.
func TestCommands(t *testing.T) {
	r := newRig(t)
	c := r.raw("analyst")
	for _, command := range []mywire.Command{
		mywire.ComSleep, mywire.ComBinlogDump, mywire.ComTableDump, mywire.ComRegisterReplica, mywire.ComDaemon,
		mywire.ComBinlogDumpGTID, mywire.ComClone, mywire.ComMulti, mywire.ComRefresh,
		mywire.ComShutdown, mywire.Command(0x77),
	} {
		c.send(append([]byte{byte(command)}, "person\x00"...))
		if body := c.next(); body[0] != 0xff || !strings.Contains(string(body), "sqlveil") {
			t.Errorf("%s: answered %q", command, body)
		}
	}
	c.send([]byte{byte(mywire.ComPing)})
	if body := c.next(); body[0] != 0 {
		t.Errorf("COM_PING: answered %q", body)
	}
	// Statements that nobody prepared.
	c.send(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, 99), 0, 1, 0, 0, 0))
	if body := c.next(); body[0] != 0xff {
		t.Errorf("COM_STMT_EXECUTE: answered %q", body)
	}
	c.send(append(mywire.AppendStatement(nil, mywire.ComStmtFetch, 99), 1, 0, 0, 0))
	if body := c.next(); body[0] != 0xff {
		t.Errorf("COM_STMT_FETCH: answered %q", body)
	}
	c.send([]byte{byte(mywire.ComResetConnection)})
	if body := c.next(); body[0] != 0 {
		t.Errorf("COM_RESET_CONNECTION: answered %q", body)
	}
}

// COM_FIELD_LIST tells what SHOW COLUMNS does, and is on record as that.
func TestFieldList(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"dba", "analyst"} {
		c := r.raw(user)
		c.send(append([]byte{byte(mywire.ComFieldList)}, "person\x00"...))
		var names []string
		for body := c.next(); body[0] != 0xfe; body = c.next() {
			column, err := mywire.DecodeColumnAs(body, c.agreed)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, string(column.Name))
		}
		if got := strings.Join(names, " "); got != "id name mobile salary born photo" {
			t.Errorf("%s: got %s", user, got)
		}
		c.send(append([]byte{byte(mywire.ComFieldList)}, "nowhere\x00"...))
		if told, err := mywire.DecodeError(c.next()); err != nil || told.Code != 1146 {
			t.Errorf("%s: told %v, %v", user, told, err)
		}
		if got := c.ask("SELECT 1"); got != "1" {
			t.Errorf("%s: then %s", user, got)
		}
	}
	if begun, ended := r.audit.count(auditlog.QueryBegin), r.audit.count(auditlog.QueryEnd); begun != 6 || ended != 6 {
		t.Errorf("%d begun, %d ended", begun, ended)
	}
}

// COM_PROCESS_INFO is SHOW PROCESSLIST, of which roles with masks see no statements.
func TestProcessInfo(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	busy := r.connect("dba")
	var wait sync.WaitGroup
	wait.Go(func() { _, _ = busy.ExecContext(ctx, "SELECT SLEEP(20)") }) // fails when it is stopped
	defer wait.Wait()
	defer stop()
	watcher := r.raw("dba")
	eventually(t, "the other statement runs", func() bool { return strings.Contains(watcher.ask("SHOW FULL PROCESSLIST"), "SELECT SLEEP") })
	for user, seen := range map[string]bool{"dba": true, "analyst": false} {
		c := r.raw(user)
		for range 2 {
			c.send([]byte{byte(mywire.ComProcessInfo)})
			if got := c.answers(false); !strings.Contains(got, user) || strings.Contains(got, "SELECT SLEEP") != seen {
				t.Errorf("%s: %s", user, got)
			}
		}
	}
}

// A new login in the same connection has its own role.
func TestChangeUser(t *testing.T) {
	for user, want := range map[string]string{"analyst": "138****0001", "dba": "13800000001"} {
		r := newRig(t)
		c := r.raw("dba")
		c.change(r, user)
		c.send(mywire.AppendText(nil, mywire.ComQuery, []byte("SELECT mobile FROM person WHERE id = 1")))
		for range 3 { // count, column, EOF
			c.next()
		}
		if row := c.next(); string(row[1:]) != want {
			t.Errorf("%s sees %q", user, row)
		}
	}
}

// A change of the user that the server refuses leaves the session with the user, the
// role and the record that it had. MySQL ends the session.
func TestChangeUserRefused(t *testing.T) {
	r := newRig(t)
	c := r.raw("analyst")
	u := mywire.ChangeUser{User: []byte("dba"), Response: make([]byte, 20), Database: []byte(r.database), Collation: 45, Plugin: "mysql_native_password"}
	body, err := u.Append(nil, c.agreed)
	if err != nil {
		t.Fatal(err)
	}
	c.send(body)
	for body = c.next(); body[0] == 0xfe; body = c.next() { // it may want the answer to another challenge
		c.write(make([]byte, 20))
	}
	if told, err := mywire.DecodeError(body); err != nil || told.Code != mywire.CodeAccessDenied {
		t.Fatalf("told %q, %v", body, err)
	}
	if r.Product() == proxytest.ProductMySQL {
		c.send([]byte{byte(mywire.ComPing)})
		if _, err := c.conn.Packet(1 << 16); err == nil {
			t.Error("the session goes on")
		}
	} else if got := c.ask("SELECT mobile FROM " + r.database + ".person WHERE id = 1"); got != "138****0001" {
		t.Errorf("then %s", got)
	}
	r.audit.mu.Lock()
	defer r.audit.mu.Unlock()
	failed := 0
	for _, e := range r.audit.events {
		switch {
		case e.Kind == auditlog.AuthFail && e.Who.Login == "dba":
			failed++
		case e.Kind == auditlog.QueryBegin && (e.Who.Login != "analyst" || e.Who.Role != "analyst"):
			t.Errorf("a statement of %s, role %s", e.Who.Login, e.Who.Role)
		}
	}
	if failed != 1 {
		t.Errorf("%d refused logins on record", failed)
	}
}

// change sends COM_CHANGE_USER.
func (c *rawClient) change(r *rig, user string) {
	c.t.Helper()
	u := mywire.ChangeUser{User: []byte(user), Database: []byte(r.database), Collation: 45, Plugin: "mysql_clear_password"}
	body, err := u.Append(nil, mywire.CapSecureConnection|mywire.CapPluginAuth)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(body)
	if body := c.authenticate(c.next(), proxytest.Password(user)); body[0] != 0 {
		c.t.Fatalf("change of the user: %q", body)
	}
}

// A cursor that cannot be opened is an error behind the columns.
func TestCursorFails(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"analyst", "dba"} {
		c := r.raw(user)
		c.send(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte("SELECT (SELECT id FROM person)")))
		made, err := mywire.DecodePrepareOK(c.next())
		if err != nil {
			t.Fatal(err)
		}
		c.next()                                                                                          // the column
		c.next()                                                                                          // EOF
		c.send(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, made.Statement), 1, 1, 0, 0, 0)) // a read-only cursor
		c.next()                                                                                          // count
		c.next()                                                                                          // column
		if failure, err := mywire.DecodeError(c.next()); err != nil || failure.State != "21000" {
			t.Fatalf("%s: %v, %v", user, failure, err)
		}
		c.send([]byte{byte(mywire.ComPing)})
		if body := c.next(); body[0] != 0 {
			t.Errorf("%s: %q", user, body)
		}
	}
}

// The rows of a cursor are masked, whenever they are fetched.
func TestCursor(t *testing.T) {
	r := newRig(t)
	c := r.raw("analyst")
	c.send(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte("SELECT mobile FROM person ORDER BY id")))
	made, err := mywire.DecodePrepareOK(c.next())
	if err != nil {
		t.Fatal(err)
	}
	c.next()                                                                                          // the column
	c.next()                                                                                          // EOF
	c.send(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, made.Statement), 1, 1, 0, 0, 0)) // a read-only cursor
	for range 3 {                                                                                     // count, column, EOF
		c.next()
	}
	for range 3 {
		c.send(append(mywire.AppendStatement(nil, mywire.ComStmtFetch, made.Statement), 2, 0, 0, 0))
		for range 2 {
			if row := c.next(); !strings.Contains(string(row), "138****0") {
				t.Fatalf("row %q", row)
			}
		}
		c.next() // EOF
	}
	c.send(mywire.AppendStatement(nil, mywire.ComStmtClose, made.Statement))
	c.send([]byte{byte(mywire.ComPing)})
	if body := c.next(); body[0] != 0 {
		t.Errorf("COM_PING: answered %q", body)
	}
}

// A rawClient speaks packets.
type rawClient struct {
	t      testing.TB
	nc     net.Conn
	conn   *mywire.Conn
	agreed mywire.Capabilities
	outs   bool               // the result holds what a procedure put into parameters: an OK follows
	types  []mywire.FieldType // of the columns that were described last
}

// raw logs in, without anything that the protocol lets a client leave out.
func (r *rig) raw(user string, more ...mywire.Capabilities) *rawClient {
	r.t.Helper()
	return r.rawAt(r.addr, user, more...)
}

// rawAt logs in at another address than the proxy's.
func (r *rig) rawAt(address, user string, more ...mywire.Capabilities) *rawClient {
	r.t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second)) // fails only on a closed connection
	c := &rawClient{t: r.t, nc: nc, conn: mywire.NewConn(protocol.NewConn(nc)), agreed: mywire.CapProtocol41 | mywire.CapMySQL |
		mywire.CapSecureConnection | mywire.CapPluginAuth | mywire.CapConnectWithDB | mywire.CapMultiResults | mywire.CapTransactions}
	if _, err := mywire.DecodeGreeting(c.next()); err != nil {
		r.t.Fatal(err)
	}
	for _, m := range more {
		c.agreed |= m
	}
	if c.agreed>>32 != 0 {
		c.agreed &^= mywire.CapMySQL // MariaDB's own are agreed
	}
	login := mywire.Login{
		Capabilities: c.agreed, MaxPacket: 1 << 24, Collation: 45, User: []byte(user), Database: []byte(r.database), Plugin: "mysql_clear_password",
	}
	body, err := login.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c.write(body)
	if body := c.authenticate(c.next(), proxytest.Password(user)); body[0] != 0 {
		r.t.Fatalf("login: %q", body)
	}
	return c
}

// authenticate answers what the server asks, from a packet on, until its verdict.
func (c *rawClient) authenticate(body []byte, password string) []byte {
	c.t.Helper()
	var challenge []byte
	for ; body[0] != 0 && body[0] != 0xff; body = c.next() {
		if body[0] == 0xfe {
			change, err := mywire.DecodeAuthSwitch(body)
			if err != nil {
				c.t.Fatal(err)
			}
			challenge = change.Challenge
			c.write(hashed(change.Plugin, challenge, password))
			continue
		}
		more, err := mywire.DecodeAuthMore(body)
		if err != nil {
			c.t.Fatal(err)
		}
		switch {
		case more[0] == fullAuth:
			c.write([]byte{askForKey})
		case more[0] != fastAuthOK:
			c.write(sealed(c.t, more, challenge, password))
		}
	}
	return body
}

// hashed is the answer of a method to a challenge.
func hashed(plugin string, challenge []byte, password string) []byte {
	if plugin == cachingSHA2 {
		return scramble([]byte(password), challenge)
	}
	return native(challenge, password)
}

// sealed is a password for the holder of a public key.
func sealed(t testing.TB, public, challenge []byte, password string) []byte {
	t.Helper()
	block, _ := pem.Decode(public)
	if block == nil {
		t.Fatalf("no key: %q", public)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte(password), 0)
	for i := range text {
		text[i] ^= challenge[i%len(challenge)]
	}
	out, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key.(*rsa.PublicKey), text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c *rawClient) write(body []byte) {
	c.t.Helper()
	if err := c.conn.Write(body); err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// send sends a command.
func (c *rawClient) send(body []byte) {
	c.t.Helper()
	c.conn.Restart()
	c.write(body)
}

// next returns the next packet.
func (c *rawClient) next() []byte {
	c.t.Helper()
	p, err := c.conn.Packet(1 << 20)
	if err != nil {
		c.t.Fatal(err)
	}
	return append([]byte(nil), p.Body...)
}

// native is the answer of mysql_native_password to a challenge.
func native(challenge []byte, password string) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mix := sha1.Sum(append(append([]byte(nil), challenge...), twice[:]...))
	for i := range mix {
		mix[i] ^= once[i]
	}
	return mix[:]
}

// ask sends a text and returns its answers in one line: OK, an error, the rows of
// results.
func (c *rawClient) ask(text string) string {
	c.t.Helper()
	c.send(mywire.AppendText(nil, mywire.ComQuery, []byte(text)))
	return c.answers(false)
}

// execute prepares a text and executes it with a number for each parameter. Cells
// are shown as they cross the wire.
func (c *rawClient) execute(text string, argument uint32) string {
	c.t.Helper()
	c.send(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte(text)))
	body := c.next()
	if body[0] == 0xff {
		told, err := mywire.DecodeError(body)
		if err != nil {
			c.t.Fatal(err)
		}
		return fmt.Sprintf("error %d %s", told.Code, told.State)
	}
	made, err := mywire.DecodePrepareOK(body)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range []uint16{made.Parameters, made.Columns} {
		c.definitions(int(n))
	}
	const long = 3 // MYSQL_TYPE_LONG
	command := append(mywire.AppendStatement(nil, mywire.ComStmtExecute, made.Statement), 0, 1, 0, 0, 0)
	command = append(append(command, make([]byte, (made.Parameters+7)/8)...), 1)
	for range made.Parameters {
		command = append(command, long, 0)
	}
	for range made.Parameters {
		command = protocol.AppendUint32LE(command, argument)
	}
	c.send(command)
	return c.answers(true)
}

// answers reads all answers to a command.
func (c *rawClient) answers(binary bool) string {
	c.t.Helper()
	var all []string
	for {
		c.outs = false
		answer, status := c.answer(binary)
		all = append(all, answer)
		if !status.Has(mywire.StatusMoreResults) && !c.outs {
			return strings.Join(all, " / ")
		}
	}
}

// definitions reads the columns of a result and returns their types.
func (c *rawClient) definitions(n int) []mywire.FieldType {
	c.t.Helper()
	var types []mywire.FieldType
	for range n {
		column, err := mywire.DecodeColumnAs(c.next(), c.agreed)
		if err != nil {
			c.t.Fatal(err)
		}
		types = append(types, column.Type)
	}
	if n > 0 && !c.agreed.Has(mywire.CapDeprecateEOF) {
		status, err := mywire.DecodeEOF(c.next())
		if err != nil {
			c.t.Fatal(err)
		}
		c.outs = status.Has(mywire.StatusOutParameters)
	}
	return types
}

// answer reads one answer.
func (c *rawClient) answer(binary bool) (string, mywire.Status) {
	c.t.Helper()
	body := c.next()
	switch body[0] {
	case 0x00:
		ok, err := mywire.DecodeOK(body, c.agreed)
		if err != nil {
			c.t.Fatal(err)
		}
		return "OK", ok.Status
	case 0xff:
		told, err := mywire.DecodeError(body)
		if err != nil {
			c.t.Fatal(err)
		}
		return fmt.Sprintf("error %d %s", told.Code, told.State), 0
	}
	n, told, err := mywire.DecodeColumnCount(body, c.agreed)
	if err != nil {
		c.t.Fatal(err)
	}
	if told {
		c.types = c.definitions(n)
	}
	types := c.types
	var rows []string
	for {
		body := c.next()
		if body[0] == 0xfe {
			return strings.Join(rows, " ; "), c.end(body)
		}
		var cells [][]byte
		var err error
		if binary {
			cells, err = mywire.DecodeBinaryRow(nil, body, types)
		} else {
			cells, err = mywire.DecodeTextRow(nil, body, len(types))
		}
		if err != nil {
			c.t.Fatal(err)
		}
		rows = append(rows, string(bytes.Join(cells, []byte("|"))))
	}
}

// end decodes the packet behind the last row.
func (c *rawClient) end(body []byte) mywire.Status {
	c.t.Helper()
	if !c.agreed.Has(mywire.CapDeprecateEOF) {
		status, err := mywire.DecodeEOF(body)
		if err != nil {
			c.t.Fatal(err)
		}
		return status
	}
	ok, err := mywire.DecodeOK(body, c.agreed)
	if err != nil {
		c.t.Fatal(err)
	}
	return ok.Status
}

// A cursor inside of a procedure is none of the client's: all results are passed on.
func TestCursorOfAProcedure(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "stored programs") {
		return
	}
	r.exec("USE " + r.database + `; CREATE PROCEDURE walk() BEGIN
		DECLARE n int; DECLARE c CURSOR FOR SELECT id FROM person ORDER BY id LIMIT 2;
		OPEN c; FETCH c INTO n; SELECT n; FETCH c INTO n; SELECT n; CLOSE c; END`)
	for _, user := range []string{"dba", "analyst"} {
		for _, flags := range []byte{0, 1} {
			c := r.raw(user)
			c.send(mywire.AppendText(nil, mywire.ComStmtPrepare, []byte("CALL walk()")))
			made, err := mywire.DecodePrepareOK(c.next())
			if err != nil {
				t.Fatal(err)
			}
			c.send(append(mywire.AppendStatement(nil, mywire.ComStmtExecute, made.Statement), flags, 1, 0, 0, 0))
			for i := byte(1); i <= 2; i++ {
				for range 3 { // count, column, EOF
					c.next()
				}
				if row := c.next(); row[len(row)-4] != i {
					t.Errorf("%s, flags %d: row %v, want %d", user, flags, row, i)
				}
				c.next() // EOF
			}
			if body := c.next(); body[0] != 0 {
				t.Errorf("%s, flags %d: %q at the end", user, flags, body)
			}
			if got := c.ask("SELECT 1"); got != "1" {
				t.Errorf("%s, flags %d: then %s", user, flags, got)
			}
		}
	}
}
