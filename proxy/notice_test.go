package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

// TestNoticeNamesEveryLibrary: each module that go.mod requires directly has a line
// with its licence in NOTICE.
func TestNoticeNamesEveryLibrary(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	modules, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile("../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	licences := make(map[string]string)
	for line := range strings.Lines(string(notice)) {
		if name, licence, found := strings.Cut(strings.TrimSpace(line), " "); found {
			licences[name] = strings.TrimSpace(licence)
		}
	}
	for _, require := range modules.Require {
		if require.Indirect {
			continue
		}
		path := require.Mod.Path
		if prefix, _, ok := modpath.SplitPathVersion(path); ok {
			path = prefix
		}
		if licences[path] == "" {
			t.Errorf("NOTICE has no line for %s", path)
		}
	}
}
