package mysql

import "strings"

// spelled writes what the parser does not know so that it does, without moving
// anything: what decides nothing about columns is blanked, and the rest gets another
// spelling of the same meaning.
func (in *input) spelled() *input {
	out := in
	for i := 0; i < len(out.tokens); i++ {
		if out.word(i-1, ".") { // a name, whatever word it is
			continue
		}
		out = out.charsetSpelled(i)
		switch out.keyword(i) {
		case "MATCH":
			out = out.bracketed(i)
		case "SOUNDS":
			if out.word(i+1, "LIKE") { // compares, but not the values themselves
				out = out.respell(i+1, "<   ").blank(i, i+1)
			}
		case "WITH":
			if out.words(i, "WITH", "CHECK", "OPTION") {
				out = out.blank(i, i+3)
			}
		}
		if in.mode.flavour == flavourMariaDB {
			out = out.mariaSpelled(i)
		}
		out = out.withoutColumnList(i)
	}
	return out
}

// mariaSpelled spells what only MariaDB knows.
func (in *input) mariaSpelled(i int) *input {
	switch in.keyword(i) {
	case "VALUE":
		if in.word(i+1, "(") && in.word(i-1, "=") {
			return in.respell(i, valueName)
		}
	case "CAST":
		return in.castSpelled(i)
	case "ROWS":
		if in.words(i, "ROWS", "EXAMINED") && in.number(i+2) {
			start := i
			if in.word(i-1, "LIMIT") {
				start--
			}
			return in.blank(start, i+3)
		}
	case "OFFSET", "FETCH":
		if end := in.fetch(i); end > 0 {
			return in.blank(i, end)
		}
	case "FOR":
		if end := in.systemTime(i); end > 0 {
			return in.blank(i, end)
		}
	case "GROUP_CONCAT":
		return in.limited(i + 1)
	case "JSON_ARRAYAGG":
		if limited := in.limited(i + 1); in.orders(i + 1) {
			return limited.respell(i, " GROUP_CONCAT")
		}
	case "CYCLE":
		if end := in.cycle(i); end > 0 {
			out := in.blank(i, end)
			out.cycles = true
			return out
		}
	case "MEDIAN", "PERCENTILE_CONT", "PERCENTILE_DISC":
		return in.percentile(i)
	}
	return in
}

// valueName is VALUE(column), which is VALUES(column), as a function.
const valueName = "valu$"

// respell writes a token in another way, no longer than it is.
func (in *input) respell(at int, word string) *input {
	t := in.tokens[at]
	return in.overwritten(t.start, word+strings.Repeat(" ", t.end-t.start-len(word)))
}

// overwritten is the statement with other text from an offset on.
func (in *input) overwritten(at int, text string) *input {
	out := *in
	out.text = in.text[:at-in.start] + text + in.text[at-in.start+len(text):]
	return &out
}

// bracketed puts the columns of MATCH a, b AGAINST (...) in parentheses, where
// there is room for them.
func (in *input) bracketed(at int) *input {
	against := in.find(at, "AGAINST")
	if _, named := in.identifier(at + 1); !named || against < 0 {
		return in
	}
	open, end := in.tokens[at].end, in.tokens[against].start-1
	if open == in.tokens[at+1].start || end < in.tokens[against-1].end {
		return in
	}
	return in.overwritten(open, "(").overwritten(end, ")")
}

// castSpelled spells CAST(x AS INT) as a function that takes and returns the same,
// and CAST(x AS INTEGER) as the standard does.
func (in *input) castSpelled(at int) *input {
	end := in.closing(at + 1)
	if !in.word(at+1, "(") || end < 0 || end < at+4 {
		return in
	}
	switch {
	case in.words(end-2, "AS", "INTEGER"):
		return in.respell(end-1, "SIGNED")
	case in.words(end-2, "AS", "INT"):
		return in.respell(at, "SIGN").blank(end-2, end)
	case in.word(end-3, "AS") && (in.word(end-2, "INT") || in.word(end-2, "INTEGER")):
		return in.blank(end-2, end-1)
	}
	return in
}

// systemTime is the end of FOR SYSTEM_TIME behind a table's name, 0 when it is none.
// Which versions of rows are read decides nothing about columns as long as it is
// said by constants.
//
// https://mariadb.com/kb/en/system-versioned-tables/#querying-historical-data
func (in *input) systemTime(at int) int {
	if !in.words(at, "FOR", "SYSTEM_TIME") {
		return 0
	}
	at += 2
	switch {
	case in.word(at, "ALL"):
		return at + 1
	case in.words(at, "AS", "OF"):
		return in.instant(at + 2)
	case in.word(at, "BETWEEN"):
		if middle := in.instant(at + 1); in.word(middle, "AND") {
			return in.instant(middle + 1)
		}
	case in.word(at, "FROM"):
		if middle := in.instant(at + 1); in.word(middle, "TO") {
			return in.instant(middle + 1)
		}
	}
	return 0
}

