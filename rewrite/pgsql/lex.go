package pgsql

import (
	"strings"
	"unicode/utf8"
)

// tokenKind tells apart what the audit text and the complexity guard need.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted   // "identifier"
	tokenLiteral  // string, number, bit string, dollar-quoted string
	tokenParam    // $1
	tokenOperator // +, ::, ||, ...
	tokenOpen     // ( [
	tokenClose    // ) ]
	tokenOther    // , ; . and whatever is left
	tokenBroken   // an unterminated quote or comment
)

// A token is a slice of the text.
type token struct {
	kind       tokenKind
	start, end int
}

// A lexer cuts SQL into tokens as PostgreSQL's own scanner does, with
// standard_conforming_strings on.
//
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html
type lexer struct {
	text         string
	at           int
	commentDepth int // the deepest nesting seen so far
}

// next returns the next token, comments and white space skipped.
func (l *lexer) next() token {
	if !l.skipBlank() {
		return token{tokenBroken, l.at, len(l.text)}
	}
	if l.at >= len(l.text) {
		return token{tokenEnd, l.at, l.at}
	}
	start := l.at
	kind := l.scan()
	return token{kind, start, l.at}
}

func (l *lexer) scan() tokenKind {
	c := l.text[l.at]
	switch {
	case c == '\'':
		return l.quoted('\'', false, tokenLiteral)
	case c == '"':
		return l.quoted('"', false, tokenQuoted)
	case c == '$':
		return l.dollar()
	case isDigit(c), c == '.' && l.at+1 < len(l.text) && isDigit(l.text[l.at+1]):
		return l.number()
	case isWordStart(c):
		return l.word()
	case c == '(' || c == '[':
		l.at++
		return tokenOpen
	case c == ')' || c == ']':
		l.at++
		return tokenClose
	case isOperator(c) || c == ':':
		return l.operator()
	}
	l.at++
	return tokenOther
}

// word scans an identifier or keyword, or the prefix of a literal: E”, B”,
// X”, N”, U&” and U&"".
func (l *lexer) word() tokenKind {
	rest := l.text[l.at:]
	if len(rest) > 1 && rest[1] == '\'' {
		switch rest[0] {
		case 'e', 'E':
			l.at++
			return l.quoted('\'', true, tokenLiteral)
		case 'b', 'B', 'x', 'X', 'n', 'N':
			l.at++
			return l.quoted('\'', false, tokenLiteral)
		}
	}
	if len(rest) > 2 && (rest[0] == 'u' || rest[0] == 'U') && rest[1] == '&' {
		switch rest[2] {
		case '\'':
			l.at += 2
			return l.quoted('\'', false, tokenLiteral)
		case '"':
			l.at += 2
			return l.quoted('"', false, tokenQuoted)
		}
	}
	for l.at < len(l.text) && isWordPart(l.text[l.at]) {
		l.at++
	}
	return tokenWord
}

// quoted scans to the closing quote; a doubled quote is part of the token, and
// so is what follows a backslash where those escape.
func (l *lexer) quoted(quote byte, backslash bool, kind tokenKind) tokenKind {
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case backslash && c == '\\':
			l.at++
		case c == quote:
			if l.at+1 < len(l.text) && l.text[l.at+1] == quote {
				l.at++
				continue
			}
			l.at++
			return kind
		}
	}
	l.at = len(l.text)
	return tokenBroken
}

// dollar scans $1, $$...$$ or $tag$...$tag$.
func (l *lexer) dollar() tokenKind {
	end := l.at + 1
	if end < len(l.text) && isDigit(l.text[end]) {
		for end < len(l.text) && isDigit(l.text[end]) {
			end++
		}
		l.at = end
		return tokenParam
	}
	for end < len(l.text) && isWordPart(l.text[end]) && l.text[end] != '$' {
		end++
	}
	if end >= len(l.text) || l.text[end] != '$' {
		l.at++
		return tokenOther
	}
	tag := l.text[l.at : end+1]
	closing := strings.Index(l.text[end+1:], tag)
	if closing < 0 {
		l.at = len(l.text)
		return tokenBroken
	}
	l.at = end + 1 + closing + len(tag)
	return tokenLiteral
}

func (l *lexer) number() tokenKind {
	for l.at < len(l.text) && isDigit(l.text[l.at]) { // most are nothing else
		l.at++
	}
	for l.at < len(l.text) {
		c := l.text[l.at]
		exponent := (c == '+' || c == '-') && (l.text[l.at-1] == 'e' || l.text[l.at-1] == 'E')
		if !isWordPart(c) && c != '.' && !exponent {
			break
		}
		if c == '.' && strings.HasPrefix(l.text[l.at:], "..") {
			break
		}
		l.at++
	}
	return tokenLiteral
}

// operator scans a run of operator characters, which ends where a comment starts.
func (l *lexer) operator() tokenKind {
	if l.text[l.at] == ':' {
		l.at++
		if l.at < len(l.text) && (l.text[l.at] == ':' || l.text[l.at] == '=') {
			l.at++
		}
		return tokenOperator
	}
	for l.at < len(l.text) && isOperator(l.text[l.at]) {
		if rest := l.text[l.at:]; strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*") {
			break
		}
		l.at++
	}
	return tokenOperator
}

// skipBlank skips white space and comments; false means an unterminated comment.
func (l *lexer) skipBlank() bool {
	for l.at < len(l.text) {
		c := l.text[l.at]
		if isBlank(c) {
			l.at++
			continue
		}
		if c != '-' && c != '/' {
			return true
		}
		switch rest := l.text[l.at:]; {
		case strings.HasPrefix(rest, "--"):
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			l.at += end
		case strings.HasPrefix(rest, "/*"):
			if !l.skipComment() {
				return false
			}
		default:
			return true
		}
	}
	return true
}

// skipComment skips one /* comment */, which nests.
func (l *lexer) skipComment() bool {
	depth := 0
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.commentDepth = max(l.commentDepth, depth)
			l.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.at += 2
			if depth == 0 {
				return true
			}
		default:
			l.at++
		}
	}
	return false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isWordStart(c byte) bool { return classes[c]&wordStart != 0 }

func isWordPart(c byte) bool { return classes[c]&wordPart != 0 }

func isOperator(c byte) bool { return classes[c]&operator != 0 }

// Classes of bytes.
const (
	wordStart = 1 << iota
	wordPart
	operator
)

// classes are those of each byte.
var classes = func() (of [256]uint8) {
	for i := range of {
		c := byte(i)
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf {
			of[c] = wordStart | wordPart
		}
		if isDigit(c) || c == '$' {
			of[c] = wordPart
		}
	}
	for _, c := range []byte("+-*/<>=~!@#%^&|`?") {
		of[c] = operator
	}
	return of
}()
