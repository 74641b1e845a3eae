package bench

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/sample"
)

// BenchmarkRelay is one row of eight columns on its way from one socket to
// another: copied unseen, which is the floor, passed with its header read, and
// with three of its columns masked.
func BenchmarkRelay(b *testing.B) {
	cells := []string{
		"4711", "欧阳测试", "15400000000", "ann.lee@example.com", strings.Repeat("x", 20), strings.Repeat("y", 40), "9800.00", "2026-01-02 03:04:05+00",
	}
	masked := maskedColumns(b, len(cells))
	for wire, its := range map[string]struct {
		rows  []byte // some, to be sent again and again
		relay func(to, from net.Conn, rows int, masked []*textCell) error
	}{"postgres": {postgresRows(cells), relayPostgres}, "mysql": {mysqlRows(cells), relayMySQL}} {
		size := len(its.rows) / rowsAtOnce
		for name, relay := range map[string]func(to, from net.Conn, rows int) error{
			"copy": func(to, from net.Conn, rows int) error {
				_, err := io.CopyBuffer(struct{ io.Writer }{to}, io.LimitReader(from, int64(rows*size)), make([]byte, bufferSize))
				return err
			},
			"pass": func(to, from net.Conn, rows int) error { return its.relay(to, from, rows, nil) },
			"mask": func(to, from net.Conn, rows int) error { return its.relay(to, from, rows, masked) },
		} {
			b.Run(wire+"/"+name, func(b *testing.B) { relayed(b, its.rows, size, relay) })
		}
	}
}

// relayed relays rows of a size.
func relayed(b *testing.B, rows []byte, size int, relay func(to, from net.Conn, rows int) error) {
	from, server := sockets(b)
	to, client := sockets(b)
	go stream(server, rows)
	go func() { _, _ = io.Copy(io.Discard, client) }() // until it is closed
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	if err := relay(to, from, b.N); err != nil {
		b.Fatal(err)
	}
}

// maskedColumns are the masks of columns, nil for those without: the second to the
// fourth have one.
func maskedColumns(b *testing.B, columns int) []*textCell {
	b.Helper()
	policy := policy(b, "postgres", sample.Policy)
	masked := make([]*textCell, columns)
	for i, name := range []string{"name", "mobile", "email"} {
		label, ok := policy.Label(masking.Column{Database: "crm", Schema: "public", Table: "customers", Name: name})
		if !ok {
			b.Fatalf("%s has no label", name)
		}
		masked[i+1] = &textCell{masking.Fit(policy.Role("analyst").Mask(label), masking.Type{Kind: masking.KindText})}
	}
	return masked
}

// A textCell is a mask over the cells of a column of text.
type textCell struct{ masking.Fitted }

// AppendCell implements the CellRewriter of both wires.
func (c *textCell) AppendCell(dst, cell []byte) ([]byte, bool) { return c.Append(dst, cell) }

// relayPostgres passes rows on, with these columns rewritten.
func relayPostgres(to, from net.Conn, rows int, masked []*textCell) error {
	in, out := protocol.NewConn(from), protocol.NewConn(to)
	in.FlushOnWait(out)
	r, w := pgwire.NewReader(in), pgwire.NewWriter(out)
	columns := make([]pgwire.CellRewriter, len(masked))
	for i, c := range masked {
		if c != nil {
			columns[i] = c
		}
	}
	rewrite := pgwire.NewCells(columns).Rewrite
	for rows > 0 {
		if _, err := r.Next(); err != nil {
			return err
		}
		var n int64
		var err error
		if masked == nil {
			n, _, err = r.PassRun(w)
		} else {
			n, _, err = r.RewriteRun(w, rewrite)
		}
		if err != nil {
			return err
		}
		rows -= int(n)
	}
	return w.Flush()
}

// relayMySQL passes rows of text on, with these columns rewritten.
func relayMySQL(to, from net.Conn, rows int, masked []*textCell) error {
	in, out := protocol.NewConn(from), protocol.NewConn(to)
	in.FlushOnWait(out)
	r, w := mywire.NewConn(in), mywire.NewConn(out)
	columns := make([]mywire.CellRewriter, len(masked))
	for i, c := range masked {
		if c != nil {
			columns[i] = c
		}
	}
	rewrite := mywire.NewTextRows(columns).Rewrite
	for rows > 0 {
		if _, err := r.Next(); err != nil {
			return err
		}
		var n int64
		var err error
		if masked == nil {
			n, _, err = r.PassRows(w)
		} else {
			n, _, err = r.RewriteRows(w, bufferSize, rewrite)
		}
		if err != nil {
			return err
		}
		rows -= int(n)
	}
	return w.Flush()
}

// rowsAtOnce is how many rows are sent at once: as many as MySQL has numbers for its
// packets, so that the next begin where these end.
const rowsAtOnce = 256

// postgresRows are DataRow messages.
func postgresRows(cells []string) []byte {
	body := []byte{0, byte(len(cells))}
	for _, cell := range cells {
		body = append(protocol.AppendUint32(body, uint32(len(cell))), cell...)
	}
	return bytes.Repeat(append(protocol.AppendUint32([]byte{'D'}, uint32(4+len(body))), body...), rowsAtOnce)
}

// mysqlRows are packets that are rows of text.
func mysqlRows(cells []string) (rows []byte) {
	var body []byte
	for _, cell := range cells {
		body = protocol.AppendLenencString(body, []byte(cell))
	}
	for number := range rowsAtOnce {
		rows = append(protocol.AppendUint24LE(rows, uint32(len(body))), byte(number))
		rows = append(rows, body...)
	}
	return rows
}

// stream writes rows until the other side is closed.
func stream(to net.Conn, rows []byte) {
	for {
		if _, err := to.Write(rows); err != nil {
			return
		}
	}
}

// sockets are the two ends of a connection, closed when the benchmark ends.
func sockets(b *testing.B) (one, other net.Conn) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if one, err = net.Dial("tcp", l.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if other, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		one.Close()
		other.Close()
	})
	return one, other
}
