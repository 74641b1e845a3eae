package mysql

import (
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

// parse parses a part of the input, by offsets, behind a prefix. What was cut off it
// to be parsed the input has then.
func (r *resolver) parse(prefix string, from, to int) (ast.StmtNode, error) {
	if err := guard(r.in.raw, r.in.tokens); err != nil {
		return nil, err
	}
	spelled := r.in.spelled()
	node, err := parse(prefix+spelled.text[from-r.in.start:to-r.in.start], r.mode)
	if err != nil {
		return nil, err
	}
	if !spelled.hasLists(node, from, to) {
		return nil, errForm
	}
	in := *r.in
	in.lists, in.cycles = spelled.lists, spelled.cycles
	r.in = &in
	return node, nil
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
