package bench

import (
	"io"
	"net"
	"strings"
	"testing"

	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
)

// BenchmarkRelay is one row of eight columns on its way from one socket to
// another: copied unseen, which is the floor, passed with its header read, and
// with three of its columns masked.
func BenchmarkRelay(b *testing.B) {
	row := dataRow("4711", "欧阳测试", "15400000000", "ann.lee@example.com", strings.Repeat("x", 20), strings.Repeat("y", 40), "9800.00", "2026-01-02 03:04:05+00")
	role := policy(b).Role("analyst")
	cells := make([]pgwire.CellRewriter, 8)
	for i, name := range []string{"name", "mobile", "email"} {
		label, ok := policy(b).Label(masking.Column{Database: "crm", Schema: "public", Table: "customers", Name: name})
		if !ok {
			b.Fatalf("%s has no label", name)
		}
		cells[i+1] = &textCell{masking.Fit(role.Mask(label), masking.Type{Kind: masking.KindText})}
	}
	for name, relay := range map[string]func(to, from net.Conn, rows int) error{
		"copy": func(to, from net.Conn, rows int) error {
			_, err := io.CopyBuffer(struct{ io.Writer }{to}, io.LimitReader(from, int64(rows*len(row))), make([]byte, bufferSize))
			return err
		},
		"pass": func(to, from net.Conn, rows int) error { return relayRows(to, from, rows, nil) },
		"mask": func(to, from net.Conn, rows int) error { return relayRows(to, from, rows, cells) },
	} {
		b.Run(name, func(b *testing.B) {
			from, server := sockets(b)
			to, client := sockets(b)
			go stream(server, row)
			go func() { _, _ = io.Copy(io.Discard, client) }() // until it is closed
			b.SetBytes(int64(len(row)))
			b.ReportAllocs()
			b.ResetTimer()
			if err := relay(to, from, b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// A textCell is a mask over the cells of a column of text.
type textCell struct{ masking.Fitted }

// AppendCell implements [pgwire.CellRewriter].
func (c *textCell) AppendCell(dst, cell []byte) ([]byte, bool) { return c.Append(dst, cell) }

// relayRows passes rows on, with these cells rewritten.
func relayRows(to, from net.Conn, rows int, cells []pgwire.CellRewriter) error {
	in, out := protocol.NewConn(from), protocol.NewConn(to)
	in.FlushOnWait(out)
	r, w := pgwire.NewReader(in), pgwire.NewWriter(out)
	rewrite := pgwire.NewCells(cells).Rewrite
	for rows > 0 {
		if _, err := r.Next(); err != nil {
			return err
		}
		if cells == nil {
			n, _, err := r.PassRun(w)
			if err != nil {
				return err
			}
			rows -= int(n)
			continue
		}
		n, _, err := r.RewriteRun(w, rewrite)
		if err != nil {
			return err
		}
		rows -= int(n)
	}
	return w.Flush()
}

// dataRow is a DataRow message.
func dataRow(cells ...string) []byte {
	body := []byte{0, byte(len(cells))}
	for _, cell := range cells {
		body = append(protocol.AppendUint32(body, uint32(len(cell))), cell...)
	}
	return append(protocol.AppendUint32([]byte{'D'}, uint32(4+len(body))), body...)
}

// stream writes rows until the other side is closed.
func stream(to net.Conn, row []byte) {
	rows := []byte(strings.Repeat(string(row), 200))
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
