package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// blank returns the statement without the tokens from one up to, but not
// including, another.
func (in *input) blank(from, to int) *input {
	out := *in
	text := []byte(in.text)
	for i := in.tokens[from].start; i < in.tokens[to-1].end; i++ {
		text[i-in.start] = ' '
	}
	out.text = string(text)
	out.tokens = append(append([]token{}, in.tokens[:from]...), in.tokens[to:]...)
	return &out
}

// parse parses a part of the input, by offsets, behind a prefix.
func (r *resolver) parse(prefix string, from, to int) (ast.StmtNode, error) {
	if err := guard(r.in.raw, r.in.tokens); err != nil {
		return nil, err
	}
	return parse(prefix+r.in.text[from-r.in.start:to-r.in.start], r.mode)
}

// parsed parses a part of the input behind a prefix and has it resolved; what it
// holds is found at its place in the whole text then. It returns whether it
// could be parsed.
func (r *resolver) parsed(prefix string, from, to int, resolve func(ast.StmtNode)) bool {
	node, err := r.parse(prefix, from, to)
	if err != nil {
		return false
	}
	base := r.base
	r.base = from - len(prefix)
	resolve(node)
	r.base = base
	return true
}

// selected parses "SELECT" and a part of the input by tokens, and has it
// resolved if it is nothing but a list.
func (r *resolver) selected(from, to int, resolve func(*ast.FieldList)) bool {
	if from >= to {
		return false
	}
	plain := false
	ok := r.parsed("SELECT ", r.in.tokens[from].start, r.in.tokens[to-1].end, func(n ast.StmtNode) {
		s, ok := n.(*ast.SelectStmt)
		if !ok || s.From != nil || s.Where != nil || s.GroupBy != nil || s.Having != nil || s.OrderBy != nil || s.Limit != nil ||
			s.SelectIntoOpt != nil || s.Distinct || s.With != nil || s.LockInfo != nil || s.Fields == nil {
			return
		}
		plain = true
		resolve(s.Fields)
	})
	return ok && plain
}

// expression resolves a part of an input, by tokens, that is one expression.
func (r *resolver) expression(in *input, from, to int, l *level) (v value, ok bool) {
	outer := r.in
	r.in = in
	ok = r.selected(from, to, func(list *ast.FieldList) {
		v = rowOf(r.fields(list, l.under()))
		if len(list.Fields) == 1 {
			v = v.row[0]
		}
	})
	r.in = outer
	return v, ok
}

// A jsonTable is a JSON_TABLE(...) that was cut out: its document, by tokens of
// the input before, and its columns.
type jsonTable struct {
	in       *input
	from, to int
	columns  []string
}

// standInName begins the names that stand for what was cut out.
const standInName = "\x01t"

// readableByParser puts a name in the place of each JSON_TABLE(...), and spells
// what else the parser does not know. ok is false when a table could not be read.
func (in *input) readableByParser() (out *input, ok bool) {
	out = in.spelled()
	for at := 0; at < len(out.tokens); at++ {
		if !out.words(at, "JSON_TABLE", "(") {
			continue
		}
		end := out.closing(at + 1)
		columns := out.findWithin(at+2, end, "COLUMNS")
		comma := out.comma(at+2, end)
		if end < 0 || columns < 0 || comma < 0 || comma > columns {
			return in, false
		}
		names, ok := out.jsonColumns(columns + 1)
		if !ok {
			return in, false
		}
		out = out.standFor(at, end, jsonTable{in: out, from: at + 2, to: comma, columns: names})
	}
	return out, true
}

// standFor puts a name in the place of the tokens from one to another.
func (in *input) standFor(at, end int, t jsonTable) *input {
	place := in.tokens[at].start
	out := in.blank(at, end+1)
	name := standInName + itoa(len(in.tables))
	text := []byte(out.text)
	copy(text[place-in.start:], "`"+name+"`")
	out.text = string(text)
	out.tables = map[string]jsonTable{name: t}
	for k, v := range in.tables {
		out.tables[k] = v
	}
	tokens := append([]token{}, out.tokens[:at]...)
	tokens = append(tokens, token{tokenQuoted, place, place + len(name) + 2})
	out.tokens = append(tokens, out.tokens[at:]...)
	return out
}

// findWithin returns the first token in a range that is the keyword, outside of
// parentheses opened there.
func (in *input) findWithin(from, to int, keyword string) int {
	if i := in.find(from, keyword); i >= 0 && i < to {
		return i
	}
	return -1
}

// comma returns the first comma in a range outside of parentheses opened there.
func (in *input) comma(from, to int) int {
	depth := 0
	for i := from; i < to; i++ {
		switch in.tokens[i].kind {
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
		case tokenComma:
			if depth == 0 {
				return i
			}
		}
	}
	return -1
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

// standIn are the columns of a JSON_TABLE that a name stands for. How many rows
// there are tells of the document.
func (r *resolver) standIn(n *ast.TableName, l *level) ([]column, bool) {
	t, ok := r.in.tables[n.Name.O]
	if !ok || n.Schema.O != "" || !strings.HasPrefix(n.Name.O, standInName) {
		return nil, false
	}
	base := r.base
	doc, ok := r.expression(t.in, t.from, t.to, &level{outer: l.outer, with: l.with, from: l.from, locals: l.locals})
	r.base = base
	if !ok {
		r.unsupported("this JSON_TABLE")
	}
	r.use(doc, "json_table")
	var columns []column
	for _, name := range t.columns {
		columns = append(columns, column{name: name, value: derived(doc)})
	}
	return columns, true
}
