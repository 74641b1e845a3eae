package pgsql_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A kind is what the generator knows of a type.
type kind byte

const (
	aNumber kind = 'n'
	aText   kind = 't'
	aBool   kind = 'b'
	aDate   kind = 'd'
	aJSON   kind = 'j'
	anArray kind = 'a' // of text
	aRow    kind = 'r'
	other   kind = 'o'
)

// scalars are the kinds that the generator makes expressions of.
var scalars = []kind{aNumber, aText, aText, aBool, aDate}

// A genColumn is a column that the statement under way may speak of.
type genColumn struct {
	name string // quoted where it must be
	kind kind
}

// A genTable is a table, a WITH query or a FROM item.
type genTable struct {
	name    string // with its schema if it needs one
	columns []genColumn
	row     bool // its name can stand for its row, with these fields
}

// A generator makes statements from a seed. It knows the names and roughly the
// types of what it speaks of: most, not all of its statements are valid.
type generator struct {
	*rand.Rand
	relations []genTable
	ctes      []genTable   // visible WITH queries
	scopes    [][]genTable // FROM items of this query, innermost last
	budget    int          // how many more parts the statement may have
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0)), relations: judgeRelations()}
}

// judgeRelations are the relations of testdata/pgsql/judge.sql, the first few
// columns of each in their order.
func judgeRelations() []genTable {
	var out []genTable
	for _, line := range []string{
		"shop.customer id:n name:t mail:t phone:t born:d pay:n doc:j home:r tags:a active:b code:t label:t mood:o",
		"shop.item id:n customer:n name:t price:n day:d doc:j amount:n note:t",
		"item id:n customer:n name:t amount:n note:t",
		"lager.item id:n name:t shelf:t amount:n day:d mail:t",
		"lager.gone id:n name:t phone:t",
		`"Odd ""Names"."Select" "From":n "a.b":t "ID":n id:n U&"na\00efve\0020\2603":t "Group":t customer:t name:t`,
		"lager.event id:n day:d phone:t customer:n",
		"lager.event_old id:n day:d phone:t",
		"event_new customer:n phone:t day:d id:n",
		"lager.base id:n name:t amount:n",
		"lager.child id:n name:t amount:n mail:t phone:t",
		"shop.active id:n full_name:t phone:t mail:t home:r",
		"active id:n full_name:t phone:t mail:t",
		"shop.sales buyer:t total:n last:d",
		"lager.everything id:n name:t amount:n",
		"lager.deep id:n name:t depth:n phone:t",
		"lager.rows customer:r pair:j home:r",
		`"Odd ""Names".view "From":n "a.b":t "ID":n id:n name:t next:n`,
		"shop.pays pay:n mails:n mood:o",
	} {
		t := genTable{row: true}
		for i, word := range splitOutsideQuotes(line) {
			if i == 0 {
				t.name = word
				continue
			}
			t.columns = append(t.columns, genColumn{word[:len(word)-2], kind(word[len(word)-1])})
		}
		out = append(out, t)
	}
	return out
}

// splitOutsideQuotes splits at blanks that are not in a quoted name.
func splitOutsideQuotes(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ' ' && !quoted
	})
}

// one chance in n.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// spend takes one part off the budget; false means that it is time to come to an end.
func (g *generator) spend() bool {
	g.budget--
	return g.budget > 0
}

// The names that aliases and columns get: few, so that they meet each other
// and those of tables, columns and functions.
var (
	aliases     = []string{"a", "b", "c", "t", "x", "item", "customer", "id", "name", "active", "lager", `"Select"`, `"A"`, "pick", "excluded"}
	columnNames = []string{"id", "name", "x", "y", "mail", "phone", "amount", `"From"`, `"a.b"`, "c", "item", "initials", `"ID"`}
)

// fresh is an alias that no item of this FROM has.
func (g *generator) fresh(items []genTable) string {
	for range 8 {
		name := pick(g, aliases...)
		taken := false
		for _, t := range items {
			taken = taken || t.name == name
		}
		if !taken {
			return name
		}
	}
	return fmt.Sprintf("z%d", g.IntN(1000))
}

// scope is the FROM of the innermost query.
func (g *generator) scope() []genTable { return g.scopes[len(g.scopes)-1] }

// add makes an item visible to what follows.
func (g *generator) add(t genTable) { g.scopes[len(g.scopes)-1] = append(g.scope(), t) }

// inScope runs generate in a query of its own.
func (g *generator) inScope(generate func() string) string {
	ctes := len(g.ctes)
	g.scopes = append(g.scopes, nil)
	out := generate()
	g.scopes = g.scopes[:len(g.scopes)-1]
	g.ctes = g.ctes[:ctes]
	return out
}

// column is a reference to a column of that kind, "" when there is none.
func (g *generator) column(k kind) string {
	at := len(g.scopes) - 1
	for at > 0 && g.one(5) { // an outer query's
		at--
	}
	if at < 0 {
		return ""
	}
	var found []string
	for _, t := range g.scopes[at] {
		for _, c := range t.columns {
			if c.kind != k {
				continue
			}
			switch {
			case t.name == "":
				found = append(found, c.name)
			case g.one(3) && g.unique(at, c.name):
				found = append(found, c.name)
			default:
				found = append(found, g.qualifier(t)+"."+c.name)
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	return pick(g, found...)
}

func (g *generator) unique(at int, name string) bool {
	n := 0
	for _, t := range g.scopes[at] {
		for _, c := range t.columns {
			if c.name == name {
				n++
			}
		}
	}
	return n == 1
}

// qualifier is what an item's columns are qualified by.
func (g *generator) qualifier(t genTable) string {
	if i := strings.LastIndex(t.name, "."); i > 0 && g.one(2) && !strings.Contains(t.name, `"a.b"`) {
		return t.name[i+1:]
	}
	return t.name
}

// row is the name of an item that stands for its row, "" when there is none.
func (g *generator) row() string {
	if len(g.scopes) == 0 {
		return ""
	}
	var found []string
	for _, t := range g.scope() {
		if t.row && t.name != "" {
			found = append(found, g.bare(t))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return pick(g, found...)
}

// bare is an item's name without its schema.
func (g *generator) bare(t genTable) string {
	return t.name[strings.LastIndex(t.name, ".")+1:]
}
