package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// A cutOut is a FROM item that the parser does not know and that a name stands for:
// a JSON_TABLE(...), or MariaDB's VALUES (...), (...).
type cutOut struct {
	in       *input   // from which it was cut
	from, to int      // the tokens of the document, or of the rows
	columns  []string // of a JSON_TABLE; those of rows are named after the first of them
}

// standInName begins the names that stand for what was cut out.
const standInName = "\x01t"

// readableByParser puts a name in the place of each JSON_TABLE(...) and of the rows
// of a VALUES, and spells what else the parser does not know. ok is false when a
// table could not be read.
func (in *input) readableByParser() (out *input, ok bool) {
	out = in.spelled()
	for at := 0; at < len(out.tokens); at++ {
		switch {
		case out.words(at, "JSON_TABLE", "("):
			if out, ok = out.withoutJSONTable(at); !ok {
				return in, false
			}
		case out.beginsRows(at):
			out = out.withoutRows(at)
		}
	}
	return out, true
}

// reserved are the parser's words, in upper case, that are names only in quotes.
var reserved = reservedWords()

func reservedWords() map[string]bool {
	words := map[string]bool{}
	for _, k := range parser.Keywords {
		if k.Reserved {
			words[k.Word] = true
		}
	}
	return words
}

// A columnList are the names of a subquery's columns, and the offset where they were.
type columnList struct {
	names []string
	start int
}

// hasLists says whether each column list that was cut off between two offsets is
// that of a subquery in what the parser made of the rest.
func (in *input) hasLists(n ast.Node, from, to int) bool {
	subqueries := map[string]bool{}
	n.Accept(visitor(func(n ast.Node) {
		if s, ok := n.(*ast.TableSource); ok {
			if _, table := s.Source.(*ast.TableName); !table {
				subqueries[s.AsName.O] = true
			}
		}
	}))
	for alias, list := range in.lists {
		if list.start >= from && list.start < to && !subqueries[alias] {
			return false
		}
	}
	return true
}

// withoutColumnList cuts the columns off (SELECT ...) AS alias (columns), where the
// list begins at a token: the parser knows none.
//
// https://dev.mysql.com/doc/refman/8.4/en/derived-tables.html
func (in *input) withoutColumnList(at int) *input {
	alias, named := in.identifier(at - 1)
	end := in.closing(at)
	before := at - 2
	if in.word(before, "AS") {
		before--
	}
	if !named || reserved[in.keyword(at-1)] || !in.word(at, "(") || end < 0 || !in.word(before, ")") || !in.beginsQuery(in.opening(before)+1) {
		return in
	}
	var names []string
	for i := at + 1; i < end; i += 2 {
		name, ok := in.identifier(i)
		if !ok || i+1 < end && !in.word(i+1, ",") {
			return in
		}
		names = append(names, name)
	}
	if in.aliases(alias) > 1 { // which of them had the list is not known later
		return in
	}
	out := in.blank(at, end+1)
	out.lists = map[string]columnList{alias: {names, in.tokens[at].start}}
	for k, v := range in.lists {
		out.lists[k] = v
	}
	return out
}

// aliases counts where a name may be the alias of a subquery.
func (in *input) aliases(alias string) (n int) {
	for i := range in.tokens {
		if name, ok := in.identifier(i); ok && name == alias && (in.word(i-1, ")") || in.words(i-2, ")", "AS")) {
			n++
		}
	}
	return n
}

// beginsQuery says whether what is in parentheses is a query by its first token.
func (in *input) beginsQuery(at int) bool {
	for in.word(at, "(") {
		at++
	}
	switch in.keyword(at) {
	case "SELECT", "WITH", "VALUES", "TABLE":
		return true
	}
	return false
}

