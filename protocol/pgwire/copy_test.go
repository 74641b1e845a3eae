package pgwire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sqlveil/protocol"
)

// stars is a mask and a CellRewriter that shows nothing but the first character,
// and makes NULL of what begins with an exclamation mark.
type stars struct{}

func (stars) Append(dst, text []byte) ([]byte, bool) {
	if len(text) == 0 {
		return append(dst, "(empty)"...), true
	}
	return append(append(dst, text[0]), "**"...), text[0] != '!'
}

func (s stars) AppendCell(dst, cell []byte) ([]byte, bool) { return s.Append(dst, cell) }

// echo is a CellRewriter that changes nothing.
type echo struct{ identity }

func (e echo) AppendCell(dst, cell []byte) ([]byte, bool) { return e.Append(dst, cell) }

// copyAll rewrites pieces and returns what came out.
func copyAll(t rapid.TB, o CopyOptions, columns []CellRewriter, pieces ...[]byte) (string, int64) {
	t.Helper()
	c := NewCopy(o, columns, 1000)
	var out []byte
	for _, p := range pieces {
		var err error
		if out, err = c.Rewrite(out, p); err != nil {
			t.Fatalf("%q: %v", pieces, err)
		}
	}
	if err := c.End(); err != nil {
		t.Fatalf("%q: %v", pieces, err)
	}
	return string(out), c.Rows()
}

var copyTests = []struct {
	name    string
	options CopyOptions
	columns []CellRewriter
	in, out string
	rows    int64
}{
	{
		"text",
		CopyOptions{},
		[]CellRewriter{nil, stars{}},
		"1\tann\n2\t\\N\n3\t\n4\t!\n", "1\ta**\n2\t\\N\n3\t(empty)\n4\t\\N\n", 4,
	},
	{
		"text escapes",
		CopyOptions{},
		[]CellRewriter{echo{}, nil},
		"a\\\\b\\tc\\nd\\be\\ff\\rg\\vh\tx\\ty\n\\\\N\t\\N\n",
		"a\\\\b\\tc\\nd\\be\\ff\\rg\\vh\tx\\ty\n\\\\N\t\\N\n", 2,
	},
	{
		"text options",
		CopyOptions{Delimiter: '|', Null: []byte{}, Header: true},
		[]CellRewriter{stars{}, echo{}},
		"id|name\nann|x\\|y\n|\n", "id|name\na**|x\\|y\n|\n", 2,
	},
	{
		"text with a guess for NULL",
		CopyOptions{Null: []byte("ann")},
		[]CellRewriter{stars{}, nil},
		"ann\tann\n", "a**\tann\n", 1,
	},
	{
		"one column", CopyOptions{}, []CellRewriter{stars{}}, "\nann\n", "(empty)\na**\n", 2,
	},
	{"no columns", CopyOptions{}, nil, "\n\n", "\n\n", 2},
	{"nothing", CopyOptions{}, []CellRewriter{stars{}}, "", "", 0},
	{
		"csv",
		CopyOptions{CSV: true},
		[]CellRewriter{nil, stars{}},
		"1,ann\n2,\n3,\"\"\n4,!\n", "1,a**\n2,\n3,(empty)\n4,\n", 4,
	},
	{
		"csv quotes",
		CopyOptions{CSV: true, Header: true},
		[]CellRewriter{echo{}, nil},
		"\"a\n\"\"b\",c\n\"x,y\"\"z\nw\",\"1\n2\"\n", "\"a\n\"\"b\",c\n\"x,y\"\"z\nw\",\"1\n2\"\n", 1,
	},
	{
		"csv options",
		CopyOptions{CSV: true, Delimiter: ';', Quote: '\'', Escape: '\\', Null: []byte("-")},
		[]CellRewriter{echo{}, stars{}},
		"'a\\'b\\\\c;\n';x\n-;-\n'-';'-'\n", "'a\\'b\\\\c;\n';x**\n-;-\n'-';-**\n", 3,
	},
	{
		"csv, a backslash in quotes that escapes nothing",
		CopyOptions{CSV: true, Escape: '\\'},
		[]CellRewriter{stars{}, nil},
		"\"a\\x\",b\n", "a**,b\n", 1,
	},
	{
		"csv, quotes that would tell what was in them",
		CopyOptions{CSV: true},
		[]CellRewriter{constant("[redacted]"), constant("{}")},
		"\"a,b\",\"{\"\"c\"\": 1}\"\nab,5\n", "[redacted],{}\n[redacted],{}\n", 2,
	},
	{
		"csv, a column that is always in quotes",
		CopyOptions{CSV: true, Quoted: []bool{true}},
		[]CellRewriter{stars{}, stars{}},
		"\"ann\",bob\n,\n", "\"a**\",b**\n,\n", 2,
	},
}

