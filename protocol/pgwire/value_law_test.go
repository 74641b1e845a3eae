package pgwire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"
)

// OIDs of the types drawn below.
const (
	oidBool, oidBytea, oidChar, oidInt8, oidInt2, oidInt4, oidText, oidOID = 16, 17, 18, 20, 21, 23, 25, 26
	oidFloat4, oidFloat8, oidCIDR, oidMAC8, oidMAC, oidInet                = 700, 701, 650, 774, 829, 869
	oidDate, oidTime, oidTimestamp, oidTimestampTZ, oidInterval            = 1082, 1083, 1114, 1184, 1186
	oidTimeTZ, oidNumeric, oidUUID, oidJSONB                               = 1266, 1700, 2950, 3802
)

var hexOf = func(n int) *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.Byte(), n, n), hex.EncodeToString)
}

// texts draws text forms as the server prints them.
var texts = map[uint32]*rapid.Generator[string]{
	oidBool:    rapid.SampledFrom([]string{"t", "f"}),
	oidBytea:   rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return `\x` + hex.EncodeToString(b) }),
	oidInt2:    rapid.Map(rapid.Int16(), func(n int16) string { return strconv.Itoa(int(n)) }),
	oidInt4:    rapid.Map(rapid.Int32(), func(n int32) string { return strconv.Itoa(int(n)) }),
	oidInt8:    rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
	oidOID:     rapid.Map(rapid.Uint32(), func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }),
	oidText:    rapid.String(),
	oidJSONB:   rapid.Map(rapid.String(), strconv.Quote),
	oidFloat4:  rapid.Map(rapid.Float32(), func(f float32) string { return string(appendFloat4(nil, math.Float32bits(f))) }),
	oidFloat8:  rapid.Map(rapid.Float64(), func(f float64) string { return string(appendFloat8(nil, math.Float64bits(f))) }),
	oidNumeric: rapid.Custom(drawNumeric),
	oidDate:    rapid.Map(rapid.Int64Range(minDay, maxDateYear*365), dateText),
	oidTime:    rapid.Map(rapid.Int64Range(0, microsPerDay), func(n int64) string { return string(appendClock(nil, n)) }),
	oidTimeTZ: rapid.Custom(func(t *rapid.T) string {
		clock := appendClock(nil, rapid.Int64Range(0, microsPerDay).Draw(t, "clock"))
		zoned, _ := decodeZone(clock, rapid.Int32Range(-maxZone, maxZone).Draw(t, "zone"))
		return string(zoned)
	}),
	oidTimestamp:   rapid.Map(rapid.Int64Range(-minTimestamp, maxTimestamp), func(n int64) string { return timestampText(n, false) }),
	oidTimestampTZ: rapid.Map(rapid.Int64Range(-minTimestamp, maxTimestamp), func(n int64) string { return timestampText(n, true) }),
	oidInterval: rapid.Custom(func(t *rapid.T) string {
		micros := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "micros")
		return string(decodeInterval(nil, micros, rapid.Int32().Draw(t, "days"), rapid.Int32().Draw(t, "months")))
	}),
	oidUUID: rapid.Map(hexOf(16), func(s string) string {
		return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
	}),
	oidInet: rapid.Custom(drawInet),
	oidCIDR: rapid.Custom(func(t *rapid.T) string {
		p := drawPrefix(t).Masked()
		return string(appendAddress(nil, p.Addr())) + "/" + strconv.Itoa(p.Bits())
	}),
	oidMAC:  rapid.Map(hexOf(6), colons),
	oidMAC8: rapid.Map(hexOf(8), colons),
}

const (
	minTimestamp = 211_813_488_000_000_000
	maxTimestamp = 9_223_371_331_199_999_999
)

func drawNumeric(t *rapid.T) string {
	s := rapid.StringMatching(`-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?`).Draw(t, "numeric")
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-") // there is no minus zero
	}
	return s
}

func dateText(day int64) string {
	s, _ := decodeDate(nil, int32(day))
	return string(s)
}

func timestampText(micros int64, zoned bool) string {
	s, _ := decodeTimestamp(nil, micros, zoned)
	return string(s)
}

func drawPrefix(t *rapid.T) netip.Prefix {
	raw := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "IPv4")
	if rapid.Bool().Draw(t, "IPv6") {
		raw = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 0, 1, 0x20, 0xff}), 16, 16).Draw(t, "IPv6")
	}
	address, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(address, rapid.IntRange(0, 8*len(raw)).Draw(t, "bits"))
}

