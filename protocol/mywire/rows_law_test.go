package mywire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sqlveil/protocol"
)

// TestRowsAreRewrittenCellByCell builds rows of any types, NULLs and sizes, and
// expects what would have been built of the rewritten values. A row that is cut off
// anywhere is refused.
func TestRowsAreRewrittenCellByCell(t *testing.T) {
	t.Parallel()
	rewriters := []CellRewriter{nil, nil, stars{}, echo{}, refuse{}, constant(strings.Repeat("y", 300))}
	types := []FieldType{TypeTiny, TypeShort, TypeLong, TypeDouble, TypeDatetime, TypeTime, TypeVarString, TypeVarString, TypeBlob, TypeNull}
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfN(rapid.SampledFrom(rewriters), 0, 20).Draw(t, "columns")
		r := rowBuilder{
			types:    rapid.SliceOfN(rapid.SampledFrom(types), len(columns), len(columns)).Draw(t, "types"),
			binary:   rapid.Bool().Draw(t, "binary"),
			original: make([][]byte, len(columns)), rewritten: make([][]byte, len(columns)),
		}
		for i, column := range columns {
			value := r.value(t, r.types[i])
			r.original[i], r.rewritten[i] = value, value
			if value != nil && column != nil {
				r.rewritten[i] = r.rewrite(value, r.types[i], column)
			}
		}
		rewrite := NewTextRows(columns).Rewrite
		if r.binary {
			rewrite = NewBinaryRows(r.types, columns).Rewrite
		}
		body, want := r.build(r.original), append([]byte("before"), r.build(r.rewritten)...)
		got, err := rewrite([]byte("before"), bytes.Clone(body))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v, %T: %q became %q, %v, want %q", r.types, columns, body, got, err, want)
		}
		if len(body) > 0 {
			cut := body[:rapid.IntRange(0, len(body)-1).Draw(t, "cut")]
			if got, err := rewrite(nil, bytes.Clone(cut)); !errors.Is(err, protocol.ErrMalformed) {
				t.Fatalf("%v, %T: %q, cut off, became %q, %v", r.types, columns, cut, got, err)
			}
		}
		if got, err := rewrite(nil, append(bytes.Clone(body), 0)); !errors.Is(err, protocol.ErrMalformed) {
			t.Fatalf("%v, %T: %q and a byte became %q, %v", r.types, columns, body, got, err)
		}
	})
}

// A rowBuilder builds rows as a server does; nil is NULL.
type rowBuilder struct {
	types               []FieldType
	binary              bool
	original, rewritten [][]byte
}

// value draws a value as its row has it, without the length.
func (r *rowBuilder) value(t *rapid.T, kind FieldType) []byte {
	sizes := rapid.SampledFrom([]int{0, 1, 3, 12, 250, 251, 300, 70_000})
	switch {
	case rapid.IntRange(0, 4).Draw(t, "null") == 0, r.binary && kind.shape() == shapeNone:
		return nil
	case r.binary && kind.shape() == shapeFixed:
		sizes = rapid.Just(kind.width())
	case r.binary && kind.shape() == shapePacked:
		sizes = rapid.SampledFrom([]int{0, 4, 7, 11, 12})
	}
	return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, sizes.Draw(t, "size"))
}

// rewrite is what a rewriter makes of a value, NULL where that does not fit the type.
func (r *rowBuilder) rewrite(value []byte, kind FieldType, column CellRewriter) []byte {
	out, ok := column.AppendCell([]byte{}, value)
	if !ok || r.binary && kind.shape() == shapeFixed && len(out) != kind.width() {
		return nil
	}
	return out
}

func (r *rowBuilder) build(values [][]byte) (body []byte) {
	if r.binary {
		body = make([]byte, 1+(len(values)+nullOffset+7)/8)
	}
	for i, value := range values {
		switch {
		case value == nil && r.binary:
			body[1+(i+nullOffset)/8] |= 1 << ((i + nullOffset) % 8)
		case value == nil:
			body = append(body, textNull)
		case r.binary && r.types[i].shape() == shapeFixed:
			body = append(body, value...)
		default:
			body = protocol.AppendLenencString(body, value)
		}
	}
	return body
}