func TestCopy(t *testing.T) {
	t.Parallel()
	for _, tt := range copyTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, rows := copyAll(t, tt.options, tt.columns, []byte(tt.in))
			if out != tt.out || rows != tt.rows {
				t.Errorf("got %q, %d rows; want %q, %d", out, rows, tt.out, tt.rows)
			}
			everySplit([]byte(tt.in), func(pieces ...[]byte) {
				if out, _ := copyAll(t, tt.options, tt.columns, pieces...); out != tt.out {
					t.Fatalf("%q: got %q, want %q", pieces, out, tt.out)
				}
			})
		})
	}
}

func TestCopyQuotesWhatAMaskMakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		options CopyOptions
		masked  string
		want    string
	}{
		{CopyOptions{CSV: true}, "a,b", "\"a,b\"\n"},
		{CopyOptions{CSV: true}, "a\"b", "\"a\"\"b\"\n"},
		{CopyOptions{CSV: true}, "", "\"\"\n"},
		{CopyOptions{CSV: true}, `\.`, "\"\\.\"\n"},
		{CopyOptions{CSV: true}, "a\rb", "\"a\rb\"\n"},
		{CopyOptions{}, "\\N", "\\\\N\n"},
		{CopyOptions{}, "a\tb\nc", "a\\tb\\nc\n"},
	}
	for _, tt := range tests {
		got, _ := copyAll(t, tt.options, []CellRewriter{constant(tt.masked)}, []byte("x\n"))
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.masked, got, tt.want)
		}
	}
}

// constant is a CellRewriter with always the same outcome.
type constant string

func (c constant) AppendCell(dst, _ []byte) ([]byte, bool) { return append(dst, c...), true }

// binaryCopy is a binary COPY of (1, 'ann'), (NULL, NULL).
const binaryCopy = "5047434f50590aff0d0a00" + "00000000" + "00000002" + "abcd" +
	"0002" + "00000004" + "00000001" + "00000003" + "616e6e" +
	"0002" + "ffffffff" + "ffffffff" +
	"ffff"

func TestCopyBinary(t *testing.T) {
	t.Parallel()
	in, err := hex.DecodeString(binaryCopy)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(in), "ann", "a**", 1)
	o := CopyOptions{Binary: true}
	columns := []CellRewriter{nil, stars{}}
	if out, rows := copyAll(t, o, columns, in); out != want || rows != 2 {
		t.Errorf("got %q, %d rows; want %q", out, rows, want)
	}
	everySplit(in, func(pieces ...[]byte) {
		if out, _ := copyAll(t, o, columns, pieces...); out != want {
			t.Errorf("%q: got %q, want %q", pieces, out, want)
		}
	})
}

