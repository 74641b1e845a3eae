package protocol

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestNobodyReadsIntegersAroundCursor keeps lengths and counts that came off a
// wire behind the checks of Cursor: nothing else in the repository may import
// encoding/binary.
func TestNobodyReadsIntegersAroundCursor(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Dir(path) == filepath.Join("..", "protocol") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			if i.Path.Value == `"encoding/binary"` {
				t.Errorf("%s imports encoding/binary", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
