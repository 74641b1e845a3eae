package chain

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

func testLine(seq int, kind string) string {
	return fmt.Sprintf(`{"v":1,"seq":%d,"ts":"2026-11-23T08:15:02.113482Z","node":"px \"1\"","boot":"B","kind":%q,"x":"\",\"seq\":9"`, seq, kind)
}

func TestLinkAuthenticatesWithHMAC(t *testing.T) {
	link := Link{Seq: 1, Key: Key{1, 2, 3}}
	first := link
	h := NewHasher()
	line := link.Close(h, []byte(testLine(1, "alert")), 0)

	cut := len(line) - macLength
	covered := sha256.Sum256(line[:cut])
	ref := hmac.New(sha256.New, first.Key[:])
	ref.Write(covered[:])
	want := fmt.Sprintf(`,"mac":"%x"}`, ref.Sum(nil)[:16])
	if got := string(line[cut:]); got != want {
		t.Errorf("line ends in %s, want %s", got, want)
	}
	if link.Digest != sha256.Sum256(line) {
		t.Error("the digest is not SHA-256 of the line")
	}
	if link.Key != sha256.Sum256(first.Key[:]) || link.Seq != 2 {
		t.Errorf("link moved to %d with key %x", link.Seq, link.Key)
	}
}

func TestParseReadsWhatCloseWrites(t *testing.T) {
	h := NewHasher()
	link := Link{Seq: 41, Key: Key{7}, Digest: Digest{1}}
	key := link.Key
	line := link.Close(h, []byte(testLine(41, "query.begin")), 0)
	got, err := Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if got.Seq != 41 || string(got.Kind) != "query.begin" || got.Prev != (Digest{1}) {
		t.Errorf("Parse(%s) = %+v", line, got)
	}
	if at, err := got.When(); err != nil || at.Year() != 2026 {
		t.Errorf("time %v, %v", at, err)
	}
	whole, covered := h.Hash(line)
	if whole != link.Digest || !Authentic(key, covered, got.MAC) || Authentic(key.Next(), covered, got.MAC) {
		t.Error("the hashes of the parsed line do not fit the link")
	}
}