func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	binary := func(tail string) string { return copySignature + "\x00\x00\x00\x00\x00\x00\x00\x00" + tail }
	two := []CellRewriter{nil, stars{}}
	tests := []struct {
		name    string
		options CopyOptions
		in      string
		want    error
	}{
		{"text with too few columns", CopyOptions{}, "a\n", protocol.ErrMalformed},
		{"text with too many columns", CopyOptions{}, "a\tb\tc\n", protocol.ErrMalformed},
		{"text with an escape and an empty column too many", CopyOptions{}, "a\\\\\tb\t\n", protocol.ErrMalformed},
		{"text with an escape and too few columns", CopyOptions{}, "a\\\tb\n", protocol.ErrMalformed},
		{"csv with quotes and an empty column too many", CopyOptions{CSV: true}, "\"a\",b,\n", protocol.ErrMalformed},
		{"text without end", CopyOptions{}, "a\tb", protocol.ErrMalformed},
		{"text without end of line for too long", CopyOptions{}, strings.Repeat("x", 1001), protocol.ErrTooLarge},
		{"csv with too few columns", CopyOptions{CSV: true}, "a\n", protocol.ErrMalformed},
		{"csv with a quote in the middle", CopyOptions{CSV: true}, "a\"b,c\"\n", protocol.ErrMalformed},
		{"csv with something behind quotes", CopyOptions{CSV: true}, "\"a\"b,c\n", protocol.ErrMalformed},
		{"csv that ends in quotes", CopyOptions{CSV: true}, "a,\"b\n", protocol.ErrMalformed},
		{"binary without signature", CopyOptions{Binary: true}, "PGCOPX", protocol.ErrMalformed},
		{"binary with unknown flags", CopyOptions{Binary: true}, copySignature + "\x00\x01\x00\x00\x00\x00\x00\x00", protocol.ErrMalformed},
		{"binary with a negative size", CopyOptions{Binary: true}, binary("\x00\x02\xff\xff\xff\xfe"), protocol.ErrTooLarge},
		{"binary with a huge size", CopyOptions{Binary: true}, binary("\x00\x02\x7f\xff\xff\xff"), protocol.ErrTooLarge},
		{"binary with three columns", CopyOptions{Binary: true}, binary("\x00\x03"), protocol.ErrMalformed},
		{"binary without trailer", CopyOptions{Binary: true}, binary(""), protocol.ErrMalformed},
		{"binary behind the trailer", CopyOptions{Binary: true}, binary("\xff\xff\x00"), protocol.ErrMalformed},
	}
	for _, columns := range [][]CellRewriter{nil, {nil}} {
		if out, err := NewCopy(CopyOptions{}, columns, 1000).Rewrite(nil, []byte("a\tb\n")); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("two columns, %d expected: got %q, %v", len(columns), out, err)
		}
	}
	if out, err := NewCopy(CopyOptions{}, nil, 1000).Rewrite(nil, []byte("a\n")); !errors.Is(err, protocol.ErrMalformed) {
		t.Errorf("a column, none expected: got %q, %v", out, err)
	}
	for _, tt := range tests {
		c := NewCopy(tt.options, two, 1000)
		_, err := c.Rewrite(nil, []byte(tt.in))
		if err == nil {
			err = c.End()
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestCopyKeepsNoPrefixOfARefusedRow(t *testing.T) {
	t.Parallel()
	c := NewCopy(CopyOptions{}, []CellRewriter{stars{}, nil}, 1000)
	out, err := c.Rewrite(nil, []byte("ann\tb\nbob\n"))
	if err == nil || bytes.Contains(out, []byte("bob")) {
		t.Errorf("got %q, %v", out, err)
	}
}

func FuzzCopy(f *testing.F) {
	for _, tt := range copyTests {
		kind := byte(0)
		if tt.options.CSV {
			kind = 1
		}
		f.Add(kind, 3, []byte(tt.in))
	}
	binary, err := hex.DecodeString(binaryCopy)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(2), 5, binary)
	f.Fuzz(func(t *testing.T, kind byte, split int, data []byte) {
		o := CopyOptions{CSV: kind == 1, Binary: kind == 2}
		columns := []CellRewriter{echo{}, nil}
		whole := NewCopy(o, columns, 1<<16)
		first, err := whole.Rewrite(nil, data)
		if err == nil {
			err = whole.End()
		}
		split = min(max(split, 0), len(data))
		parts := NewCopy(o, columns, 1<<16)
		second, errParts := parts.Rewrite(nil, data[:split])
		if errParts == nil {
			second, errParts = parts.Rewrite(second, data[split:])
		}
		if errParts == nil {
			errParts = parts.End()
		}
		if (err == nil) != (errParts == nil) || err == nil && !bytes.Equal(first, second) {
			t.Fatalf("whole: %q, %v; split at %d: %q, %v", first, err, split, second, errParts)
		}
		if err != nil {
			return
		}
		again := NewCopy(o, columns, 1<<16)
		if third, err := again.Rewrite(nil, first); err != nil || !bytes.Equal(third, first) {
			t.Fatalf("%q became %q, %v", first, third, err)
		}
	})
}
