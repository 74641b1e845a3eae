package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad loads any text as sqlveil.yaml and as a policy. Whatever it is, it is
// either loaded or refused with problems that have their place in a file.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "example.yaml", "example-policy.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, text := cutComment(string(data))
		f.Add([]byte(text), strings.Contains(file, "policy"))
	}
	dir := directory(f)
	example, err := os.ReadFile("example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte, policy bool) {
		path := filepath.Join(dir, "fuzz.yaml")
		if policy {
			write(t, filepath.Join(dir, "fuzz-policy.yaml"), text)
			text = bytes.Replace(example, []byte("example-policy"), []byte("fuzz-policy"), 1)
		}
		write(t, path, text)
		c, problems := Load(path)
		if (c == nil) != failed(problems) {
			t.Errorf("a config of %v with the problems %v", c, problems)
		}
		if c != nil && c.Policy == nil {
			t.Error("a config without a policy")
		}
		for _, p := range problems {
			if strings.ContainsAny(p.String(), "\n\r") {
				t.Errorf("a problem of several lines: %q", p.String())
			}
			if p.Line < 0 || p.Column < 0 || p.Line > lines(t, p.File) {
				t.Errorf("a problem outside its file: %s", p)
			}
		}
	})
}

// lines counts the lines of a file as YAML 1.1 does, at the most.
func lines(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 2 // the parser puts what is missing at the end on a line of its own
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		n += bytes.Count(data, []byte(end))
	}
	return n
}
