package mysql

import (
	"strings"
	"unicode/utf8"
)

// tokenKind tells tokens apart as far as statements are recognised by them.
type tokenKind uint8

const (
	tokenEnd      tokenKind = iota
	tokenWord               // an identifier or keyword without quotes
	tokenQuoted             // `identifier`, or "identifier" under ANSI_QUOTES
	tokenString             // 'text', "text"
	tokenNumber             // 1, 1.5, 1e3, 0x41, x'41', b'1'
	tokenParam              // ?
	tokenVariable           // @name, @@name
	tokenOperator           // one character of +, <, =, ...; := is one token
	tokenOpen               // (
	tokenClose              // )
	tokenComma
	tokenDot
	tokenSemicolon
	tokenOdd    // what this server and the parser may read differently
	tokenBroken // an unterminated quote or comment
)

// A token is a slice of the text.
type token struct {
	kind       tokenKind
	start, end int
}

// A span is a part of a text.
type span struct{ start, end int }

// A lexer cuts a text in UTF-8 into tokens as the server does. Comments are
// skipped; those that the server executes are opened.
//
// https://dev.mysql.com/doc/refman/8.4/en/language-structure.html
type lexer struct {
	text    string
	mode    *mode
	at      int
	special bool   // inside of an executable comment
	afterAt int    // where the last token ended
	last    byte   // the last token's only character, 0 when it is longer
	gaps    []span // comments and the marks of executable ones
}

// next returns the next token.
func (l *lexer) next() token {
	if !l.skipBlank() {
		return token{tokenBroken, l.at, len(l.text)}
	}
	start := l.at
	if start >= len(l.text) {
		if l.special { // the server says that this is a syntax error
			return token{tokenBroken, start, start}
		}
		return token{tokenEnd, start, start}
	}
	kind := l.scan()
	l.last = 0
	if l.at-start == 1 {
		l.last = l.text[start]
	}
	l.afterAt = l.at
	return token{kind, start, l.at}
}

// peek is the byte at an offset from here, 0 behind the end.
func (l *lexer) peek(n int) byte {
	if l.at+n >= len(l.text) {
		return 0
	}
	return l.text[l.at+n]
}

func (l *lexer) scan() tokenKind {
	c := l.text[l.at]
	switch {
	case c == '\'':
		return l.quoted('\'', !l.mode.noBackslash, tokenString)
	case c == '"' && l.mode.ansiQuotes:
		return l.quoted('"', false, tokenQuoted)
	case c == '"':
		return l.quoted('"', !l.mode.noBackslash, tokenString)
	case c == '`':
		return l.quoted('`', false, tokenQuoted)
	case c == '@':
		return l.variable()
	case isDigit(c) && l.last == '.' && l.afterAt == l.at:
		return l.word()
	case isDigit(c), c == '.' && isDigit(l.peek(1)) && !l.qualifies():
		return l.number()
	case isWordPart(c):
		return l.wordOrLiteral()
	}
	l.at++
	return l.punctuation(c)
}

// qualifies says whether a dot here follows a name directly: what follows it is
// a name, even if it starts with a digit.
func (l *lexer) qualifies() bool {
	return l.afterAt == l.at && l.at > 0 && (isWordPart(l.text[l.at-1]) || l.text[l.at-1] == '`' || l.text[l.at-1] == '"')
}

func (l *lexer) punctuation(c byte) tokenKind {
	switch c {
	case '?':
		return tokenParam
	case '(':
		return tokenOpen
	case ')':
		return tokenClose
	case ',':
		return tokenComma
	case '.':
		return tokenDot
	case ';':
		return tokenSemicolon
	case ':':
		if l.peek(0) == '=' {
			l.at++
		}
		return tokenOperator
	}
	if c < ' ' || c == 0x7f || c == '\\' {
		return tokenOdd
	}
	return tokenOperator
}

func (l *lexer) word() tokenKind {
	for l.at < len(l.text) && isWordPart(l.text[l.at]) {
		l.at++
	}
	return tokenWord
}

