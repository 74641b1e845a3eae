package main

import (
	_ "embed"
	"strings"
)

//go:embed guesses.txt
var guessesText string

var guesses = parseGrammar(guessesText)

// A secret is a protected cell of the first twin.
type secret struct {
	table   relation
	column  column
	literal string // with its type
}

// guess is a task in which a guess at one value decides something. The value is
// right in the first twin and wrong in the other. In one of three it is a
// parameter.
func (g *generator) guess(secrets []secret) task {
	s := secrets[g.IntN(len(secrets))]
	kind := kindOf(s.column.sql)
	t := task{form: "guess", way: ways[g.IntN(len(ways))]}
	condition := ""
	for of := ""; of != kind && of != "any"; {
		of, condition, _ = strings.Cut(g.pick(guesses["guess"]...), " ")
	}
	text := strings.ReplaceAll(g.pick(guesses["ask"]...), "{p}", "("+condition+")")
	value := s.literal + "::" + s.column.sql
	if g.one(3) && kind != "address" && !strings.Contains(text, ";;") && takesParameters(text) {
		t.parameter, t.text = strings.ReplaceAll(strings.Trim(s.literal, "'"), "''", "'"), kind == "text"
		value = "$1::" + s.column.sql
	}
	// {c} also stands behind "t." in a list of columns.
	text = strings.ReplaceAll(text, "t.{c}", "{c}")
	text = strings.NewReplacer("{c}", "t."+s.column.name, "{v}", value, "{t}", s.table.name+" AS t").Replace(text)
	for statement := range strings.SplitSeq(text, ";;") {
		t.statements = append(t.statements, strings.TrimSpace(statement))
	}
	return t
}

// takesParameters says whether a kind of statement may have parameters.
func takesParameters(text string) bool {
	for _, kind := range []string{"SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE"} {
		if strings.HasPrefix(text, kind) {
			return true
		}
	}
	return false
}
