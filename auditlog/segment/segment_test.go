package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestListFindsSegmentsInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		Name(9) + Plain, Name(10) + Compressed, Name(1) + Compressed, Name(1) + Plain,
		"5.jsonl", "manifest.jsonl", "00000000000000x1.jsonl", Name(3) + ".tmp", "head",
	} {
		write(t, filepath.Join(dir, name), "")
	}
	files, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, filepath.Base(f.Path))
	}
	want := []string{Name(1) + Plain, Name(9) + Plain, Name(10) + Compressed}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("List = %v, want %v", got, want)
	}
	if _, err := List(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("List of a missing directory: %v", err)
	}
}

func TestOpenReadsBothForms(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("a line\n", 1000)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, Name(1)+Plain), text)
	write(t, filepath.Join(dir, Name(2)+Compressed), string(encoder.EncodeAll([]byte(text), nil)))
	files, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		r, err := Open(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != text {
			t.Errorf("%s: %d bytes, %v", f.Path, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 700<<10)
	for name, c := range map[string]struct {
		text  string
		lines int
		fails error
	}{
		"nothing":  {"", 0, nil},
		"two":      {"a\nb\n", 2, nil},
		"empty":    {"\n\n", 2, nil},
		"torn":     {"a\nb", 1, ErrTorn},
		"long":     {"a\n" + long + "\nb\n", 3, nil},
		"longtorn": {"a\n" + long, 1, ErrTorn},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			n := 0
			err := Lines(iotest.HalfReader(strings.NewReader(c.text)), func(number int, line []byte) error {
				n++
				if number != n {
					t.Errorf("line %d has number %d", n, number)
				}
				got.Write(append(bytes.Clone(line), '\n'))
				return nil
			})
			if !errors.Is(err, c.fails) || n != c.lines || !strings.HasPrefix(c.text, got.String()) {
				t.Errorf("%d lines, %v, want %d, %v", n, err, c.lines, c.fails)
			}
		})
	}
	endless := io.MultiReader(strings.NewReader("a\n"), zeros{})
	if err := Lines(endless, func(int, []byte) error { return nil }); err == nil || errors.Is(err, ErrTorn) {
		t.Errorf("an endless line: %v", err)
	}
	stop := errors.New("stop")
	if err := Lines(strings.NewReader("a\nb\n"), func(int, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error became %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p) // buffers are used again
	return len(p), nil
}

func TestManifest(t *testing.T) {
	dir := t.TempDir()
	if m, err := ReadManifest(dir); m != nil || err != nil {
		t.Errorf("ReadManifest of nothing = %v, %v", m, err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	closed := Entry{Segment: Name(1), First: 1, Last: 9, Lines: 9, Bytes: 100, Since: at, Until: at, Note: "a\nb\n"}
	var text []byte
	for _, e := range []Entry{closed, {Deleted: Name(1), At: at}} {
		var err error
		if text, err = e.Append(text); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, ManifestFile)
	write(t, path, string(text)+`{"segment":"torn`)
	m, err := ReadManifest(dir)
	if err != nil || len(m) != 2 {
		t.Fatalf("ReadManifest = %v, %v", m, err)
	}
	if e, ok := m.Find(Name(1)); !ok || e != closed {
		t.Errorf("Find = %+v, %v", e, ok)
	}
	if _, ok := m.Find(Name(2)); ok || !m.Deleted(Name(1)) || m.Deleted(Name(2)) {
		t.Error("the manifest knows segments it does not list")
	}
	write(t, path, "{\n")
	if _, err := ReadManifest(dir); err == nil || !strings.Contains(err.Error(), ":1:") {
		t.Errorf("a broken line: %v", err)
	}
}
