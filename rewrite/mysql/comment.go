package mysql

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// comment skips a /* comment */, or only its mark when the server executes what
// is in it; false when it does not end, or when it cannot be said what the
// server does with it.
//
// https://dev.mysql.com/doc/refman/8.4/en/comments.html
// https://mariadb.com/kb/en/comment-syntax/
func (l *lexer) comment() bool {
	body := l.text[l.at+2:]
	switch {
	case strings.HasPrefix(body, "!"):
		return l.versioned(3, false)
	case strings.HasPrefix(body, "M!") && l.mode.flavour == flavourMariaDB:
		return l.versioned(4, true)
	case strings.HasPrefix(body, "T!") && l.mode.flavour == flavourTiDB:
		return l.feature()
	case strings.HasPrefix(body, "+"):
		return l.hint()
	}
	return l.skipComment(0)
}

// open skips the mark of an executable comment.
func (l *lexer) open(mark int) bool {
	l.at += mark
	l.special = true
	return true
}

// versioned decides about /*!50110 ... */ and /*M!100100 ... */; mark is the
// length of what comes before the number.
func (l *lexer) versioned(mark int, mariaSyntax bool) bool {
	digits := run(l.text[l.at+mark:], isDigit)
	if l.mode.flavour == flavourTiDB { // any number of five digits is skipped
		if digits >= 5 {
			mark += 5
		}
		return l.open(mark)
	}
	if digits < 5 {
		return l.open(mark)
	}
	if l.mode.flavour == flavourMySQL {
		return l.versionedMySQL(mark, digits)
	}
	length := min(digits, 6)
	version, err := strconv.Atoi(l.text[l.at+mark : l.at+mark+length])
	if err != nil {
		return false
	}
	// MariaDB leaves out what is marked for MySQL 5.7 and later.
	if version <= l.mode.version && (mariaSyntax || version < 50700 || version > 99999) {
		return l.open(mark + length)
	}
	return l.skipComment(1)
}

// versionedMySQL: how many digits belong to the version, five or six, differs
// between releases.
func (l *lexer) versionedMySQL(mark, digits int) bool {
	text := l.text[l.at+mark:]
	short, err := strconv.Atoi(text[:5])
	if err != nil {
		return false
	}
	if digits == 5 {
		if short <= l.mode.version {
			return l.open(mark + 5)
		}
		return l.skipComment(1)
	}
	long, err := strconv.Atoi(text[:6])
	if err != nil || short <= l.mode.version || long <= l.mode.version {
		return false
	}
	return l.skipComment(1)
}

// hint skips an optimizer hint. A quote that is open at its end might hide that
// from the server's own reading of hints.
func (l *lexer) hint() bool {
	start := l.at
	return l.skipComment(0) && harmlessHint(l.text[start:l.at])
}

var (
	setVar     = regexp.MustCompile(`(?i)set_var`)
	setVarName = regexp.MustCompile(`(?i)set_var\s*\(\s*([a-z_]+)\s*=`)
)

// harmlessHint says whether a hint ends for every server where it ends here, and
// makes no settings but those of time, memory and the choice of plans.
//
// https://dev.mysql.com/doc/refman/8.4/en/optimizer-hints.html
func harmlessHint(text string) bool {
	quote := byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\':
			return false
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"' || c == '`'):
			quote = c
		}
	}
	names := setVarName.FindAllStringSubmatch(text, -1)
	return quote == 0 && len(names) == len(setVar.FindAllString(text, -1)) && !slices.ContainsFunc(names, func(n []string) bool {
		return !slices.Contains(harmlessForStatement, strings.ToLower(n[1]))
	})
}

// skipComment skips to the end of the comment; nested says how many levels of
// comments inside of it count.
func (l *lexer) skipComment(nested int) bool {
	l.at += 2
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.HasPrefix(rest, "*/"):
			l.at += 2
			return true
		case nested > 0 && strings.HasPrefix(rest, "/*"):
			if !l.skipComment(nested - 1) {
				return false
			}
		default:
			l.at++
		}
	}
	return false
}
