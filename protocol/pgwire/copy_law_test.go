package pgwire

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A copyCell is a cell as a server sends it, and its value.
type copyCell struct {
	raw, value string
	null       bool
}

// copyWriter writes rows as a server does.
// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
type copyWriter struct {
	CopyOptions
	columns int
}

// cell returns what stands for a value, or for NULL.
func (w *copyWriter) cell(value string, null bool) copyCell {
	c := copyCell{raw: string(w.Null), value: value, null: null}
	switch {
	case null && !w.CSV && len(w.Null) > 0 && string(w.Null) != `\N`:
		c.value, c.null = string(w.Null), false // a word like any other
	case null:
	case w.CSV:
		c.raw = w.quoted(value)
	default:
		c.raw = w.escaped(value)
		c.null = len(w.Null) == 0 && value == ""
	}
	return c
}

func (w *copyWriter) escaped(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if n := strings.IndexByte("\b\f\n\r\t\v", c); n >= 0 {
			b.WriteByte('\\')
			c = "bfnrtv"[n]
		} else if c == '\\' || c == w.Delimiter {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (w *copyWriter) quoted(value string) string {
	special := string([]byte{w.Delimiter, w.Quote, '\n', '\r'})
	if value != string(w.Null) && !strings.ContainsAny(value, special) && (w.columns > 1 || value != `\.`) {
		return value
	}
	var b strings.Builder
	b.WriteByte(w.Quote)
	for _, c := range []byte(value) {
		if c == w.Quote || c == w.Escape {
			b.WriteByte(w.Escape)
		}
		b.WriteByte(c)
	}
	b.WriteByte(w.Quote)
	return b.String()
}

// TestCopyIsWhatAServerSends masks rows as a server writes them, cut anywhere, and
// expects what the server would have written of the masked values.
func TestCopyIsWhatAServerSends(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom([]CopyOptions{
			{},
			{Delimiter: '|'},
			{Delimiter: '*'},
			{Null: []byte{}},
			{Null: []byte("ab")},
			{CSV: true},
			{CSV: true, Delimiter: ';', Quote: '\''},
			{CSV: true, Escape: '\\'},
			{CSV: true, Null: []byte("ab")},
		}).Draw(t, "options")
		rewriters := rapid.SliceOfN(rapid.SampledFrom([]CellRewriter{nil, stars{}, echo{}, constant("a,\tb\\|")}), 1, 4).Draw(t, "rewriters")
		w := copyWriter{o, len(rewriters)}
		w.fill()
		value := rapid.StringOfN(rapid.SampledFrom([]rune("aaabbb!N.,;'\"\\|*\t\n\r\v")), 0, 12, -1)
		var in, want strings.Builder
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			for i, rewriter := range rewriters {
				cell := w.cell(value.Draw(t, "value"), rapid.IntRange(0, 3).Draw(t, "null") == 0)
				end := byte('\n')
				if i < len(rewriters)-1 {
					end = w.Delimiter
				}
				in.WriteString(cell.raw)
				in.WriteByte(end)
				want.WriteString(w.rewritten(cell, rewriter))
				want.WriteByte(end)
			}
		}
		pieces := cuts(t, []byte(in.String()))
		if got, _ := copyAll(t, o, rewriters, pieces...); got != want.String() {
			t.Errorf("%+v, %T: %q became %q, want %q", o, rewriters, pieces, got, want.String())
		}
	})
}

// rewritten is what stands for a cell when its value has been rewritten.
func (w *copyWriter) rewritten(cell copyCell, by CellRewriter) string {
	if by == nil || cell.null {
		return cell.raw
	}
	out, ok := by.AppendCell(nil, []byte(cell.value))
	switch {
	case !ok:
		return string(w.Null)
	case w.CSV:
		return w.quoted(string(out))
	}
	return w.escaped(string(out))
}

// cuts draws pieces of data.
func cuts(t *rapid.T, data []byte) (pieces [][]byte) {
	at := rapid.SliceOfN(rapid.IntRange(0, len(data)), 0, 5).Draw(t, "cuts")
	slices.Sort(at)
	from := 0
	for _, to := range append(at, len(data)) {
		pieces = append(pieces, slices.Clone(data[from:to]))
		from = to
	}
	return pieces
}
