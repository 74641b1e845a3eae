package sample

import (
	"bufio"
	"context"
	_ "embed" // the files beside this one
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Schema makes the tables, Policy says who sees what of them in the database
// that [Database] names.
var (
	//go:embed schema.sql
	Schema string
	//go:embed policy.yaml
	Policy string

	//go:embed after.sql
	after string
)

// Database is what the policy calls the database.
const Database = "crm"

// Users are the logins of the demo; each has the role of its name.
var Users = []string{"analyst", "support", "dba"}

// Load makes the tables in an empty PostgreSQL database and fills them.
func Load(ctx context.Context, conn *pgx.Conn, seed uint64, customers int) error {
	if _, err := conn.PgConn().Exec(ctx, Schema).ReadAll(); err != nil {
		return fmt.Errorf("make the sample's tables: %w", err)
	}
	for _, table := range Tables(seed, customers) {
		if err := load(ctx, conn, table); err != nil {
			return fmt.Errorf("fill %s: %w", table.Name, err)
		}
	}
	if _, err := conn.PgConn().Exec(ctx, after).ReadAll(); err != nil {
		return fmt.Errorf("finish the sample: %w", err)
	}
	return nil
}

// load copies one table in.
func load(ctx context.Context, conn *pgx.Conn, table Table) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(writeCopy(writer, table)) }()
	defer reader.Close() // ends the writer when COPY gives up early
	_, err := conn.PgConn().CopyFrom(ctx, reader, fmt.Sprintf("COPY %s (%s) FROM STDIN", table.Name, strings.Join(table.Columns, ", ")))
	return err
}

var copyEscape = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// writeCopy writes rows in COPY's text format, which LOAD DATA reads too.
// https://www.postgresql.org/docs/current/sql-copy.html
func writeCopy(w io.Writer, table Table) error {
	out := bufio.NewWriterSize(w, 64<<10)
	for row := range table.Rows {
		for i, cell := range row {
			if i > 0 {
				out.WriteByte('\t')
			}
			if cell == nil {
				out.WriteString(`\N`)
			} else {
				out.WriteString(copyEscape.Replace(*cell))
			}
		}
		out.WriteByte('\n')
	}
	return out.Flush() // a bufio.Writer remembers its first error until here
}
