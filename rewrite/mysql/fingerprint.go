package mysql

import (
	"context"
	"fmt"
	"strings"
)

// fingerprintSQL hashes the definitions that a snapshot holds. Sums make the
// order of rows irrelevant. What the server's own schemas hold changes only with
// the server.
var fingerprintSQL = "SELECT CONCAT_WS(' ', @@GLOBAL.sql_mode, VERSION(), " + strings.Join([]string{
	hash("SCHEMATA", "SCHEMA_NAME", ""),
	hash("TABLES", "TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE", "TABLE_SCHEMA"),
	hash("COLUMNS", `TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_TYPE, IS_NULLABLE, EXTRA, COLUMN_KEY = 'PRI',
	COALESCE(GENERATION_EXPRESSION, '')`, "TABLE_SCHEMA"),
	hash("VIEWS", "TABLE_SCHEMA, TABLE_NAME, COALESCE(VIEW_DEFINITION, '')", "TABLE_SCHEMA"),
	hash("ROUTINES", "ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, COALESCE(ROUTINE_DEFINITION, ''), DTD_IDENTIFIER IS NULL", "ROUTINE_SCHEMA"),
	hash("PARAMETERS", "SPECIFIC_SCHEMA, SPECIFIC_NAME, ROUTINE_TYPE, ORDINAL_POSITION, COALESCE(PARAMETER_NAME, ''), COALESCE(PARAMETER_MODE, '')", "SPECIFIC_SCHEMA"),
}, ", ") + ")"

// hash is a query for the hash of a table of information_schema: two sums, since
// CRC32 alone is short.
func hash(table, columns, schema string) string {
	where := ""
	if schema != "" {
		where = " WHERE " + schema + " NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys', 'INFORMATION_SCHEMA', 'PERFORMANCE_SCHEMA')"
	}
	return fmt.Sprintf("(SELECT CONCAT(COUNT(*), '.', COALESCE(SUM(CRC32(h)), 0), '.', COALESCE(SUM(CAST(CONV(SUBSTRING(h, 9, 12), 16, 10) AS UNSIGNED)), 0)) FROM (SELECT SHA2(CONCAT_WS('/', %s), 256) h FROM information_schema.%s%s) %s)",
		columns, table, where, strings.ToLower(table))
}

func fingerprintOf(ctx context.Context, ask Ask) (string, error) {
	rows, err := ask(ctx, fingerprintSQL)
	if err != nil {
		return "", fmt.Errorf("fingerprint: %w", err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 || rows[0][0] == nil {
		return "", fmt.Errorf("fingerprint: an answer of another shape")
	}
	return *rows[0][0], nil
}