func TestParseRefuses(t *testing.T) {
	h := NewHasher()
	link := Link{Seq: 1}
	good := string(link.Close(h, []byte(testLine(1, "alert")), 0))
	for name, line := range map[string]string{
		"empty":         "",
		"short":         `{"v":1,"seq":1}`,
		"leading zero":  strings.Replace(good, `"seq":1`, `"seq":01`, 1),
		"no time":       strings.Replace(good, `"ts"`, `"tz"`, 1),
		"space":         strings.Replace(good, `,"node"`, `, "node"`, 1),
		"upper hex":     good[:len(good)-3] + `A"}`,
		"trailing":      good + " ",
		"open string":   `{"v":1,"seq":1,"ts":"` + strings.Repeat("x", 200),
		"no prev":       strings.Replace(good, `"prev"`, `"perv"`, 1),
		"not hex":       good[:len(good)-3] + `g"}`,
		"version":       strings.Replace(good, `"v":1`, `"v":2`, 1),
		"huge number":   strings.Replace(good, `"seq":1`, `"seq":99999999999999999999`, 1),
		"escaped quote": strings.Replace(good, `"kind":"alert"`, `"kind":"alert\"`, 1)[:60],
	} {
		if _, err := Parse([]byte(line)); !errors.Is(err, ErrNotRecord) {
			t.Errorf("%s: Parse(%q) = %v, want ErrNotRecord", name, line, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	h := NewHasher()
	link := Link{Seq: 3}
	f.Add(link.Close(h, []byte(testLine(3, "alert")), 0))
	f.Add([]byte(`{"v":1,"seq":1,"ts":"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := Parse(line)
		if err != nil {
			return
		}
		if want := fmt.Appendf(nil, `{"v":1,"seq":%d,"ts":"%s",`, l.Seq, l.Time); !bytes.HasPrefix(line, want) {
			t.Errorf("%q does not begin with %q", line, want)
		}
		if want := fmt.Sprintf(`,"prev":"%x","mac":"%x"}`, l.Prev[:], l.MAC[:]); !bytes.HasSuffix(line, []byte(want)) {
			t.Errorf("%q does not end in %q", line, want)
		}
	})
}

func TestLinkSkipsAsFarAsItSays(t *testing.T) {
	link := Link{Seq: 5, Key: Key{9}}
	want := link.Key.Next().Next().Next()
	if link.Skip(8); link.Key != want || link.Seq != 8 {
		t.Errorf("Skip(8) went to %d", link.Seq)
	}
	if link.Skip(3); link.Seq != 8 {
		t.Error("a link went back")
	}
}

func TestCloseAllocatesNothing(t *testing.T) {
	h, link, buf := NewHasher(), Link{Seq: 1}, make([]byte, 0, 1024)
	head := testLine(1, "alert")
	if n := testing.AllocsPerRun(1000, func() { buf = link.Close(h, append(buf[:0], head...), 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// storedTree keeps all the hashes that x/mod wants for a tree.
type storedTree []tlog.Hash

func (s storedTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = s[index]
	}
	return out, nil
}

func TestTreeIsRFC6962(t *testing.T) {
	var tree Tree
	var stored storedTree
	if tree.Root() != tlog.Hash(sha256.Sum256(nil)) {
		t.Error("the empty tree has another root")
	}
	for n := range int64(300) {
		line := Digest(sha256.Sum256(fmt.Append(nil, n)))
		hashes, err := tlog.StoredHashes(n, line[:], stored)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		tree.Add(line)
		want, err := tlog.TreeHash(n+1, stored)
		if err != nil {
			t.Fatal(err)
		}
		if tree.Root() != want {
			t.Fatalf("root at size %d differs from tlog's", n+1)
		}
		again, err := RestoreTree(tree.Size(), tree.AppendPeaks(nil))
		if err != nil || again.Root() != want {
			t.Fatalf("restored tree of size %d: %v", n+1, err)
		}
	}
	if _, err := RestoreTree(3, make([]byte, 32)); err == nil {
		t.Error("a tree was restored from too few peaks")
	}
}

func TestKeysAndCheckpoint(t *testing.T) {
	dir := t.TempDir()
	auditor := filepath.Join(t.TempDir(), "auditor.key")
	if has, err := HasKeys(dir); has || err != nil {
		t.Fatalf("HasKeys = %v, %v", has, err)
	}
	if err := GenerateKeys(dir, auditor); err != nil {
		t.Fatal(err)
	}
	if err := GenerateKeys(dir, auditor); !errors.Is(err, os.ErrExist) {
		t.Errorf("keys were replaced: %v", err)
	}
	keys, err := LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}

	sealed, err := keys.Seal([]byte("fresh"))
	if err != nil {
		t.Fatal(err)
	}
	identities, err := LoadIdentities(auditor)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := Unseal(sealed, identities); err != nil || string(plain) != "fresh" {
		t.Errorf("Unseal = %q, %v", plain, err)
	}

	c := &Checkpoint{
		Log: "ab", Segment: "0001", Size: 3, Seq: 12, Line: Digest{5}, Root: tlog.Hash{6},
		Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
	}
	signed, err := c.Sign(keys.Signer)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := LoadVerifier(filepath.Join(dir, VerifyFile))
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenCheckpoint(signed, verifier)
	if err != nil || *got != *c {
		t.Errorf("OpenCheckpoint = %+v, %v, want %+v", got, err, c)
	}
	for i := range signed {
		bad := bytes.Clone(signed)
		bad[i] ^= 1
		if _, err := OpenCheckpoint(bad, verifier); err == nil {
			t.Errorf("a note with byte %d flipped is accepted: %q", i, bad)
		}
	}
}
