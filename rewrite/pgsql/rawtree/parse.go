package rawtree

import (
	"errors"
	"reflect"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
)

// errUTF8 says that an escape in the text makes bytes that are no characters.
var errUTF8 = errors.New("a literal of the statement is not valid UTF-8")

// Parse returns the tree of a text of valid UTF-8 without NUL. The tree aliases
// nothing. What the parser complains about is a [*parser.Error]. A text that nests
// too deep ends the process, as with pg_query's. It is safe for concurrent use.
func Parse(text string) (*pg.ParseResult, error) {
	written, err := parser.ParseToJSON(text)
	if err != nil {
		return nil, err
	}
	return read(written)
}

// read reads a tree as the parser writes it.
func read(written string) (*pg.ParseResult, error) {
	if !utf8.ValidString(written) {
		return nil, errUTF8
	}
	form, node := known()
	tree := new(pg.ParseResult)
	d := decoder{text: written, kinds: node}
	d.object(reflect.ValueOf(tree).Elem(), form)
	if d.at != len(written) {
		d.fail("the end")
	}
	if d.err != nil {
		return nil, d.err
	}
	return tree, nil
}
