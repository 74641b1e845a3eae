package mywire

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
	declared     string
	column       Column
	text, binary []byte
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
		var numbers [5]int
		for i := range numbers {
			if numbers[i], err = strconv.Atoi(fields[1+i]); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		text, errText := hex.DecodeString(fields[6])
		binary, errBinary := hex.DecodeString(fields[7])
		if errText != nil || errBinary != nil {
			t.Fatalf("%s: %v %v", line, errText, errBinary)
		}
		values = append(values, known{fields[0], Column{
			Type: FieldType(numbers[0]), Collation: uint16(numbers[1]), Length: uint32(numbers[2]),
			Flags: uint16(numbers[3]), Decimals: uint8(numbers[4]),
		}, text, binary})
	}
	return values
}

// identity is a mask that changes nothing.
type identity struct{}

func (identity) Append(dst, text []byte) ([]byte, bool) { return append(dst, text...), true }

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

// inexact are the types whose text does not have all digits of the value.
func (k known) inexact() bool {
	return k.column.Type == TypeFloat || strings.HasPrefix(k.declared, "double(")
}

func TestKnownValues(t *testing.T) {
	t.Parallel()
	for _, k := range knownValues(t) {
		inText, inBinary := NewCodec(&k.column, false), NewCodec(&k.column, true)
		text, ok := inText.AppendText([]byte("x"), k.text)
		fromBinary, okBinary := inBinary.AppendText([]byte("x"), k.binary)
		if k.column.TypeOf().Kind == KindOther {
			if ok || okBinary {
				t.Errorf("%s: converted", k.declared)
			}
			continue
		}
		if !ok || !okBinary || !bytes.Equal(text, fromBinary) {
			t.Errorf("%s %x: text %q, from binary %q, %t", k.declared, k.binary, text, fromBinary, okBinary)
		}
		value, ok := inBinary.AppendValue([]byte("x"), text[1:])
		if !ok || !k.inexact() && !bytes.Equal(value[1:], k.binary) {
			t.Errorf("%s %q: binary %x, %t, want %x", k.declared, text, value, ok, k.binary)
		}
		if value, ok = inText.AppendValue(nil, text[1:]); !ok || !bytes.Equal(value, k.text) {
			t.Errorf("%s: %q became %q, %t", k.declared, k.text, value, ok)
		}
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	want := map[string]Type{
		"tinyint":                 {Kind: KindInteger, Bits: 8},
		"tinyint unsigned":        {Kind: KindInteger, Bits: 8, Unsigned: true},
		"smallint":                {Kind: KindInteger, Bits: 16},
		"mediumint":               {Kind: KindInteger, Bits: 24},
		"int unsigned":            {Kind: KindInteger, Bits: 32, Unsigned: true},
		"bigint":                  {Kind: KindInteger, Bits: 64},
		"float":                   {Kind: KindFloat, Bits: 32},
		"double":                  {Kind: KindFloat, Bits: 64},
		"decimal(10,2)":           {Kind: KindNumeric, Precision: 10, Scale: 2},
		"decimal(5,0)":            {Kind: KindNumeric, Precision: 5},
		"date":                    {Kind: KindDate},
		"datetime(3)":             {Kind: KindTimestamp},
		"timestamp":               {Kind: KindTimestamp},
		"time":                    {Kind: KindTime},
		"year":                    {Kind: KindInteger, Bits: 16, Unsigned: true},
		"char(5)":                 {Kind: KindText, Length: 5},
		"varchar(20)":             {Kind: KindText, Length: 20},
		"binary(3)":               {Kind: KindBytes, Length: 3},
		"blob":                    {Kind: KindBytes, Length: 65535},
		"enum('a','b')":           {Kind: KindText, Length: 1},
		"uuid":                    {Kind: KindText, Length: 36},
		"bit(9)":                  {},
		"decimal(30,10) unsigned": {Kind: KindNumeric, Precision: 30, Scale: 10},
	}
	seen := 0
	for _, k := range knownValues(t) {
		if typ, ok := want[k.declared]; ok {
			seen++
			if got := k.column.TypeOf(); got != typ {
				t.Errorf("%s: %+v, want %+v", k.declared, got, typ)
			}
		}
	}
	if seen < len(want) {
		t.Error("not all types have a known value")
	}
	if got := (&Column{Type: TypeVarString, Collation: 33, Length: 30}).TypeOf(); got.Length != 10 {
		t.Error(got)
	}
	if got := (&Column{Type: TypeJSON, Collation: 63}).TypeOf(); got.Kind != KindJSON {
		t.Error(got)
	}
}

func TestValuesThatAreNone(t *testing.T) {
	t.Parallel()
	texts := map[FieldType][]string{
		TypeTiny: {"", "128", "-129", "1.5", "x"}, TypeShort: {"32768"}, TypeInt24: {"8388608", "-8388609"},
		TypeLong: {"2147483648"}, TypeLongLong: {"9223372036854775808"}, TypeYear: {"-1", "65536"},
		TypeFloat: {"", "inf", "nan", "0x1", "1_0", "1e39"}, TypeDouble: {"1e309", "."},
		TypeDate:     {"", "2024", "2024-13-01", "2024-01-32", "2024-01-01 00:00:00", "12024-01-01", "2024-01-01 BC"},
		TypeDatetime: {"", "2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:00.", "2024-01-01 00:00:00+00", "2024-01-01 "},
		TypeTime:     {"", "839:00:00", "12:34", "12:34:60", "--12:34:56", "12:34:56 "},
	}
	for field, list := range texts {
		for _, text := range list {
			if v, ok := NewCodec(&Column{Type: field}, true).AppendValue(nil, []byte(text)); ok {
				t.Errorf("type %d, %q: %x", field, text, v)
			}
		}
	}
	values := map[FieldType][]string{
		TypeTiny: {"", "0000"}, TypeShort: {"00"}, TypeLong: {"000000"}, TypeLongLong: {"00"}, TypeDouble: {"00000000"},
		TypeDate:     {"e8", "e807021d0c2238", "e8070d01", "10270101", "e8070120"},
		TypeDatetime: {"e807021d18", "e807021d180000", "e807021d003c00", "e807021d00000040420f00"},
		TypeTime:     {"00", "0023000000000000", "0000000000180000", "0022000000173b3b", "000000000000000040420f00"},
	}
	for field, list := range values {
		for _, digits := range list {
			value, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatal(err)
			}
			if text, ok := NewCodec(&Column{Type: field}, true).AppendText(nil, value); ok {
				t.Errorf("type %d, %s: %q", field, digits, text)
			}
		}
	}
	blob := NewCodec(&Column{Type: TypeBlob, Collation: collationBinary}, false)
	for _, text := range []string{"", "x", `\x0`, `\x0g`, "00"} {
		if v, ok := blob.AppendValue(nil, []byte(text)); ok {
			t.Errorf("%q: %x", text, v)
		}
	}
}

func TestCellsDoNotAllocate(t *testing.T) {
	for _, k := range knownValues(t) {
		for binary, value := range map[bool][]byte{false: k.text, true: k.binary} {
			cell := NewCell(NewCodec(&k.column, binary), identity{})
			dst := make([]byte, 0, 1<<10)
			if allocs := testing.AllocsPerRun(10, func() { cell.AppendCell(dst, value) }); allocs > 0 {
				t.Errorf("%s %q, binary %t: %v allocations", k.declared, k.text, binary, allocs)
			}
		}
	}
}
