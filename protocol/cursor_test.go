package protocol

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestCursorReadsWhatAppendWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u16 := rapid.Uint16().Draw(t, "u16")
		u24 := rapid.Uint32Max(1<<24-1).Draw(t, "u24")
		u32 := rapid.Uint32().Draw(t, "u32")
		u64 := rapid.Uint64().Draw(t, "u64")
		text := rapid.StringMatching(`[^\x00]*`).Draw(t, "text")
		blob := rapid.SliceOf(rapid.Byte()).Draw(t, "blob")

		b := AppendUint16(nil, u16)
		b = AppendUint32(b, u32)
		b = AppendUint64(b, u64)
		b = AppendUint16LE(b, u16)
		b = AppendUint24LE(b, u24)
		b = AppendUint32LE(b, u32)
		b = AppendUint64LE(b, u64)
		b = AppendCString(b, text)
		b = AppendLenenc(b, u64)
		b = AppendLenenc(b, uint64(u24))
		b = AppendLenencString(b, blob)
		b = AppendLenencString(b, blob)

		c := Over(b)
		if c.Uint16() != u16 || c.Uint32() != u32 || c.Uint64() != u64 {
			t.Error("big-endian")
		}
		if c.Uint16LE() != u16 || c.Uint24LE() != u24 || c.Uint32LE() != u32 || c.Uint64LE() != u64 {
			t.Error("little-endian")
		}
		if string(c.CString()) != text {
			t.Error("C string")
		}
		if c.Lenenc() != u64 || c.Lenenc() != uint64(u24) {
			t.Error("length-encoded integer")
		}
		if got, null := c.LenencNullable(); null || !bytes.Equal(got, blob) || !bytes.Equal(c.LenencString(), blob) {
			t.Error("length-encoded string")
		}
		if err := c.End(); err != nil {
			t.Error(err)
		}
	})
}

func TestCursorSigns(t *testing.T) {
	t.Parallel()
	c := Over(AppendUint64(AppendUint32(AppendUint16(nil, 0x8000), 0xffffffff), 1<<63))
	if a, b, d := c.Int16(), c.Int32(), c.Int64(); a != math.MinInt16 || b != -1 || d != math.MinInt64 {
		t.Error(a, b, d)
	}
}

func TestCursorFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		read func(*Cursor)
	}{
		"byte":                        {"", func(c *Cursor) { c.Uint8() }},
		"two bytes":                   {"a", func(c *Cursor) { c.Uint16() }},
		"four bytes":                  {"abc", func(c *Cursor) { c.Uint32() }},
		"eight bytes":                 {"abcdefg", func(c *Cursor) { c.Uint64() }},
		"two bytes, little":           {"a", func(c *Cursor) { c.Uint16LE() }},
		"three bytes, little":         {"ab", func(c *Cursor) { c.Uint24LE() }},
		"four bytes, little":          {"abc", func(c *Cursor) { c.Uint32LE() }},
		"eight bytes, little":         {"abcdefg", func(c *Cursor) { c.Uint64LE() }},
		"negative length":             {"abc", func(c *Cursor) { c.Take(-1) }},
		"long length":                 {"abc", func(c *Cursor) { c.Take(4) }},
		"string without end":          {"abc", func(c *Cursor) { c.CString() }},
		"count":                       {"\x00\x02abcdefg", func(c *Cursor) { c.Count(4) }},
		"lenenc that is NULL":         {"\xfb", func(c *Cursor) { c.Lenenc() }},
		"lenenc that is an error":     {"\xff", func(c *Cursor) { c.Lenenc() }},
		"lenenc cut off":              {"\xfe1234567", func(c *Cursor) { c.Lenenc() }},
		"lenenc string too long":      {"\x04abc", func(c *Cursor) { c.LenencString() }},
		"lenenc string far too long":  {"\xfe\xff\xff\xff\xff\xff\xff\xff\xffabc", func(c *Cursor) { c.LenencString() }},
		"lenenc count too long":       {"\x02abc", func(c *Cursor) { c.LenencCount(2) }},
		"lenenc count far too long":   {"\xfe\xff\xff\xff\xff\xff\xff\xff\xffabc", func(c *Cursor) { c.LenencCount(1) }},
		"bytes left over":             {"a", func(*Cursor) {}},
		"failure of the caller's own": {"", func(c *Cursor) { c.Fail("why not") }},
	}
	for name, tt := range tests {
		c := Over([]byte(tt.body))
		tt.read(&c)
		if !errors.Is(c.End(), ErrMalformed) {
			t.Errorf("%s: %v", name, c.Err())
		}
		first := c.Err()
		c.Uint64()
		c.Fail("later")
		if c.Err() != first || c.Len() != 0 || len(c.Rest()) != 0 {
			t.Errorf("%s: the first failure does not stick", name)
		}
	}
}

func TestCursorSlicesDoNotGrowIntoTheBody(t *testing.T) {
	t.Parallel()
	body := []byte("ab\x00cd")
	c := Over(body)
	_ = append(c.CString(), 'X')
	_ = append(c.Take(1), 'X')
	if string(body) != "ab\x00cd" {
		t.Errorf("body became %q", body)
	}
}

func TestCursorTellsEmptyFromNull(t *testing.T) {
	t.Parallel()
	c := Over([]byte("\x00\xfb"))
	if s, null := c.LenencNullable(); null || s == nil {
		t.Error("an empty string became NULL")
	}
	if _, null := c.LenencNullable(); !null || c.End() != nil {
		t.Error("NULL was not read")
	}
}

func TestAppendLenencIsShortest(t *testing.T) {
	t.Parallel()
	for v, size := range map[uint64]int{
		0: 1, 250: 1, 251: 3, 1<<16 - 1: 3, 1 << 16: 4, 1<<24 - 1: 4, 1 << 24: 9, math.MaxUint64: 9,
	} {
		if got := len(AppendLenenc(nil, v)); got != size {
			t.Errorf("%d takes %d bytes, want %d", v, got, size)
		}
	}
}
