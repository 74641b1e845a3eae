package mywiretest

import (
	"context"
	"database/sql"
	"net"
	"testing"

	"github.com/go-sql-driver/mysql"

	"sqlveil/protocol/mywire"
)

// TestDriver has a real driver talk to a scripted server: what it makes of our
// packets is what it would make of a server's.
func TestDriver(t *testing.T) {
	t.Parallel()
	agreed := Common &^ (mywire.CapDeprecateEOF | mywire.CapConnectAttrs)
	server, conn := Pipe(t, &Notation{Agreed: agreed})
	connector, err := mysql.NewConnector(driverConfig(conn))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(server)
	}()
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxOpenConns(1)
	var mail string
	var id sql.NullInt64
	if err := db.QueryRow("SELECT mail, id FROM users").Scan(&mail, &id); err != nil || mail != "ann@example.com" || id.Valid {
		t.Errorf("text: %q, %v, %v", mail, id, err)
	}
	var day string
	if err := db.QueryRow("SELECT mail, id, day FROM users WHERE id = ?", 42).Scan(&mail, &id, &day); err != nil || mail != "bob" || id.Int64 != -42 || day != "2024-02-29 12:00:00.500000" {
		t.Errorf("binary: %q, %v, %q, %v", mail, id, day, err)
	}
	result, err := db.Exec("DELETE FROM users")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 300 || err != nil {
		t.Error(n, err)
	}
	if _, err := db.Exec("DROP TABLE users"); err == nil || err.Error() != "Error 1142 (42000): no" {
		t.Error(err)
	}
	db.Close()
	<-done
}

func driverConfig(conn net.Conn) *mysql.Config {
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.DBName = "ann", "pipe", "db.example", "shop"
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	return config
}

func serve(server *Peer) {
	server.Send("Greeting version=8.4.0")
	login, err := mywire.DecodeLogin(server.Next())
	if err != nil || string(login.User) != "ann" || string(login.Database) != "shop" {
		server.t.Errorf("login: %+v, %v", login, err)
	}
	server.Send("OK")
	server.Expect(`Query "SELECT mail, id FROM users"`)
	server.Send("Columns 2", "Column mail:var_string:shop.users.email", "Column id:long", "EOF", `Row "ann@example.com" NULL`, "EOF")
	server.Expect(`Prepare "SELECT mail, id, day FROM users WHERE id = ?"`)
	server.Send("PrepareOK 1 columns=3 parameters=1", "Column ?:longlong", "EOF",
		"Column mail:var_string", "Column id:long", "Column day:datetime", "EOF")
	server.Expect("Execute 1 longlong=42")
	server.Send("Columns 3", "Column mail:var_string", "Column id:long", "Column day:datetime(6)", "EOF",
		`BinaryRow var_string="bob" long=-42 datetime="2024-02-29 12:00:00.5"`, "EOF")
	server.Expect("Close 1", `Query "DELETE FROM users"`)
	server.Send("OK affected=300")
	server.Expect(`Query "DROP TABLE users"`)
	server.Send(`ERR 1142 42000 "no"`)
	server.Expect("Quit")
}

func TestWrongLines(t *testing.T) {
	t.Parallel()
	n := &Notation{Agreed: Common}
	for _, line := range []string{
		"Nonsense", "Query", `Query "a" "b"`, `Query "a`, `Row x"0"`, "Column a", "Column a:nothing", "Column a:long:what",
		"Execute one", "Execute 1 long=x", "Execute 1 nothing=1", "OK affected=many", "BinaryRow date=today",
	} {
		if b, err := n.Encode(line); err == nil {
			t.Errorf("%s: %x", line, b)
		}
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	n := &Notation{Agreed: Common}
	client, conn := Pipe(t, n)
	server := NewPeer(t, n, conn)
	commands := []string{
		"Ping", "Quit", `InitDB "shop"`, `Query "SELECT 1"`, `Prepare "SELECT ?"`, `Execute 1 long=1 var_string="x" date=NULL`,
		"Fetch 1 10", "Close 1", "Reset 1", `LongData 1 0 "x"`, "SetOption 0", `FieldList "users"`, `Command 0x12 "x"`,
		"ChangeUser user=bob database=shop", "Statistics", "ResetConnection",
	}
	answers := []string{
		"OK affected=1 info=\"x\" end=1", "EOF status=8", `ERR 1 HY000 "x"`, `LocalFile "/tmp/x"`, "Columns 300", "Column a:long:unsigned",
		`Row "a" NULL ""`, `BinaryRow long=1 time="-12:00:00" json=NULL double=0.5`, "PrepareOK 1 columns=2", `AuthSwitch caching_sha2_password "x"`,
		`AuthMore x"04"`, `Raw x"00ff"`,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Expect("Greeting also=0x20")
		client.Send("SSLRequest", `Login user=ann response=x"00ff" database=shop`)
		for _, c := range commands {
			client.Send(c)
		}
		client.Expect(answers...)
		client.Close()
	}()
	server.Send("Greeting also=0x20")
	server.Expect("SSLRequest", `Login user=ann response=x"00ff" database=shop`)
	server.Expect(commands...)
	server.Send(answers...)
	<-done
	server.ExpectEnd()
}
