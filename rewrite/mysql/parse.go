package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	sqlmode "github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // what the parser makes literals of
)

// Bounds that keep every text far from what costs the parser seconds or the
// process its stack; what is beyond them is not parsed.
const (
	maxText         = 16 << 20  // bytes
	maxTextLessLits = 256 << 10 // bytes without literals
	maxTokens       = 60_000
	maxOperators    = 20_000
	maxJoins        = 500 // chains of them cost superlinear time
	maxNesting      = 400
)

var (
	errNUL    = errors.New("it holds a NUL byte")
	errBroken = errors.New("a quote or comment does not end")
	errForm   = errors.New("it is of a form that is not known")
	errOdd    = errors.New("it holds a name or number that servers read differently; write names in backquotes and without special letters")
)

// A tooComplexError says which bound a text breaks.
type tooComplexError struct{ what string }

func (e *tooComplexError) Error() string { return "it has too many " + e.what }

// guard checks the tokens of a statement against the bounds above.
func guard(text string, tokens []token) error {
	if len(tokens) > maxTokens {
		return &tooComplexError{"words"}
	}
	operators, joins, depth, literals := 0, 0, 0, 0
	for _, t := range tokens {
		switch t.kind {
		case tokenString, tokenNumber:
			literals += t.end - t.start
		case tokenOperator:
			operators++
		case tokenWord:
			switch strings.ToUpper(text[t.start:t.end]) {
			case "JOIN", "STRAIGHT_JOIN":
				joins++
			case "UNION", "EXCEPT", "INTERSECT", "AND", "OR", "XOR", "NOT", "COLLATE", "LIKE", "REGEXP", "RLIKE", "BETWEEN", "IN",
				"CASE", "IS", "BINARY", "DIV", "MOD", "SOUNDS", "MEMBER":
				operators++
			}
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
		}
		switch {
		case operators > maxOperators:
			return &tooComplexError{"operators"}
		case joins > maxJoins:
			return &tooComplexError{"joins"}
		case depth > maxNesting:
			return &tooComplexError{"nested parentheses"}
		}
	}
	if n := len(tokens); n > 0 && tokens[n-1].end-tokens[0].start-literals > maxTextLessLits {
		return &tooComplexError{"bytes"}
	}
	return nil
}

var parsers = sync.Pool{New: func() any { return parser.New() }}

// A syntaxError is the parser's complaint.
type syntaxError struct{ cause error }

func (e *syntaxError) Error() string {
	text := e.cause.Error()
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return "near " + strings.TrimSpace(text)
}

func (e *syntaxError) Unwrap() error { return e.cause }

// errStumbled says that the parser panicked, as it does about numbers of more
// than 81 digits. Views and columns are parsed as well, where nobody contains that.
var errStumbled = errors.New("the parser stumbles over it")

// parse parses one statement in UTF-8, without comments.
func parse(text string, m *mode) (node ast.StmtNode, err error) {
	p := parsers.Get().(*parser.Parser)
	defer func() {
		if recover() != nil { // and is not used again
			node, err = nil, errStumbled
			return
		}
		parsers.Put(p)
	}()
	p.Reset()
	p.SetSQLMode(m.parserMode())
	p.SetMariaDB(m.flavour == flavourMariaDB)
	p.EnableWindowFunc(m.flavour == flavourMariaDB || m.version >= 80000 || m.flavour == flavourTiDB)
	p.SetStrictDoubleTypeCheck(false)
	statements, _, err := p.ParseSQL(text)
	if err != nil {
		return nil, &syntaxError{err}
	}
	if len(statements) != 1 {
		return nil, &syntaxError{fmt.Errorf("%d statements instead of one", len(statements))}
	}
	return slices.Clone(statements)[0], nil
}

func (m *mode) parserMode() sqlmode.SQLMode {
	var mode sqlmode.SQLMode
	if m.noBackslash {
		mode |= sqlmode.ModeNoBackslashEscapes
	}
	if m.pipesConcat {
		mode |= sqlmode.ModePipesAsConcat
	}
	if m.ignoreSpace {
		mode |= sqlmode.ModeIgnoreSpace
	}
	if m.highNot {
		mode |= sqlmode.ModeHighNotPrecedence
	}
	return mode
}
