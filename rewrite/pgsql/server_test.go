package pgsql

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sqlveil/proxy/proxytest"
)

// A testServer is a database of its own on a real server. Which version is the
// environment's to say: see proxytest.StartPostgreSQL.
type testServer struct {
	*proxytest.PostgreSQLServer
	database string
}

func newTestServer(t *testing.T) *testServer {
	t.Helper()
	s := proxytest.PostgreSQL(t)
	return &testServer{s, s.Database(t, strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_")))}
}

// session opens a session, closed at the end of the test.
func (s *testServer) session(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := s.Connect(context.Background(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func run(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// askOn is an Ask on a session.
func askOn(conn *pgx.Conn) Ask {
	return func(ctx context.Context, sql string) ([][]*string, error) {
		results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil {
			return nil, err
		}
		rows := make([][]*string, len(results[0].Rows))
		for i, row := range results[0].Rows {
			rows[i] = make([]*string, len(row))
			for j, cell := range row {
				if cell != nil {
					text := string(cell)
					rows[i][j] = &text
				}
			}
		}
		return rows, nil
	}
}

// texts runs a query on a session and returns its rows, NULL as "".
func texts(t *testing.T, conn *pgx.Conn, sql string) [][]string {
	t.Helper()
	rows, err := askOn(conn)(context.Background(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	list := make([][]string, len(rows))
	for i, cells := range rows {
		for _, cell := range cells {
			if cell == nil {
				cell = new(string)
			}
			list[i] = append(list[i], *cell)
		}
	}
	return list
}