// cycle is the end of CYCLE a, b RESTRICT behind a WITH query, 0 when it is none.
func (in *input) cycle(at int) int {
	if !in.word(at-1, ")") {
		return 0
	}
	for i := at + 1; ; i += 2 {
		switch _, named := in.identifier(i); {
		case !named:
			return 0
		case in.word(i+1, "RESTRICT"):
			return i + 2
		case !in.word(i+1, ","):
			return 0
		}
	}
}

// instant is the end of a constant point in time, 0 when it is something else.
func (in *input) instant(at int) int {
	if in.word(at, "TIMESTAMP") || in.word(at, "TRANSACTION") {
		at++
	}
	if at >= len(in.tokens) {
		return 0
	}
	switch in.tokens[at].kind {
	case tokenString, tokenNumber, tokenParam:
		at++
	case tokenWord:
		if !in.words(at, "NOW", "(", ")") && !in.words(at, "CURRENT_TIMESTAMP", "(", ")") {
			return 0
		}
		at += 3
	default:
		return 0
	}
	if (in.word(at, "-") || in.word(at, "+")) && in.word(at+1, "INTERVAL") && in.number(at+2) {
		at += 4
	}
	return at
}

const stddev = "STDDEV"

// percentile spells MEDIAN(x) OVER (...) and PERCENTILE_CONT(f) WITHIN GROUP (ORDER
// BY x) OVER (...) as an aggregate that takes numbers as well and whose result is
// as much a secret.
//
// https://mariadb.com/kb/en/percentile_cont/
func (in *input) percentile(at int) *input {
	end := in.closing(at + 1)
	if !in.word(at+1, "(") || end < 0 {
		return in
	}
	if in.word(at, "MEDIAN") {
		if !in.word(end+1, "OVER") { // a name with a list of columns
			return in
		}
		return in.respell(at, stddev)
	}
	open := end + 3
	last := in.closing(open)
	if !in.number(at+2) || end != at+3 || !in.words(end+1, "WITHIN", "GROUP", "(", "ORDER", "BY") || last < 0 {
		return in
	}
	if in.word(last-1, "ASC") || in.word(last-1, "DESC") {
		in = in.blank(last-1, last)
	}
	name := in.tokens[open].start - len(stddev)
	return in.blank(open+1, open+3).blank(at, open).overwritten(name, stddev)
}

// number says whether a token is a number or a parameter.
func (in *input) number(at int) bool {
	return at < len(in.tokens) && (in.tokens[at].kind == tokenNumber || in.tokens[at].kind == tokenParam)
}

// fetch is the end of [OFFSET n ROWS] [FETCH NEXT n ROWS ONLY], 0 when it is none.
func (in *input) fetch(at int) int {
	rows := func(at int) bool { return in.word(at, "ROW") || in.word(at, "ROWS") }
	if in.word(at, "OFFSET") {
		if !in.number(at+1) || !rows(at+2) {
			return 0
		}
		at += 3
	}
	if !in.words(at, "FETCH", "NEXT") && !in.words(at, "FETCH", "FIRST") {
		return at
	}
	at += 2
	if in.number(at) {
		at++
	}
	switch {
	case rows(at) && in.word(at+1, "ONLY"):
		return at + 2
	case rows(at) && in.words(at+1, "WITH", "TIES"):
		return at + 3
	}
	return 0
}

// limited blanks LIMIT in the arguments of an aggregate, which open at a token.
func (in *input) limited(open int) *input {
	end := in.closing(open)
	if !in.word(open, "(") || end < 0 {
		return in
	}
	limit := in.findWithin(open+1, end, "LIMIT")
	if limit < 0 {
		return in
	}
	for i := limit + 1; i < end; i++ {
		if !in.number(i) && !in.word(i, ",") && !in.word(i, "OFFSET") {
			return in
		}
	}
	return in.blank(limit, end)
}

// orders says whether the arguments of an aggregate have an order.
func (in *input) orders(open int) bool {
	end := in.closing(open)
	return in.word(open, "(") && end >= 0 && in.findWithin(open+1, end, "ORDER") >= 0
}
