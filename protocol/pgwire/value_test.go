package pgwire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// A known value is one line of testdata/values.txt.
type known struct {
	oid    uint32
	name   string
	binary []byte
	text   string
}

func knownValues(t testing.TB) []known {
	t.Helper()
	f, err := os.Open("testdata/values.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var values []known
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		oid, errOID := strconv.ParseUint(fields[0], 10, 32)
		binary, errHex := hex.DecodeString(fields[2])
		text, errText := strconv.Unquote(fields[3])
		if errOID != nil || errHex != nil || errText != nil {
			t.Fatalf("%s: %v %v %v", line, errOID, errHex, errText)
		}
		values = append(values, known{uint32(oid), fields[1], binary, text})
	}
	return values
}

// codecText is what Codec makes of the value: a money is printed with the sign
// of its currency, which the binary format does not tell.
func (k known) codecText() string {
	if k.name != "money" {
		return k.text
	}
	return strings.NewReplacer("$", "", ",", "").Replace(k.text)
}

func TestKnownValues(t *testing.T) {
	t.Parallel()
	for _, k := range knownValues(t) {
		typ := TypeOf(k.oid, -1)
		if typ.Array {
			continue
		}
		c := Codec{typ, BinaryFormat}
		text, ok := c.AppendText([]byte("x"), k.binary)
		if want := "x" + k.codecText(); !ok || string(text) != want {
			t.Errorf("%s %x: text %q, %t, want %q", k.name, k.binary, text, ok, want)
		}
		binary, ok := c.AppendValue([]byte("x"), []byte(k.codecText()))
		if want := append([]byte("x"), k.binary...); !ok || !bytes.Equal(binary, want) {
			t.Errorf("%s %q: binary %x, %t, want %x", k.name, k.text, binary, ok, want)
		}
	}
}

// identity is a mask that changes nothing.
type identity struct{}

func (identity) Append(dst, text []byte) ([]byte, bool) { return append(dst, text...), true }

// TestEmptiedArrays expects of an array not even its length.
func TestEmptiedArrays(t *testing.T) {
	element := "\x00\x00\x00\x19" // text
	empty := strings.Repeat("\x00", 8) + element
	for _, test := range []struct {
		format  int16
		array   string
		want    string
		refused bool
	}{
		{format: TextFormat, array: `{a,NULL,"b c"}`, want: "{}"},
		{format: TextFormat, array: `[2:3]={a,b}`, want: "{}"},
		{format: BinaryFormat, array: "\x00\x00\x00\x01\x00\x00\x00\x00" + element + "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01a", want: empty},
		{format: BinaryFormat, array: empty, want: empty},
		{format: BinaryFormat, array: "\x00\x00", refused: true},
		{format: 7, array: "{}", refused: true},
	} {
		c := NewCell(Codec{Type: TypeOf(1009, -1), Format: test.format}, nil).Empties()
		got, ok := c.AppendCell(nil, []byte(test.array))
		if ok == test.refused || ok && string(got) != test.want {
			t.Errorf("%q in format %d: %q, %v", test.array, test.format, got, ok)
		}
	}
}

func TestKnownArrays(t *testing.T) {
	t.Parallel()
	for _, k := range knownValues(t) {
		typ := TypeOf(k.oid, -1)
		for _, format := range []int16{TextFormat, BinaryFormat} {
			value := []byte(k.text)
			if format == BinaryFormat {
				value = k.binary
			}
			out, ok := NewCell(Codec{typ, format}, identity{}).AppendCell([]byte("x"), value)
			if !ok || string(out) != "x"+string(value) {
				t.Errorf("%s, format %d: %q, %t, want %q", k.name, format, out[1:], ok, value)
			}
		}
	}
}
