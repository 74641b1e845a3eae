package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// checksAtOnce is how many tables are asked about in one query.
const checksAtOnce = 200

// likeDocument says whether a column of that declaration may be of MariaDB's type
// JSON, which is another name for a text with a check; MySQL's is a type of its own.
//
// https://mariadb.com/docs/server/reference/data-types/string-data-types/json
func likeDocument(dataType, collation string) bool {
	return strings.EqualFold(dataType, "longtext") && strings.EqualFold(collation, "utf8mb4_bin")
}

// documents finds out which columns that may be of MariaDB's type JSON are: those
// with its check. The server opens every table that it is asked about, which takes a
// hundred times as long as all else that it tells of one, so it is asked about no others.
func (l *loader) documents(ctx context.Context, ask Ask) error {
	if parseMode("", l.catalog.Mode).flavour != flavourMariaDB {
		return nil
	}
	for tables := range slices.Chunk(slices.Compact(l.maybe), checksAtOnce) {
		checks := step{"json checks", checksSQL(tables), 3, true, (*loader).jsonCheck}
		if err := l.step(ctx, ask, &checks); err != nil {
			return err
		}
	}
	return nil
}

// checksSQL asks for the checks of JSON in some tables, each by a query of its own:
// the server looks for one table only where both of its names are constants.
func checksSQL(tables []*Relation) string {
	queries := make([]string, len(tables))
	for i, rel := range tables {
		queries[i] = fmt.Sprintf("(SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS"+
			" WHERE CONSTRAINT_SCHEMA = _utf8mb4 0x%x AND TABLE_NAME = _utf8mb4 0x%x AND CHECK_CLAUSE LIKE 'json_valid(%%')", rel.Schema, rel.Name)
	}
	return strings.Join(queries, " UNION ALL ")
}

func (l *loader) jsonCheck(r *row) {
	rel := l.catalog.relations[l.catalog.key(r.text(0), r.text(1))]
	column, ok := strings.CutPrefix(r.text(2), "json_valid(`")
	column, closed := strings.CutSuffix(column, "`)")
	if rel == nil || !ok || !closed {
		return
	}
	if c := rel.Column(strings.ReplaceAll(column, "``", "`")); c != nil {
		c.kind, c.Type = typeJSON, "json"
	}
}
