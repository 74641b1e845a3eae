package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers says which packages of this module each package may import. A package
// that is not listed fails the test, and so does an import that is not.
var layers = map[string][]string{
	"protocol":                   {"protocol/loop"},
	"protocol/loop":              {},
	"protocol/pgwire":            {"protocol"},
	"protocol/pgwire/pgwiretest": {"protocol", "protocol/pgwire"},
	"protocol/mywire":            {"protocol"},
	"protocol/mywire/mywiretest": {"protocol", "protocol/mywire"},
	"masking":                    {},
	"auditlog":                   {"auditlog/chain", "auditlog/intake", "auditlog/segment"},
	"auditlog/auditlogtest":      {"auditlog", "auditlog/chain", "auditlog/segment"},
	"auditlog/anchor":            {},
	"auditlog/chain":             {},
	"auditlog/intake":            {},
	"auditlog/review":            {"auditlog", "auditlog/chain", "auditlog/segment"},
	"auditlog/segment":           {},
	"auditlog/verify":            {"auditlog", "auditlog/chain", "auditlog/segment"},
	"rewrite":                    {"masking"},
	"rewrite/pgsql":              {"rewrite", "rewrite/pgsql/rawtree", "masking"},
	"rewrite/pgsql/rawtree":      {},
	"rewrite/mysql":              {"rewrite", "masking"},
	"config":                     {"masking", "auditlog/anchor"},
	"proxy/session":              {"rewrite", "masking", "auditlog", "protocol/loop"},
	"proxy/pgrelay":              {"protocol", "protocol/loop", "protocol/pgwire", "proxy/session", "masking"},
	"proxy/myrelay":              {"protocol", "protocol/loop", "protocol/mywire", "proxy/session", "masking"},
	"proxy/proxytest":            {},
	"proxy/sample":               {},
	"proxy":                      {"*"},
	"bench":                      {"*"},
	"bench/load":                 {"*"},
	"bench/canary":               {"*"},
	"bench/mycanary":             {"*"},
	"bench/myregress":            {"*"},
	"bench/myclient":             {"protocol", "protocol/mywire", "proxy/proxytest"},
	"bench/regress":              {"*"},
}

// extraInTests are imports that only the tests of a package may have, besides
// the helper packages, whose names end in "test".
var extraInTests = map[string][]string{
	"auditlog":              {"auditlog/verify"},
	"auditlog/anchor":       {"auditlog", "auditlog/chain", "auditlog/segment", "auditlog/verify"},
	"auditlog/auditlogtest": {"auditlog/verify"},
	"proxy/pgrelay":         {"rewrite", "rewrite/pgsql", "auditlog", "auditlog/chain"},
	"proxy/myrelay":         {"rewrite", "rewrite/mysql", "auditlog", "auditlog/chain"},
	"proxy/session":         {"rewrite/pgsql"},
	"rewrite":               {"rewrite/pgsql", "rewrite/mysql"},
}

const module = "sqlveil/"

func TestLayers(t *testing.T) {
	eachFile(t, func(dir, file string, parsed *ast.File) {
		allowed, ok := layers[dir]
		if !ok {
			t.Errorf("%s: package %s is not in the table of this test", file, dir)
			return
		}
		inTest := strings.HasSuffix(file, "_test.go")
		if inTest {
			allowed = slices.Concat(allowed, extraInTests[dir], []string{dir})
		}
		for _, imported := range imports(t, parsed) {
			ours, ok := strings.CutPrefix(imported, module)
			if ok && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") && !(inTest && strings.HasSuffix(ours, "test")) {
				t.Errorf("%s: package %s may not import %s", file, dir, ours)
			}
		}
	})
}

// confined are imports that only the listed files may have.
var confined = map[string][]string{
	"encoding/binary":                     {"protocol/*.go"},
	"github.com/pganalyze/pg_query_go/v6": {"rewrite/pgsql/*.go", "rewrite/pgsql/rawtree/*.go"},
	"github.com/jackc/pgproto3/v2":        {"protocol/pgwire/*.go"},
	"go.yaml.in/yaml/v4":                  {"config/yaml.go"},
	"github.com/hashicorp/golang-lru/v2":  {"rewrite/*.go", "rewrite/*/*.go"},
}

func TestConfinedImports(t *testing.T) {
	eachFile(t, func(_, file string, parsed *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, imported := range imports(t, parsed) {
			places, ok := confined[imported]
			inPlace := func(pattern string) bool {
				match, err := path.Match(pattern, file)
				return err == nil && match
			}
			if ok && !slices.ContainsFunc(places, inPlace) {
				t.Errorf("%s: %s may be imported by %v only", file, imported, places)
			}
		}
	})
}

// imports lists what a file imports.
func imports(t *testing.T, file *ast.File) []string {
	t.Helper()
	var paths []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, imported)
	}
	return paths
}

// eachFile visits every Go file of the module. It reads them itself: go test
// would not notice a change in what another process has read, and answer from
// its cache.
func eachFile(t *testing.T, visit func(dir, file string, parsed *ast.File)) {
	t.Helper()
	visited := 0
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != ".." && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"bin", "testdata", "node_modules"}, entry.Name())) {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		file, err := filepath.Rel("..", name)
		if err != nil {
			return err
		}
		visited++
		visit(filepath.ToSlash(filepath.Dir(file)), filepath.ToSlash(file), parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if visited < 20 {
		t.Fatalf("only %d files found", visited)
	}
}