// opening is the parenthesis that the one at a token closes, -1 when there is none.
func (in *input) opening(at int) int {
	depth := 0
	for i := at; i >= 0; i-- {
		switch in.tokens[i].kind {
		case tokenClose:
			depth++
		case tokenOpen:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func (in *input) withoutJSONTable(at int) (out *input, ok bool) {
	end := in.closing(at + 1)
	columns := in.findWithin(at+2, end, "COLUMNS")
	comma := in.comma(at+2, end)
	if end < 0 || columns < 0 || comma < 0 || comma > columns {
		return in, false
	}
	names, ok := in.jsonColumns(columns + 1)
	if !ok {
		return in, false
	}
	return in.standFor(at, end+1, "", cutOut{in: in, from: at + 2, to: comma, columns: names}), true
}

// beginsRows says whether a VALUES of MariaDB's that is a query begins at a token,
// and not the function or the clause of INSERT.
func (in *input) beginsRows(at int) bool {
	if in.mode.flavour != flavourMariaDB || !in.words(at, "VALUES", "(") || in.find(0, "DUPLICATE") >= 0 {
		return false
	}
	return at == 0 || slices.ContainsFunc([]string{"(", "UNION", "ALL", "DISTINCT", "EXCEPT", "INTERSECT"}, func(before string) bool {
		return in.word(at-1, before)
	})
}

// rowsEnd is the end of rows in parentheses, -1 when it is nowhere.
func (in *input) rowsEnd(at int) int {
	for {
		end := in.closing(at)
		if end < 0 || !in.word(at, "(") {
			return -1
		}
		if !in.word(end+1, ",") {
			return end + 1
		}
		at = end + 2
	}
}

// tableOf makes a query of the name behind it.
const tableOf = "TABLE"

// withoutRows leaves the rows where they are when there is no room for a name.
func (in *input) withoutRows(at int) *input {
	end := in.rowsEnd(at + 1)
	if end < 0 || in.tokens[end-1].end-in.tokens[at].start < len(tableOf)+len(standInName)+len("``")+len(itoa(len(in.tables))) {
		return in
	}
	return in.standFor(at, end, tableOf, cutOut{in: in, from: at + 1, to: end})
}

// standFor puts a name, behind a keyword, in the place of the tokens from one up to
// another.
func (in *input) standFor(at, end int, keyword string, t cutOut) *input {
	place := in.tokens[at].start
	name := standInName + itoa(len(in.tables))
	out := in.blank(at, end).overwritten(place, keyword+"`"+name+"`")
	out.tables = map[string]cutOut{name: t}
	for k, v := range in.tables {
		out.tables[k] = v
	}
	place += len(keyword)
	tokens := append([]token{}, out.tokens[:at]...)
	tokens = append(tokens, token{tokenQuoted, place, place + len(name) + 2})
	out.tokens = append(tokens, out.tokens[at:]...)
	return out
}

// jsonColumns reads the names in COLUMNS (...), those of NESTED PATH too.
func (in *input) jsonColumns(open int) (names []string, ok bool) {
	end := in.closing(open)
	if open >= len(in.tokens) || in.tokens[open].kind != tokenOpen || end < 0 {
		return nil, false
	}
	for at := open + 1; at < end; {
		next := in.comma(at, end)
		if next < 0 {
			next = end
		}
		if in.word(at, "NESTED") {
			columns := in.findWithin(at, next, "COLUMNS")
			if columns < 0 {
				return nil, false
			}
			inner, ok := in.jsonColumns(columns + 1)
			if !ok {
				return nil, false
			}
			names = append(names, inner...)
		} else {
			name, ok := in.identifier(at)
			if !ok {
				return nil, false
			}
			names = append(names, name)
		}
		at = next + 1
	}
	return names, true
}

// standIn are the columns of what a name stands for.
func (r *resolver) standIn(n *ast.TableName, l *level) ([]column, bool) {
	t, ok := r.in.tables[n.Name.O]
	if !ok || n.Schema.O != "" || !strings.HasPrefix(n.Name.O, standInName) {
		return nil, false
	}
	in := &level{outer: l.outer, with: l.with, from: l.from, locals: l.locals}
	outer, base := r.in, r.base
	r.in = t.in
	defer func() { r.in, r.base = outer, base }()
	if t.columns == nil {
		columns, ok := r.rows(t.from, t.to, in)
		if !ok {
			r.unparsed(errForm)
		}
		return columns, true
	}
	return r.jsonTable(t, in), true
}

// jsonTable are the columns of a JSON_TABLE. How many rows there are tells of the
// document.
func (r *resolver) jsonTable(t cutOut, l *level) (columns []column) {
	doc, ok := r.expression(t.in, t.from, t.to, l)
	if !ok {
		r.unsupported("this JSON_TABLE")
	}
	r.use(doc, "json_table")
	for _, name := range t.columns {
		columns = append(columns, column{name: name, value: derived(doc)})
	}
	return columns
}

// rows are the columns of rows in parentheses, by tokens, named after the first of
// them: each may be that of any row.
func (r *resolver) rows(from, to int, l *level) (columns []column, ok bool) {
	for at := from; at < to; at = r.in.closing(at) + 2 {
		first := columns == nil
		ok := r.selected(at+1, r.in.closing(at), func(list *ast.FieldList) {
			for i, c := range r.fields(list, l.under()) {
				switch {
				case first:
					columns = append(columns, c)
				case i < len(columns):
					columns[i].value = either(columns[i].value, c.value)
				}
			}
		})
		if !ok {
			return nil, false
		}
	}
	return columns, true
}
