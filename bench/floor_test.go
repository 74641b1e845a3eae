package bench

import (
	"bytes"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"

	"sqlveil/bench/myclient"
	"sqlveil/proxy/proxytest"
)

// A floor that does not do its work would be too low.
func TestFloorsRelay(t *testing.T) {
	server := proxytest.PostgreSQL(t)
	if err := server.AddUser(t.Context(), "floor", proxytest.ByScram, ""); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"go-copy": "13800138000", "go-frame": "13800138000", "go-mask": "*******8000"} {
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- ServeFloor(socket, server.Addr(), Floors["postgres"][name]) }()
		conn, err := pgx.Connect(t.Context(), proxytest.PostgresDSN(socket.Addr().String(), "floor", "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		var id, rows int
		var nothing *string
		var got string
		err = conn.QueryRow(t.Context(), "SELECT 1, NULL::text, '13800138000', count(*) FROM generate_series(1, 1000)").Scan(&id, &nothing, &got, &rows)
		if err != nil || got != want || rows != 1000 {
			t.Errorf("%s: %q, %d, %v, want %q", name, got, rows, err, want)
		}
		var lines bytes.Buffer
		const copied = "COPY (SELECT n, NULL, '13800138000', 'last' FROM generate_series(1, 2) n) TO STDOUT"
		_, err = conn.PgConn().CopyTo(t.Context(), &lines, copied)
		if all := "1\t\\N\t" + want + "\tlast\n2\t\\N\t" + want + "\tlast\n"; err != nil || lines.String() != all {
			t.Errorf("%s: COPY: %q, %v, want %q", name, lines.String(), err, all)
		}
		conn.Close(t.Context())
		socket.Close()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFloorsRelayMySQL(t *testing.T) {
	server := proxytest.MariaDB(t)
	if err := server.AddUser(t.Context(), "floor"); err != nil {
		t.Fatal(err)
	}
	const query = "SELECT 1, seq, '13800138000' FROM mysql.seq_1_to_1000"
	for name, want := range map[string]string{"go-copy": "13800138000", "go-frame": "13800138000", "go-mask": "*******8000"} {
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- ServeFloor(socket, server.Addr(), Floors["mysql"][name]) }()
		conn, err := myclient.Open(socket.Addr().String(), "floor", "mysql")
		if err != nil {
			t.Fatal(err)
		}
		var last []byte
		conn.Row = func(row []byte) { last = append(last[:0], row...) }
		statement, err := conn.Prepare(query)
		if err != nil {
			t.Fatal(err)
		}
		for kind, run := range map[string]func() (int, error){
			"text": func() (int, error) { return conn.Query(query) }, "binary": func() (int, error) { return conn.Execute(statement) },
		} {
			rows, err := run()
			if err != nil || rows != 1000 || !bytes.HasSuffix(last, []byte(want)) {
				t.Errorf("%s, %s: %d rows, the last %q, %v; want %q", name, kind, rows, last, err, want)
			}
		}
		conn.Close()
		socket.Close()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
