package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// generatedFrom are the columns that a generated column is computed from: those
// that its expression names, all of the table's when it cannot be read.
func generatedFrom(rel *Relation, c *Column, m *mode) []*Column {
	in := programInput(c.generated, m)
	var names columnNames
	node, err := ast.StmtNode(nil), in.fault
	if err == nil {
		node, err = parse("SELECT "+in.spelled().text, m)
	}
	if err == nil {
		node.Accept(&names)
	}
	var from []*Column
	earlier := true // of generated columns it can only name those before it
	for _, other := range rel.Columns {
		if other == c {
			earlier = false
			continue
		}
		if (earlier || other.generated == "") && (err != nil || contains(names, other.Name.Name)) {
			from = append(from, other)
		}
	}
	return from
}

// columnNames collects the names of the columns in an expression.
type columnNames []string

// Enter implements ast.Visitor.
func (c *columnNames) Enter(n ast.Node) (ast.Node, bool) {
	if name, ok := n.(*ast.ColumnName); ok {
		*c = append(*c, name.Name.O)
	}
	return n, false
}

// Leave implements ast.Visitor.
func (c *columnNames) Leave(n ast.Node) (ast.Node, bool) { return n, true }
