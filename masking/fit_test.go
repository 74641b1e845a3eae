package masking

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkFitted compares what a mask made ready for a type makes of a text with what
// Apply makes of it.
func checkFitted(t rapid.TB, name string, m Mask, text []byte, typ Type) {
	t.Helper()
	input := slices.Clone(text)
	f := Fit(m, typ)
	for range 2 { // what it keeps must not tell in the second value
		want, wantOK := Apply(m, []byte("before"), text, typ)
		got, gotOK := f.Append([]byte("before"), text)
		if gotOK != wantOK || gotOK && !bytes.Equal(got, want) {
			t.Errorf("%s fitted to %+v makes %q, %v of %q; Apply %q, %v", name, typ, got, gotOK, text, want, wantOK)
		}
	}
	if !bytes.Equal(text, input) {
		t.Errorf("%s fitted to %+v wrote into its input %q: %q", name, typ, input, text)
	}
}

// TestFittedIsApply holds every mask's shortcuts to what the mask makes without.
func TestFittedIsApply(t *testing.T) {
	all := lawMasks(t)
	for name, m := range all {
		for _, text := range slices.Concat(sampleValues, nearlyUsual) {
			for kind := KindOther; kind <= KindBytes+1; kind++ {
				for _, n := range []int{0, 1, 2, 5, 11, 20, 64} {
					checkFitted(t, name, m, []byte(text), Type{Kind: kind, Bits: n, Length: n, Precision: n, Scale: n / 2})
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		typ := lawTypes().Draw(t, "type")
		text := rapid.OneOf(lawTexts(), nearlyTexts()).Draw(t, "text")
		for name, m := range all {
			checkFitted(t, name, m, text, typ)
		}
	})
}

// nearlyUsual are values that a shortcut might take for what it knows.
var nearlyUsual = []string{
	"Ann,Lee", "Ann, Lee,", " Ann Lee", "Ann  Lee ", ",Ann", "-Ann", "Ann-Marie O'Neil", "Ann\tLee", "Ann\x00Lee", "Ann é", "A. B. C. D. E. F.", "A. B. C. D. E. F. G.", "X", "X Y", "Ann 2",
	"ann@example.com ", "a***@example.com", "***@example.com", "ann@example", "ann@.com", "ann@example.com.", "ann@a..b", "ann lee@example.com", "ann@lee@example.com", "@example.com", "ann@exämple.com", "änn@example.com", "ann\x00@example.com", "ann\x7f@example.com",
	"154****5678", "154*****678", "1540000567\x00", "15400005678  ", "     ", "154**** 5678", "é5400005678",
}

// nearlyTexts draws texts of the characters that matter to shortcuts.
func nearlyTexts() *rapid.Generator[[]byte] {
	return rapid.Map(rapid.StringMatching(`[aZ5*@. ,'\-\x00\x7f\x20\x21é]{0,24}|[a-z]{1,9}@[a-z.]{1,9}|[A-Za-z]{1,4}[ ,.'\-]{0,2}[A-Za-z]{0,4}[ é]?|[0-9]{8,12}[ *]{0,3}`), func(s string) []byte { return []byte(s) })
}

// TestShortcutsAreTaken checks that usual values do not go the long way.
func TestShortcutsAreTaken(t *testing.T) {
	masks := lawMasks(t)
	text, narrow := Type{Kind: KindText}, Type{Kind: KindText, Length: 20}
	for _, c := range []struct {
		mask, value string
		kind        Type
	}{
		{"partialmap[first:3 last:4]", "13800138000", text},
		{"partialmap[first:3 last:4]", "13800138000  ", narrow},
		{"emailmap[]", "ann.lee@mail.example.com", text},
		{"emailmap[]", "ann@example.com", narrow},
		{"namemap[]", "Ann O'Neil-Lee", text},
		{"namemap[]", "Lee, Ann", narrow},
		{"redactmap[]", "4711", Type{Kind: KindInteger, Bits: 32}},
		{"hmacmap[]", "4711", text},
		{"datemap[to:month]", "1990-05-17", Type{Kind: KindDate}},
		{"datemap[to:month]", "1990-05-17 13:14:15+08", Type{Kind: KindTimestampTZ}},
	} {
		m := masks[c.mask]
		if m == nil {
			t.Fatalf("no mask %q", c.mask)
		}
		f := Fit(m, c.kind)
		if f.short == (long{}) {
			t.Errorf("%s has no shortcut for %+v", c.mask, c.kind)
			continue
		}
		if _, ok := f.short.try(nil, []byte(c.value)); !ok {
			t.Errorf("%s goes the long way for %q as %+v", c.mask, c.value, c.kind)
		}
	}
}

// TestFittedAllocatesNothing holds every mask to it.
func TestFittedAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for name, m := range lawMasks(t) {
		for kind := KindOther; kind <= KindBytes; kind++ {
			f := Fit(m, Type{Kind: kind})
			if raceDetector && m.Name() == "hmac" && f.short == (long{}) {
				continue // its pool forgets at random
			}
			for _, value := range sampleValues {
				text := []byte(value)
				if n := testing.AllocsPerRun(10, func() { f.Append(dst, text) }); n > 0 {
					t.Errorf("%s of %q as kind %d allocates %v times", name, value, kind, n)
				}
			}
		}
	}
}

// TestBytesAtOnce compares what is asked of eight bytes at once with what is asked
// of each.
func TestBytesAtOnce(t *testing.T) {
	edges := []byte{0, 1, ' ', '!', '-', '.', '/', '0', '9', ':', '@', 'A', 'Z', '[', '`', 'a', 'z', '{', '~', 0x7f, 0x80, 0xae, 0xe1, 0xff}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SampledFrom([]*rapid.Generator[byte]{rapid.SampledFrom(edges), rapid.SampledFrom([]byte("..b-5")), rapid.Byte()}).Draw(t, "some")
		text := rapid.SliceOfN(rapid.OneOf(some, rapid.Just(byte('a'))), 0, 30).Draw(t, "text")
		plain := !slices.ContainsFunc(text, func(c byte) bool { return c == 0 || c >= 0x80 })
		if got := isPlain(text); got != plain {
			t.Errorf("isPlain(%q) = %v", text, got)
		}
		graphic := !slices.ContainsFunc(text, func(c byte) bool { return c <= ' ' || c >= 0x7f })
		if got := isGraphic(text); got != graphic {
			t.Errorf("isGraphic(%q) = %v", text, got)
		}
		if got := isHost(text); got != (isDomain(text) && isASCII(text)) {
			t.Errorf("isHost(%q) = %v", text, got)
		}
	})
}
