package pgwire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"sqlveil/protocol"
)

// row returns the body of a DataRow; nil is NULL.
func row(cells ...any) []byte {
	b := protocol.AppendUint16(nil, uint16(len(cells)))
	for _, cell := range cells {
		if s, ok := cell.(string); ok {
			b = appendValue(b, append([]byte{}, s...))
		} else {
			b = appendValue(b, nil)
		}
	}
	return b
}

func TestCellsRewrite(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		columns  []CellRewriter
		in, want []byte
	}{
		"nothing":        {nil, row(), row()},
		"no mask":        {[]CellRewriter{nil, nil}, row("a", nil), row("a", nil)},
		"first":          {[]CellRewriter{stars{}, nil}, row("ann", "b"), row("a**", "b")},
		"last":           {[]CellRewriter{nil, stars{}}, row("b", "ann"), row("b", "a**")},
		"between":        {[]CellRewriter{nil, stars{}, nil}, row("b", "ann", nil), row("b", "a**", nil)},
		"all":            {[]CellRewriter{stars{}, stars{}}, row("ann", "bob"), row("a**", "b**")},
		"NULL stays":     {[]CellRewriter{stars{}, stars{}}, row(nil, "bob"), row(nil, "b**")},
		"becomes NULL":   {[]CellRewriter{stars{}, nil}, row("!x", "b"), row(nil, "b")},
		"empty is value": {[]CellRewriter{stars{}}, row(""), row("(empty)")},
	}
	for name, tt := range tests {
		got, err := NewCells(tt.columns).Rewrite([]byte("before"), tt.in)
		if err != nil || string(got) != "before"+string(tt.want) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

func TestCellsRefuse(t *testing.T) {
	t.Parallel()
	two := []CellRewriter{nil, stars{}}
	for _, bad := range []string{
		"", "\x00", "\x00\x01", "\x00\x02", "\xff\xff", string(row("a")), string(row("a", "b", "c")),
		string(row("a", "b")) + "x", string(row("a", "b"))[:10], "\x00\x02\x00\x00\x00\x00\xff\xff\xff\xfe",
		"\x00\x02\x00\x00\x00\x00\x80\x00\x00\x00", "\x00\x02\x7f\xff\xff\xff\xff\xff\xff\xff",
	} {
		if got, err := NewCells(two).Rewrite(nil, []byte(bad)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
		if _, err := DecodeDataRow(nil, []byte(bad)); err == nil && !strings.HasPrefix(bad, "\x00\x01") && !strings.HasPrefix(bad, "\x00\x03") {
			t.Errorf("%q: decoded", bad)
		}
	}
}

func TestRowDescription(t *testing.T) {
	t.Parallel()
	body := []byte("\x00\x02" +
		"id\x00\x00\x00\x40\x00\x00\x01\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x13\xff\xff\x00\x00\x00\x0e\x00\x01")
	got, err := DecodeRowDescription(nil, body)
	want := []FieldDescription{{[]byte("id"), 16384, 1, 23, 4, -1, 0}, {[]byte{}, 0, 0, 1043, -1, 14, 1}}
	if !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range body {
		if _, err := DecodeRowDescription(nil, body[:i]); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	if _, err := DecodeRowDescription(nil, append(body, 0)); !errors.Is(err, protocol.ErrMalformed) {
		t.Error("a byte too many")
	}
	if _, err := DecodeRowDescription(nil, []byte("\xff\xff")); !errors.Is(err, protocol.ErrMalformed) {
		t.Error("65535 columns in no bytes")
	}
}

func TestDataRow(t *testing.T) {
	t.Parallel()
	got, err := DecodeDataRow(nil, row("a", nil, ""))
	if want := [][]byte{[]byte("a"), nil, {}}; !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestRowsOfAResult rewrites many rows through Reader and Writer.
func TestRowsOfAResult(t *testing.T) {
	t.Parallel()
	const rows = 5000
	var stream, want []byte
	for i := range rows {
		cell := strings.Repeat("x", i%300)
		stream = append(stream, message('D', string(row("a", cell)))...)
		masked, _ := stars{}.Append(nil, []byte(cell))
		want = append(want, message('D', string(row("a", string(masked))))...)
	}
	in := connOf(t, stream)
	out, written := sinkOf(t)
	in.FlushOnWait(out)
	r, w := NewReader(in), NewWriter(out)
	cells := NewCells([]CellRewriter{nil, stars{}})
	for range rows {
		f, err := r.Frame(1000)
		if err != nil {
			t.Fatal(err)
		}
		dst, err := w.Begin(f.Type, len(f.Body))
		if err != nil {
			t.Fatal(err)
		}
		if dst, err = cells.Rewrite(dst, f.Body); err != nil {
			t.Fatal(err)
		}
		if err := w.End(dst); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(written(), want) {
		t.Error("the rows are not those expected")
	}
}
