package mysql_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"

	"sqlveil/proxy/proxytest"
)

// A rawClient speaks just enough of the protocol to see what drivers hide: the
// origin that the server names for each result column.
type rawClient struct {
	conn net.Conn
	in   *bufio.Reader
}

// An originColumn is a result column as the server describes it.
type originColumn struct{ schema, table, orgTable, name, orgName string }

// A serverError is the server's answer to a statement that failed.
type serverError struct{ state, message string }

func (e *serverError) Error() string { return e.state + ": " + e.message }

const (
	clientProtocol41   = 1 << 9
	clientSecure       = 1 << 15
	clientWithDatabase = 1 << 3
	clientPluginAuth   = 1 << 19
)

// dial logs in as root, who has no password on the socket.
func dial(t *testing.T, database string) *rawClient {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(proxytest.MariaDB(t).Directory, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &rawClient{conn, bufio.NewReader(conn)}
	if _, err := c.read(); err != nil { // the greeting
		t.Fatal(err)
	}
	flags := clientProtocol41 | clientSecure | clientWithDatabase | clientPluginAuth
	hello := []byte{byte(flags), byte(flags >> 8), byte(flags >> 16), byte(flags >> 24), 0, 0, 0, 1, 45}
	hello = append(hello, make([]byte, 23)...)
	hello = append(hello, "root\x00\x00"...)
	hello = append(hello, database+"\x00mysql_native_password\x00"...)
	c.write(t, 1, hello)
	reply, err := c.read()
	if err == nil && reply[0] == 0xfe { // the server prefers another method: without a password all are alike
		c.write(t, 3, nil)
		reply, err = c.read()
	}
	if err != nil || reply[0] != 0 {
		t.Fatalf("log in: %v %q", err, reply)
	}
	return c
}

func (c *rawClient) write(t *testing.T, sequence byte, body []byte) {
	t.Helper()
	packet := append([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), sequence}, body...)
	if _, err := c.conn.Write(packet); err != nil {
		t.Fatal(err)
	}
}

func (c *rawClient) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	if len(body) > 8 && body[0] == 0xff {
		return nil, &serverError{string(body[4:9]), string(body[9:])}
	}
	return body, nil
}

// ask runs a query and returns its columns and the cells of its rows, "" for NULL.
func (c *rawClient) ask(t *testing.T, query string) (columns []originColumn, rows [][]string, err error) {
	t.Helper()
	c.write(t, 0, append([]byte{3}, query...))
	first, err := c.read()
	if err != nil || first[0] == 0 {
		return nil, nil, err
	}
	columns = make([]originColumn, first[0])
	for i := range columns {
		body, err := c.read()
		if err != nil {
			return nil, nil, err
		}
		texts, err := lengthEncoded(body, 6)
		if err != nil {
			return nil, nil, err
		}
		columns[i] = originColumn{texts[1], texts[2], texts[3], texts[4], texts[5]}
	}
	for ends := 0; ends < 2; { // after the columns and after the rows
		body, err := c.read()
		if err != nil {
			return columns, rows, err
		}
		if body[0] == 0xfe && len(body) < 9 {
			ends++
			continue
		}
		cells, err := lengthEncoded(body, len(columns))
		if err != nil {
			return columns, rows, err
		}
		rows = append(rows, cells)
	}
	return columns, rows, nil
}

func lengthEncoded(body []byte, n int) ([]string, error) {
	var texts []string
	for range n {
		size := 0
		switch {
		case len(body) > 0 && body[0] == 0xfb: // NULL
			body = body[1:]
		case len(body) > 0 && body[0] < 0xfb:
			size, body = int(body[0]), body[1:]
		case len(body) > 2 && body[0] == 0xfc:
			size, body = int(body[1])|int(body[2])<<8, body[3:]
		default:
			return nil, fmt.Errorf("a text of unexpected length")
		}
		if size > len(body) {
			return nil, io.ErrUnexpectedEOF
		}
		texts, body = append(texts, string(body[:size])), body[size:]
	}
	return texts, nil
}
