package myclient

import (
	"bytes"
	"testing"

	"sqlveil/proxy/proxytest"
)

func TestOpenTLS(t *testing.T) {
	server := proxytest.MariaDB(t)
	if err := server.AddUser(t.Context(), "encrypted"); err != nil {
		t.Fatal(err)
	}
	if err := Acquaint(t.Context(), server.Addr(), "encrypted"); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		open func(addr, user, database string) (*Client, error)
		tls  bool
	}{"Open": {Open, false}, "OpenTLS": {OpenTLS, true}} {
		conn, err := test.open(server.Addr(), "encrypted", "mysql")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var row []byte
		conn.Row = func(r []byte) { row = bytes.Clone(r) }
		if rows, err := conn.Query("SHOW STATUS LIKE 'Ssl_version'"); err != nil || rows != 1 {
			t.Errorf("%s: %d rows, %v", name, rows, err)
		}
		if got := bytes.Contains(row, []byte("TLSv1.")); got != test.tls {
			t.Errorf("%s: the server says %q", name, row)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
