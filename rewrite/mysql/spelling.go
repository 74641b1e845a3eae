package mysql

// spelled writes what only MariaDB knows so that the parser knows it, without
// moving anything: what decides nothing about columns is blanked, and names that
// are words of the parser's own get another spelling.
func (in *input) spelled() *input {
	if in.mode.flavour != flavourMariaDB {
		return in
	}
	out := in
	for i := 0; i < len(out.tokens); i++ {
		switch out.keyword(i) {
		case "VALUE":
			if out.word(i+1, "(") && out.word(i-1, "=") {
				out = out.respell(i, valueName)
			}
		case "INTEGER":
			if out.word(i-1, "AS") && out.word(i+1, ")") {
				out = out.respell(i, "SIGNED ")
			}
		case "ROWS":
			if out.words(i, "ROWS", "EXAMINED") && out.number(i+2) {
				start := i
				if out.word(i-1, "LIMIT") {
					start--
				}
				out = out.blank(start, i+3)
			}
		case "OFFSET":
			if end := out.fetch(i); end > 0 {
				out = out.blank(i, end)
			}
		case "GROUP_CONCAT":
			out = out.limited(i + 1)
		case "JSON_ARRAYAGG":
			if limited := out.limited(i + 1); out.orders(i + 1) {
				out = limited.respell(i, " GROUP_CONCAT")
			}
		}
	}
	return out
}

// valueName is VALUE(column), which is VALUES(column), as a function.
const valueName = "valu$"

// respell writes a token in another way, of the same length.
func (in *input) respell(at int, word string) *input {
	out := *in
	t := in.tokens[at]
	out.text = in.text[:t.start-in.start] + word + in.text[t.end-in.start:]
	return &out
}

// number says whether a token is a number or a parameter.
func (in *input) number(at int) bool {
	return at < len(in.tokens) && (in.tokens[at].kind == tokenNumber || in.tokens[at].kind == tokenParam)
}

// fetch is the end of OFFSET n ROWS [FETCH NEXT n ROWS ONLY], 0 when it is none.
func (in *input) fetch(at int) int {
	rows := func(at int) bool { return in.word(at, "ROW") || in.word(at, "ROWS") }
	if !in.number(at+1) || !rows(at+2) {
		return 0
	}
	at += 3
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
