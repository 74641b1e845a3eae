package main

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

//go:embed grammar.txt
var grammarText string

// deepest is how many rules may stand in each other before each takes its first
// alternative.
const deepest = 9

// A grammar makes statements.
type grammar struct {
	r       *rand.Rand
	rules   map[string][]string
	guesses map[string][]string
}

// newGrammar reads grammar.txt.
func newGrammar(r *rand.Rand, guesses map[string][]string) (*grammar, error) {
	g := &grammar{r: r, rules: map[string][]string{}, guesses: guesses}
	name := ""
	for line := range strings.Lines(grammarText) {
		line = strings.TrimRight(line, "\n")
		alternative, indented := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case indented:
			times := 1
			if first, rest, ok := strings.Cut(alternative, " "); ok {
				if n, err := strconv.Atoi(first); err == nil {
					times, alternative = n, rest
				}
			}
			for range times {
				g.rules[name] = append(g.rules[name], alternative)
			}
		default:
			name = line
		}
	}
	return g, g.check()
}

// check says which rule is named and not there.
func (g *grammar) check() error {
	for name, alternatives := range g.rules {
		for _, a := range alternatives {
			for _, part := range strings.Split(a, "<")[1:] {
				used, _, closed := strings.Cut(part, ">")
				column, guess := strings.CutPrefix(used, "?")
				if !closed || strings.ContainsAny(used, " =,)/'") {
					continue // an operator
				}
				if guess && g.guesses[column] == nil || !guess && g.rules[used] == nil {
					return fmt.Errorf("grammar: rule %s names %s, which is not there", name, used)
				}
			}
		}
	}
	return nil
}

// statement makes a statement, or several with semicolons between.
func (g *grammar) statement() string { return g.expand("statement", 0) }

func (g *grammar) expand(rule string, depth int) string {
	alternatives := g.rules[rule]
	choice := alternatives[0]
	if depth < deepest {
		choice = alternatives[g.r.IntN(len(alternatives))]
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(choice, "<")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, _ := strings.Cut(rest, ">")
		column, guess := strings.CutPrefix(name, "?")
		switch {
		case guess && g.guesses[column] != nil:
			out.WriteString(g.guesses[column][g.r.IntN(len(g.guesses[column]))])
		case g.rules[name] != nil:
			out.WriteString(g.expand(name, depth+1))
		default: // an operator
			out.WriteString("<")
			after = rest
		}
		choice = after
	}
}
