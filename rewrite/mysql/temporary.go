package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sqlveil/rewrite"
)

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// withTemporary lays those of the tables over a snapshot that are temporary ones
// of the session which ask talks to. Servers do not list these: whoever keeps the
// session has to remember what it made.
func withTemporary(ctx context.Context, base *Catalog, tables []rewrite.TemporaryTable, ask Ask) (*Catalog, error) {
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
			column.stamped = strings.Contains(strings.ToLower(r.text(6)), "on update")
			if strings.Contains(strings.ToUpper(r.text(6)), "GENERATED") {
				column.generated, column.from = "unknown", slices.Clone(rel.Columns)
			}
			rel.Columns = append(rel.Columns, column)
		}
		fromLater(rel)
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

// fromLater makes the generated columns of a table, whose expressions are not
// known, depend on the columns that stand behind them too: those that are not
// generated themselves.
func fromLater(rel *Relation) {
	for i, c := range rel.Columns {
		for _, later := range rel.Columns[i+1:] {
			if c.generated != "" && later.generated == "" {
				c.from = append(c.from, later)
			}
		}
	}
}

// dataType is the name of a type without its length and attributes.
func dataType(columnType string) string {
	if end := strings.IndexAny(columnType, "( "); end >= 0 {
		return columnType[:end]
	}
	return columnType
}
