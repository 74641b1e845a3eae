package main

import (
	"go/ast"
	"go/doc"
	"path"
	"strings"
	"testing"
)

// Every package opens with a sentence that says what it is for, in doc.go when
// it has more than two files, in main.go when it is a program.
func TestPackagesAreDocumented(t *testing.T) {
	sources := make(map[string]int)
	comments := make(map[string]map[string]string) // package to file to comment
	programs := make(map[string]bool)
	eachFile(t, func(dir, file string, parsed *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		sources[dir]++
		programs[dir] = parsed.Name.Name == "main"
		if parsed.Doc == nil {
			return
		}
		if comments[dir] == nil {
			comments[dir] = make(map[string]string)
		}
		comments[dir][path.Base(file)] = parsed.Doc.Text()
	})
	for dir, files := range sources {
		if len(comments[dir]) != 1 {
			t.Errorf("%s: %d files have a package comment, want one", dir, len(comments[dir]))
			continue
		}
		for file, text := range comments[dir] {
			place, begin := "doc.go", "Package "+path.Base(dir)+" "
			if programs[dir] {
				place, begin = "main.go", ""
			}
			if files > 2 && file != place {
				t.Errorf("%s: the package comment stands in %s, want it in %s", dir, file, place)
			}
			if synopsis := new(doc.Package).Synopsis(text); !strings.HasPrefix(synopsis, begin) {
				t.Errorf("%s: the package comment begins %q, want %q", dir, synopsis, begin)
			}
		}
	}
}
