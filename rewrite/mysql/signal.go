package mysql

import (
	"strings"

	"sqlveil/rewrite"
)

// signalsConstants says whether what a SIGNAL or RESIGNAL says is constant, or
// comes from user variables, into which nothing protected gets.
//
// https://dev.mysql.com/doc/refman/8.4/en/signal.html
func (in *input) signalsConstants() bool {
	for i := range in.tokens {
		if !in.word(i, "=") {
			continue
		}
		if i+1 == len(in.tokens) {
			return false
		}
		switch t := in.tokens[i+1]; t.kind {
		case tokenString, tokenNumber:
		case tokenVariable:
			if strings.HasPrefix(in.raw[t.start:], "@@") {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// signal is SIGNAL or RESIGNAL in a body: the client reads what it says.
func (r *resolver) signal(in *input, at int, l *level) int {
	end := in.semicolon(at)
	for i := at; i+1 < end; i++ {
		if in.word(i, "=") {
			r.flow(r.fragment(in, i+1, i+2, l), "an error message")
		}
	}
	return end + 1
}

// diagnostics is GET DIAGNOSTICS in a body: what the server says of the statement
// before may quote values, and how many rows that changed tells of them.
//
// https://dev.mysql.com/doc/refman/8.4/en/get-diagnostics.html
func (r *resolver) diagnostics(in *input, at int) int {
	end := in.semicolon(at)
	for i := at; i+1 < end; i++ {
		if !in.word(i, "=") {
			continue
		}
		told := shownMessage
		switch in.keyword(i + 1) {
		case "ROW_COUNT":
			told = changedRows
		case "NUMBER":
			told = countedMessages
		}
		v := value{Value: rewrite.Of(told), exact: true, kind: typeText}
		name, local := in.identifier(i - 1)
		if local && has(r.program.vars, strings.ToLower(name)) {
			r.program.assign(name, v)
		} else {
			r.flow(v, "a user variable")
		}
	}
	return end + 1
}
