package pgwire

import (
	"fmt"
	"strings"
	"testing"

	"sqlveil/protocol"
)

// shapes are the rows that are measured: how many cells of how many bytes.
var shapes = []struct{ cells, size int }{{5, 12}, {20, 16}, {5, 1000}}

// resultOf returns a connection from which rows come for ever, and the size of
// one.
func resultOf(cells, size int) (*protocol.Conn, int) {
	values := make([]any, cells)
	for i := range values {
		values[i] = strings.Repeat("x", size)
	}
	one := message('D', string(row(values...)))
	stream := make([]byte, 0, 1000*len(one))
	for range 1000 {
		stream = append(stream, one...)
	}
	return protocol.NewConn(&endless{stream: stream}), len(one)
}

// BenchmarkRow is the cost of one row of a result, without system calls.
func BenchmarkRow(b *testing.B) {
	for _, s := range shapes {
		ways := map[string]func(r *Reader, w *Writer, n int){
			"pass": func(r *Reader, w *Writer, n int) { passRows(b, r, w, n) },
			"mask": func(r *Reader, w *Writer, n int) { maskRows(b, r, w, n, s.cells) },
		}
		for name, way := range ways {
			b.Run(fmt.Sprintf("%s/%dx%d", name, s.cells, s.size), func(b *testing.B) {
				in, size := resultOf(s.cells, s.size)
				out := protocol.NewConn(discard{})
				in.FlushOnWait(out)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				way(NewReader(in), NewWriter(out), b.N)
			})
		}
	}
}

func passRows(b *testing.B, r *Reader, w *Writer, n int) {
	for n > 0 {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
		rows, _, err := r.PassRun(w)
		if err != nil {
			b.Fatal(err)
		}
		n -= int(rows)
	}
}

// maskRows rewrites the second cell of each row.
func maskRows(b *testing.B, r *Reader, w *Writer, n, cells int) {
	columns := make([]CellRewriter, cells)
	columns[1] = NewCell(Codec{TypeOf(25, -1), TextFormat}, stars{})
	for range n {
		f, err := r.Frame(1 << 20)
		if err != nil {
			b.Fatal(err)
		}
		dst, err := w.Begin(f.Type, len(f.Body))
		if err != nil {
			b.Fatal(err)
		}
		if dst, err = NewCells(columns).Rewrite(dst, f.Body); err != nil {
			b.Fatal(err)
		}
		if err := w.End(dst); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCell is the cost of one value from the wire to text and back.
func BenchmarkCell(b *testing.B) {
	seen := map[string]bool{}
	for _, k := range knownValues(b) {
		if seen[k.name] || len(k.binary) == 0 {
			continue
		}
		seen[k.name] = true
		b.Run(k.name, func(b *testing.B) {
			cell := NewCell(Codec{TypeOf(k.oid, -1), BinaryFormat}, identity{})
			dst := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			for b.Loop() {
				cell.AppendCell(dst, k.binary)
			}
		})
	}
}

// BenchmarkCopy is the cost of one row of a COPY of eight columns, two of them
// masked.
func BenchmarkCopy(b *testing.B) {
	columns := make([]CellRewriter, 8)
	columns[1], columns[6] = stars{}, stars{}
	for name, o := range map[string]CopyOptions{"text": {}, "csv": {CSV: true}} {
		b.Run(name, func(b *testing.B) {
			delimiter := "\t"
			if o.CSV {
				delimiter = ","
			}
			line := []byte(strings.Repeat("some value"+delimiter, 7) + "the last\n")
			c := NewCopy(o, columns, 1<<20)
			dst := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if _, err := c.Rewrite(dst, line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