func drawInet(t *rapid.T) string {
	p := drawPrefix(t)
	s := string(appendAddress(nil, p.Addr()))
	if !p.IsSingleIP() {
		s += "/" + strconv.Itoa(p.Bits())
	}
	return s
}

func colons(digits string) string {
	var pairs []string
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}

func TestTextSurvivesTheBinaryFormat(t *testing.T) {
	t.Parallel()
	for oid, generator := range texts {
		t.Run(fmt.Sprint(oid), func(t *testing.T) {
			t.Parallel()
			c := Codec{TypeOf(oid, -1), BinaryFormat}
			rapid.Check(t, func(t *rapid.T) {
				text := generator.Draw(t, "text")
				value, ok := c.AppendValue(nil, []byte(text))
				if !ok {
					t.Fatalf("%q has no value", text)
				}
				if again, ok := c.AppendText(nil, value); !ok || string(again) != text {
					t.Fatalf("%q became %q (%x), %t", text, again, value, ok)
				}
			})
		})
	}
}

// TestAgainstPgtype has another implementation read and write the same values.
func TestAgainstPgtype(t *testing.T) {
	t.Parallel()
	for oid, generator := range texts {
		if oid == oidTimeTZ || oid == oidInterval { // unknown to it; printed in another style
			continue
		}
		t.Run(fmt.Sprint(oid), func(t *testing.T) {
			t.Parallel()
			other := pgtype.NewMap()
			c := Codec{TypeOf(oid, -1), BinaryFormat}
			// It does not know everything, such as years before Christ.
			known := generator.Filter(func(text string) bool {
				_, err := normalized(other, oid, TextFormat, []byte(text))
				return err == nil
			})
			rapid.Check(t, func(t *rapid.T) {
				text := known.Draw(t, "text")
				value, ok := c.AppendValue(nil, []byte(text))
				if !ok {
					t.Fatalf("%q has no value", text)
				}
				want, err := normalized(other, oid, TextFormat, []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				got, err := normalized(other, oid, BinaryFormat, value)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%q: %x, which is %x, %v, want %x", text, value, got, err, want)
				}
			})
		})
	}
}

// normalized reads a value with pgtype and returns how it would send it.
func normalized(m *pgtype.Map, oid uint32, format int16, value []byte) ([]byte, error) {
	typ, ok := m.TypeForOID(oid)
	if !ok {
		return nil, fmt.Errorf("no type %d", oid)
	}
	v, err := typ.Codec.DecodeValue(m, oid, format, value)
	if err != nil {
		return nil, err
	}
	if instant, ok := v.(time.Time); ok && instant.Year() < 1 {
		return nil, fmt.Errorf("%s is before Christ", instant)
	}
	if n, ok := v.(pgtype.Numeric); ok {
		return []byte(rational(n).String()), nil // it has several forms of one number
	}
	return m.Encode(oid, BinaryFormat, v, nil)
}

func rational(n pgtype.Numeric) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n.Exp, -n.Exp))), nil)
	if n.Exp < 0 {
		return new(big.Rat).SetFrac(n.Int, scale)
	}
	return new(big.Rat).SetInt(scale.Mul(scale, n.Int))
}

