package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what Load says into the comments of testdata/bad")

// TestBad loads each file of testdata/bad. The comment that it begins with is
// what must be said of it: line, column, message.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) { testBad(t, file) })
	}
}

func testBad(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, text := cutComment(string(data))
	dir := directory(t)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "example.yaml")
	if strings.HasPrefix(filepath.Base(file), "policy-") {
		write(t, filepath.Join(dir, "example-policy.yaml"), []byte(text))
	} else {
		write(t, path, []byte(text))
	}
	c, problems := Load(path)
	if c != nil {
		t.Error("it was loaded")
	}
	var got strings.Builder
	for _, p := range problems {
		line := strings.ReplaceAll(strings.ReplaceAll(p.String(), dir+"/", ""), dir, ".")
		if strings.Contains(line, "\n") {
			t.Errorf("a problem of several lines: %s", line)
		}
		got.WriteString("# " + line + "\n")
	}
	if *update {
		write(t, file, []byte(got.String()+text))
		return
	}
	if got.String() != want {
		t.Errorf("got:\n%swant:\n%s", &got, want)
	}
}

// cutComment splits off the comment that a file begins with.
func cutComment(text string) (comment, rest string) {
	rest = text
	for strings.HasPrefix(rest, "#") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	return text[:len(text)-len(rest)], rest
}
