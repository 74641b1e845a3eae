package mysql

import (
	"context"
	"fmt"
	"strings"

	"sqlveil/rewrite"
)

// A TableName names a table with its database.
type TableName struct{ Schema, Name string }

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// WithTemporary returns the newest snapshot with those of the named tables that
// are temporary ones of the session that ask talks to. Servers do not list these:
// whoever keeps the session has to remember what it made.
func (c *Catalogs) WithTemporary(ctx context.Context, ask Ask, tables []TableName) (rewrite.Catalog, error) {
	return answer(c.withTemporary(ctx, ask, tables))
}

func (c *Catalogs) withTemporary(ctx context.Context, ask Ask, tables []TableName) (*Catalog, error) {
	current, err := c.Fresh(ctx, "")
	if err != nil {
		return nil, err
	}
	base := current.(*Catalog)
	over := newLoader().catalog
	over.base, over.Mode, over.foldTables, over.print = base, base.Mode, base.foldTables, base.print
	for i, t := range tables {
		full := quoteName(t.Schema) + "." + quoteName(t.Name)
		rows, err := ask(ctx, "SHOW CREATE TABLE "+full)
		if err != nil || len(rows) != 1 || len(rows[0]) != 2 || rows[0][1] == nil || !strings.HasPrefix(*rows[0][1], "CREATE TEMPORARY TABLE") {
			continue // dropped since
		}
		if rows, err = ask(ctx, "SHOW FULL COLUMNS FROM "+full); err != nil {
			return nil, fmt.Errorf("temporary table %s: %w", full, err)
		}
		rel := &Relation{ID: firstTemporary + uint32(i), Schema: t.Schema, Name: t.Name, Kind: BaseTable, Temporary: true}
		for j, cells := range rows {
			r := row{cells}
			column := newColumn(rel, r.text(0), dataType(r.text(1)), r.text(1))
			column.Rel, column.Att = rel.ID, int16(j+1)
			column.hidden = strings.Contains(strings.ToUpper(r.text(6)), "INVISIBLE")
			rel.Columns = append(rel.Columns, column)
		}
		over.relations[over.key(t.Schema, t.Name)] = rel
		over.byID[rel.ID] = rel
	}
	if len(over.relations) == 0 {
		return base, nil
	}
	return over, nil
}

// firstTemporary is above what any history numbers.
const firstTemporary = 1 << 31

// dataType is the name of a type without its length and attributes.
func dataType(columnType string) string {
	if end := strings.IndexAny(columnType, "( "); end >= 0 {
		return columnType[:end]
	}
	return columnType
}