func TestAddressesAgainstNetip(t *testing.T) {
	t.Parallel()
	addresses := rapid.OneOf(
		rapid.StringMatching(`[0-9a-f:.]{0,20}`),
		rapid.StringMatching(`([0-9a-f]{0,5}:){0,8}[0-9a-f]{0,4}`),
		rapid.StringMatching(`([0-9a-f]{0,2}:){0,7}[0-9]{1,3}(\.[0-9]{1,3}){3}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := addresses.Draw(t, "text")
		want, err := netip.ParseAddr(text)
		got, ok := parseAddress([]byte(text))
		if ok && err != nil && strings.Contains(err.Error(), "leading zero") {
			return // so does the server
		}
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("%q: got %v, %t, want %v, %v", text, got, ok, want, err)
		}
	})
}

func TestCalendarAgainstTime(t *testing.T) {
	t.Parallel()
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.Int64Range(-730_119-1_000_000, 2_000_000).Draw(t, "days")
		want := epoch.AddDate(0, 0, int(days))
		year, month, day := civil(days)
		if int(year) != want.Year() || int(month) != int(want.Month()) || int(day) != want.Day() {
			t.Fatalf("day %d: %d-%d-%d, want %s", days, year, month, day, want)
		}
		if got := daysOf(year, month, day); got != days {
			t.Fatalf("%d became %d", days, got)
		}
	})
}

func TestValuesThatAreNone(t *testing.T) {
	t.Parallel()
	notTexts := map[uint32][]string{
		oidBool:        {"", "x", "tt"},
		oidInt2:        {"", "32768", "1.5", "1e3", " 1", "0x1", "1_0"},
		oidInt4:        {"2147483648", "-2147483649", "a"},
		oidInt8:        {"9223372036854775808"},
		oidOID:         {"-1", "4294967296"},
		oidFloat4:      {"", "1e39", "0x1p3", "1_0", "abc"},
		oidFloat8:      {"", "1e309", "0x1p3", "1_0"},
		oidNumeric:     {"", "-", ".", "1.2.3", "1e5", "--1", "+1", "nan", "1" + strings.Repeat("0", 131_072), "0." + strings.Repeat("0", 16384)},
		oidBytea:       {`\x0`, `\xzz`, `\1`, `\400`, `a\`},
		oidChar:        {"ab", `\abc`, `\777`},
		oidUUID:        {"", "0189f7e5-3c00-7abc-8def-0123456789a", "0189f7e5-3c00-7abc-8def-0123456789ag", "0189f7e53c007abc8def0123456789ab"},
		oidInet:        {"", "1.2.3", "1.2.3.256", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/a", "::/129", ":::", "1::2::3", "1:2:3:4:5:6:7", "::%eth0", "1.2.3.4/1/2", "::1.2.3"},
		oidCIDR:        {"192.0.2.1/24", "2001:db8::1/32"},
		oidMAC:         {"", "08:00:2b:01:02", "08-00-2b-01-02-03", "08:00:2b:01:02:0g"},
		oidMAC8:        {"08:00:2b:01:02:03"},
		oidDate:        {"", "2024", "2024-13-01", "2024-02-30", "2023-02-29", "0000-01-01", "5874898-01-01", "4714-11-23 BC", "4715-12-31 BC", "2024-01-01x", "2024-01-01 12:00:00", "24-1", "infinite"},
		oidTime:        {"", "25:00:00", "24:00:01", "12:60:00", "12:00:60", "12:00", "12:00:00.", "12:00:00.1234567", "-01:00:00"},
		oidTimeTZ:      {"12:00:00", "12:00:00+16", "12:00:00+1:2:3:4", "12:00:00+"},
		oidTimestamp:   {"", "2024-01-01 25:00:00", "2024-01-01 12:00:00+00", "294277-01-01 00:00:00", "2024-01-01 "},
		oidTimestampTZ: {"2024-01-01 12:00:00", "2024-01-01 12:00:00+99"},
		oidInterval:    {"", "1", "1 week", "1 day 1", "1 day ", "2147483648 days", "178956971 years", "2562047789:00:00", "00:00", "00:00:00 x", "99999999999 days"},
	}
	for oid, list := range notTexts {
		c := Codec{TypeOf(oid, -1), BinaryFormat}
		for _, text := range list {
			if v, ok := c.AppendValue(nil, []byte(text)); ok {
				t.Errorf("type %d, %.50q: %.50x", oid, text, v)
			}
		}
	}
	notValues := map[uint32][]string{
		oidBool: {"", "02", "0101"}, oidInt2: {"", "00", "000000"}, oidInt4: {"000000", "0000000000"},
		oidInt8: {"00000000"}, oidFloat4: {"000000"}, oidFloat8: {"00000000000000"}, oidUUID: {"00"},
		oidNumeric: {
			"", "0000000000", "000100000000", "00010000000000002710", "0000000012340000", "0000000000004000",
			"00000000000000000000", "ffff000000000000", "0001ffff000000042710",
		},
		oidDate:        {"00", "7ffffffe", "80000001"},
		oidTime:        {"00", "ffffffffffffffff", "000000141dd76001"},
		oidTimeTZ:      {"000000000000000000010000", "0000000000000000ffff0000", "0000000000000000"},
		oidTimestamp:   {"00", "8000000000000001", "fd0f7cc1411f9fff"},
		oidTimestampTZ: {"00"},
		oidInterval:    {"00", "000000000000000000000000000000"},
		oidInet:        {"", "02200004c00002", "04200004c0000201", "02210004c0000201", "02200104c0000201", "0220000300000000", "0381001000000000000000000000000000000000"},
		oidCIDR:        {"02180004c0000200"},
		oidMAC:         {"0000000000", "00000000000000"}, oidMAC8: {"000000000000"}, oidJSONB: {"", "02", "007b7d"},
	}
	for oid, list := range notValues {
		c := Codec{TypeOf(oid, -1), BinaryFormat}
		for _, digits := range list {
			value, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatal(err)
			}
			if text, ok := c.AppendText(nil, value); ok {
				t.Errorf("type %d, %s: %q", oid, digits, text)
			}
		}
	}
}

func TestOtherTextForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		oid             uint32
		text, canonical string
	}{
		{oidBool, "true", "t"},
		{oidBool, "off", "f"},
		{oidBytea, `a\\b\000`, `\x615c6200`},
		{oidDate, "2024-2-3", "2024-02-03"},
		{oidTimestamp, "2024-01-01", "2024-01-01 00:00:00"},
		{oidTimestamp, "2024-01-01T12:00:00.5", "2024-01-01 12:00:00.5"},
		{oidTimestampTZ, "2024-01-01 12:00:00Z", "2024-01-01 12:00:00+00"},
		{oidTimestampTZ, "2024-01-01 00:30:00+01:30", "2023-12-31 23:00:00+00"},
		{oidTimestampTZ, "0001-01-01", "0001-01-01 00:00:00+00"},
		{oidInterval, "1 month", "1 mon"},
		{oidInterval, "+1 day", "1 day"},
		{oidNumeric, "007.50", "7.50"},
		{oidNumeric, "-0.0", "0.0"},
		{oidNumeric, ".5", "0.5"},
		{oidNumeric, "5.", "5"},
		{oidInet, "192.0.2.1/32", "192.0.2.1"},
		{oidInet, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{oidUUID, "0189F7E5-3C00-7ABC-8DEF-0123456789AB", "0189f7e5-3c00-7abc-8def-0123456789ab"},
	}
	for _, tt := range tests {
		c := Codec{TypeOf(tt.oid, -1), BinaryFormat}
		value, ok := c.AppendValue(nil, []byte(tt.text))
		text, okText := c.AppendText(nil, value)
		if !ok || !okText || string(text) != tt.canonical {
			t.Errorf("%q: %q, %t, want %q", tt.text, text, ok && okText, tt.canonical)
		}
	}
}

// TestHugeNumericIsFast is about zeros in front, of which a short message can
// make a lot.
func TestHugeNumericIsFast(t *testing.T) {
	t.Parallel()
	start := time.Now()
	text, ok := Codec{TypeOf(oidNumeric, -1), BinaryFormat}.AppendText(nil, []byte("\x00\x00\x7f\xff\x00\x00\x3f\xff"))
	if !ok || len(text) != 2+maxNumericScale || time.Since(start) > time.Second {
		t.Errorf("%d bytes, %t, after %s", len(text), ok, time.Since(start))
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		oid      uint32
		modifier int32
		want     Type
	}{
		{1043, 24, Type{Kind: KindText, Length: 20, form: formText}},
		{1043, -1, Type{Kind: KindText, form: formText}},
		{1042, 5, Type{Kind: KindText, Length: 1, form: formText}},
		{1015, 24, Type{Kind: KindText, Length: 20, Array: true, form: formText}},
		{1700, 655366, Type{Kind: KindNumeric, Precision: 10, Scale: 2, form: formNumeric}},
		{1700, 5<<16 + 4 + 2048 - 2, Type{Kind: KindNumeric, Precision: 5, Scale: -2, form: formNumeric}},
		{1231, 655366, Type{Kind: KindNumeric, Precision: 10, Scale: 2, Array: true, form: formNumeric}},
		{1114, 3, Type{Kind: KindTimestamp, form: formTimestamp}},
		{19, -1, Type{Kind: KindText, Length: 63, form: formText}},
		{23, -1, Type{Kind: KindInteger, Bits: 32, form: formInt4}},
		{600, -1, Type{}},  // point
		{3904, -1, Type{}}, // int4range
		{2249, -1, Type{}}, // record
		{16384, -1, Type{}},
	}
	for _, tt := range tests {
		if got := TypeOf(tt.oid, tt.modifier); got != tt.want {
			t.Errorf("type %d, modifier %d: %+v, want %+v", tt.oid, tt.modifier, got, tt.want)
		}
	}
	if got := ArrayOf(TypeOf(25, -1)); !got.Array || got.Kind != KindText {
		t.Error(got)
	}
	if ArrayOf(Type{}).Array {
		t.Error("an array of what is not converted")
	}
}