// wordOrLiteral scans a word, or x'41', b'1', n'text'.
func (l *lexer) wordOrLiteral() tokenKind {
	if l.peek(1) == '\'' {
		switch l.text[l.at] {
		case 'x', 'X', 'b', 'B':
			l.at++
			if l.quoted('\'', false, tokenNumber) == tokenBroken {
				return tokenBroken
			}
			return tokenNumber
		case 'n', 'N':
			l.at++
			return l.quoted('\'', !l.mode.noBackslash, tokenString)
		}
	}
	return l.word()
}

// quoted scans to the closing quote; a doubled quote is part of the token, and
// so is what follows a backslash where those escape.
func (l *lexer) quoted(quote byte, backslash bool, kind tokenKind) tokenKind {
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case backslash && c == '\\':
			l.at++
		case c == quote:
			if l.peek(1) == quote {
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

// variable scans @name, @'name', @@name, @@scope.name.
func (l *lexer) variable() tokenKind {
	l.at++
	if l.peek(0) == '@' {
		l.at++
		for {
			if l.peek(0) == '`' {
				if l.quoted('`', false, tokenVariable) == tokenBroken {
					return tokenBroken
				}
			} else if l.word(); l.text[l.at-1] == '@' || l.text[l.at-1] == '.' {
				return tokenOdd
			}
			if l.peek(0) != '.' {
				return tokenVariable
			}
			l.at++
		}
	}
	switch c := l.peek(0); {
	case c == '\'' || c == '"':
		return l.quoted(c, !l.mode.noBackslash && (c == '\'' || !l.mode.ansiQuotes), tokenVariable)
	case c == '`':
		return l.quoted('`', false, tokenVariable)
	case !isWordPart(c) && c != '.':
		return tokenOdd
	}
	for isWordPart(l.peek(0)) || l.peek(0) == '.' {
		l.at++
	}
	return tokenVariable
}

// number scans a number. A name may start with a digit, too, and the rules by
// which servers and parsers tell the two apart differ.
func (l *lexer) number() tokenKind {
	start := l.at
	rest := l.text[start:]
	switch {
	case strings.HasPrefix(rest, "0x"):
		l.at += 2 + run(rest[2:], isHex)
	case strings.HasPrefix(rest, "0b"):
		l.at += 2 + run(rest[2:], func(c byte) bool { return c == '0' || c == '1' })
	default:
		l.at += run(rest, isDigit)
		if l.peek(0) == '.' {
			l.at++
			l.at += run(l.text[l.at:], isDigit)
		}
		l.exponent()
	}
	if isWordPart(l.peek(0)) || l.at == start+2 && (rest[1] == 'x' || rest[1] == 'b') {
		l.word()
		return tokenOdd
	}
	return tokenNumber
}

func (l *lexer) exponent() {
	if c := l.peek(0); c != 'e' && c != 'E' {
		return
	}
	sign := 1
	if c := l.peek(1); c == '+' || c == '-' {
		sign = 2
	}
	if isDigit(l.peek(sign)) {
		l.at += sign
		l.at += run(l.text[l.at:], isDigit)
	}
}

// run is how many bytes at the beginning of a text belong to a class.
func run(text string, class func(byte) bool) int {
	n := 0
	for n < len(text) && class(text[n]) {
		n++
	}
	return n
}

// skipBlank skips white space and comments; false means an unterminated comment.
func (l *lexer) skipBlank() bool {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		start := l.at
		switch {
		case isSpace(rest[0]):
			l.at++
			continue
		case rest[0] == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || isSpace(rest[2]) || rest[2] < ' ' || rest[2] == 0x7f):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			l.at += end
		case l.special && strings.HasPrefix(rest, "*/"):
			l.at += 2
			l.special = false
		case strings.HasPrefix(rest, "/*"):
			if !l.comment() {
				return false
			}
		default:
			return true
		}
		l.gaps = append(l.gaps, span{start, l.at})
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isWordPart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$' || isDigit(c) || c >= utf8.RuneSelf
}
