package pgsql

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"

	"sqlveil/rewrite/pgsql/rawtree"
)

// The parser is PostgreSQL's own, in C, and a deeply nested tree exhausts its
// stack, which kills the process. These bounds keep every text far from that
// point; what is beyond them is not parsed.
const (
	maxText         = 16 << 20  // bytes
	maxTextLessLits = 256 << 10 // bytes without literals
	maxTokens       = 60_000
	maxOperators    = 2_000 // operators, joins, set operations: each may be a level of the tree
	maxNesting      = 400   // parentheses
	maxComments     = 32    // nested comments cost quadratic time
)

// A tooComplexError says which bound a text breaks.
type tooComplexError struct{ what string }

func (e *tooComplexError) Error() string { return "the statement has too many " + e.what }

// guard checks a text against the bounds above before it goes to the parser.
func guard(text string) error {
	if len(text) > maxText {
		return &tooComplexError{"bytes"}
	}
	l := lexer{text: text}
	tokens, operators, depth, literals := 0, 0, 0, 0
	for {
		t := l.next()
		if l.commentDepth > maxComments {
			return &tooComplexError{"nested comments"}
		}
		switch t.kind {
		case tokenEnd, tokenBroken: // the parser says what is wrong with a broken one
			if len(text)-literals > maxTextLessLits {
				return &tooComplexError{"bytes"}
			}
			return nil
		case tokenLiteral:
			literals += t.end - t.start
		case tokenOperator:
			operators++
		case tokenWord:
			operators += wordNests(text[t.start:t.end])
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
		case tokenOther:
			if text[t.start] == ';' {
				operators = 0
			}
		}
		tokens++
		switch {
		case tokens > maxTokens:
			return &tooComplexError{"words"}
		case operators > maxOperators:
			return &tooComplexError{"operators"}
		case depth > maxNesting:
			return &tooComplexError{"nested parentheses"}
		}
	}
}

// wordNests is 1 for a keyword that adds a level to the tree.
func wordNests(word string) int {
	switch strings.ToUpper(word) {
	case "JOIN", "UNION", "EXCEPT", "INTERSECT", "AND", "OR", "NOT", "IS", "COLLATE", "LIKE", "ILIKE",
		"SIMILAR", "BETWEEN", "IN", "CASE", "AT", "ISNULL", "NOTNULL", "OVERLAPS", "OPERATOR":
		return 1
	}
	return 0
}

var (
	errNUL  = errors.New("the statement holds a NUL byte")
	errUTF8 = errors.New("the statement is not valid UTF-8")
)

// A syntaxError is the parser's complaint, in PostgreSQL's words.
type syntaxError struct {
	message  string
	position int // in characters from 1
}

func (e *syntaxError) Error() string { return e.message }

// parse cuts a text into raw statements.
func parse(text string) ([]*pg.RawStmt, error) {
	switch {
	case strings.IndexByte(text, 0) >= 0:
		return nil, errNUL // the parser would stop there, the server might not
	case !utf8.ValidString(text):
		return nil, errUTF8
	}
	if err := guard(text); err != nil {
		return nil, err
	}
	tree, err := rawtree.Parse(text)
	if err != nil {
		var fault *parser.Error
		if errors.As(err, &fault) {
			return nil, &syntaxError{fault.Message, fault.Cursorpos}
		}
		return nil, fmt.Errorf("parse: %w", err)
	}
	return tree.Stmts, nil
}

// treeVersion is what the parser calls the form of its trees.
var treeVersion = sync.OnceValues(func() (int32, error) {
	tree, err := rawtree.Parse("")
	return tree.GetVersion(), err
})

// write is the text of a statement. Comments and layout are gone.
func write(n *pg.Node) (string, error) {
	version, err := treeVersion()
	if err != nil {
		return "", fmt.Errorf("parse: %w", err)
	}
	text, err := pg.Deparse(&pg.ParseResult{Version: version, Stmts: []*pg.RawStmt{{Stmt: n}}})
	if err != nil {
		return "", fmt.Errorf("write a statement: %w", err)
	}
	return text, nil
}
