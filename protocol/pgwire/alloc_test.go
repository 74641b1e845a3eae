package pgwire

import (
	"testing"

	"sqlveil/protocol"
)

// TestCellsDoNotAllocate masks a value of every type, in both formats.
func TestCellsDoNotAllocate(t *testing.T) {
	for _, k := range knownValues(t) {
		for format, value := range map[int16][]byte{TextFormat: []byte(k.text), BinaryFormat: k.binary} {
			cell := NewCell(Codec{TypeOf(k.oid, -1), format}, identity{})
			dst := make([]byte, 0, 1<<10)
			allocs := testing.AllocsPerRun(10, func() { cell.AppendCell(dst, value) })
			if allocs > 0 {
				t.Errorf("%s %q, format %d: %v allocations", k.name, k.text, format, allocs)
			}
		}
	}
}

func TestRowsDoNotAllocate(t *testing.T) {
	body := row("1", "ann@example.com", nil, "2024-01-01")
	cells := NewCells([]CellRewriter{nil, NewCell(Codec{TypeOf(25, -1), TextFormat}, stars{}), stars{}, nil})
	dst := make([]byte, 0, 1<<10)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := cells.Rewrite(dst, body); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per row", allocs)
	}
}

func TestCopyDoesNotAllocate(t *testing.T) {
	columns := []CellRewriter{nil, stars{}}
	for name, options := range map[string]CopyOptions{"text": {}, "csv": {CSV: true}} {
		c := NewCopy(options, columns, 1000)
		line := []byte("1\tann@example.com\n")
		if options.CSV {
			line = []byte("1,\"ann,\"\"x\"\n")
		}
		dst := make([]byte, 0, 1<<10)
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := c.Rewrite(dst, line); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 0 {
			t.Errorf("%s: %v allocations per row", name, allocs)
		}
	}
}

// TestMessagesDoNotAllocate decodes what a prepared statement is made of, and
// passes it on.
func TestMessagesDoNotAllocate(t *testing.T) {
	batch := []Frame{
		{'P', []byte("s\x00SELECT $1\x00\x00\x00")},
		{'B', []byte("\x00s\x00\x00\x00\x00\x01\x00\x00\x00\x01x\x00\x00")},
		{'E', []byte("\x00\x00\x00\x00\x00")},
		{'S', nil},
	}
	w := NewWriter(protocol.NewConn(discard{}))
	var p Parse
	var b Bind
	allocs := testing.AllocsPerRun(100, func() {
		errs := [...]error{p.Decode(batch[0].Body), b.Decode(batch[1].Body), w.Parse(&p), w.Bind(&b), w.Pass(batch[2]), w.Pass(batch[3]), w.Flush()}
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per batch", allocs)
	}
}

// A server reports a dozen settings at each login.
func TestParameterStatusDoesNotAllocate(t *testing.T) {
	body := []byte("TimeZone\x00Europe/Vienna\x00")
	allocs := testing.AllocsPerRun(100, func() {
		if _, _, err := DecodeParameterStatus(body); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per setting", allocs)
	}
}
