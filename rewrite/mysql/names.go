package mysql

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sqlveil/masking"
	"sqlveil/rewrite"
)

// relation resolves a table's name as the server does; nil, and on record, when
// there is none.
func (r *resolver) relation(schema, table string) *Relation {
	if schema == "" {
		r.st.Effect.ReadsPath = r.st.Effect.ReadsPath || r.depth == 0
		if r.unsure {
			r.unpredicted(table)
			return nil
		}
		if r.schema == "" {
			r.unknown(rewrite.Refusal{Code: rewrite.CodeUnknownName, SQLState: "3D000", Message: "No database selected"})
			return nil
		}
		schema = r.schema
	}
	if rel := r.catalog.Relation(schema, table); rel != nil {
		return rel
	}
	if r.mode.flavour == flavourMariaDB && r.catalog.HasSchema(schema) && sequenceTable.MatchString(table) {
		return numbers
	}
	r.noTable(schema, table)
	return nil
}

// sequenceTable matches the tables that MariaDB makes up when they are named:
// they hold numbers.
//
// https://mariadb.com/kb/en/sequence-storage-engine/
var sequenceTable = regexp.MustCompile(`^seq_[0-9]+_to_[0-9]+(_step_[0-9]+)?$`)

// numbers stands for any of them.
var numbers = &Relation{Kind: BaseTable, System: true, Columns: []*Column{{
	TableColumn: rewrite.TableColumn{Name: masking.Column{Table: "seq", Name: "seq"}, Type: "bigint", System: true},
	kind:        typeInteger, digits: integerDigits, unsigned: true, notNull: true,
}}}

func (r *resolver) noTable(schema, table string) {
	why := rewrite.Refusal{Code: rewrite.CodeUnknownName, SQLState: "42S02", Message: fmt.Sprintf("Table '%s.%s' doesn't exist", schema, table)}
	switch {
	case strings.EqualFold(schema, "information_schema"):
		why.Message = fmt.Sprintf("Unknown table '%s' in information_schema", table)
	case !r.catalog.HasSchema(schema):
		why.SQLState, why.Message = "42000", fmt.Sprintf("Unknown database '%s'", schema)
	}
	r.unknown(why)
}

func (r *resolver) noColumn(parts ...string) value {
	where := r.where
	if where == "" {
		where = "field list"
	}
	return r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnknownName, SQLState: "42S22",
		Message: fmt.Sprintf("Unknown column '%s' in '%s'", strings.Join(parts, "."), where),
	})
}

// unpredicted refuses a bare name whose meaning an earlier statement of the
// same text decides.
func (r *resolver) unpredicted(name string) value {
	return r.unknown(rewrite.Refusal{
		Code: rewrite.CodeUnpredicted, Message: fmt.Sprintf("what '%s' means depends on an earlier statement of the same text", name),
		Hint: "Send the statements one by one, or write the database.",
	})
}

// columnName resolves a, t.a and db.t.a.
func (r *resolver) columnName(c *ast.ColumnName, l *level) value {
	if c.Table.O == "" {
		if v, ok := l.column(c.Name.O); ok {
			return v
		}
		return r.noColumn(c.Name.O)
	}
	parts := []string{c.Table.O, c.Name.O}
	if c.Schema.O != "" {
		parts = append([]string{c.Schema.O}, parts...)
	}
	t := r.table(l, c.Schema.O, c.Table.O)
	if t == nil {
		return r.noColumn(parts...)
	}
	if v, ok := t.find(c.Name.O); ok {
		return v
	}
	return r.noColumn(parts...)
}

// within resolves a part of a statement under its name in messages and in uses.
func (r *resolver) within(where, clause string, resolve func()) {
	outerWhere, outerClause := r.where, r.clause
	r.where, r.clause = where, clause
	resolve()
	r.where, r.clause = outerWhere, outerClause
}
