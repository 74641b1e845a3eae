package sample

import (
	"context"
	"database/sql"
	_ "embed" // the files beside this one
	"fmt"
	"io"
	"strings"

	driver "github.com/go-sql-driver/mysql"
)

var (
	//go:embed mysql/schema.sql
	mysqlSchema string
	//go:embed mysql/after.sql
	mysqlAfter string
)

// MySQLPolicy is [Policy] for [LoadMySQL]'s tables: there, the name of a column
// has no schema in it.
var MySQLPolicy = strings.NewReplacer("public.order_total", Database+".order_total", ".public.", ".").Replace(Policy)

// LoadMySQL makes the tables in an empty database of MySQL or MariaDB and fills
// them. The pool allows several statements in a text.
func LoadMySQL(ctx context.Context, db *sql.DB, seed uint64, customers int) error {
	if _, err := db.ExecContext(ctx, mysqlSchema); err != nil {
		return fmt.Errorf("make the sample's tables: %w", err)
	}
	for _, table := range Tables(seed, customers) {
		if err := loadData(ctx, db, table); err != nil {
			return fmt.Errorf("fill %s: %w", table.Name, err)
		}
	}
	if _, err := db.ExecContext(ctx, mysqlAfter); err != nil {
		return fmt.Errorf("finish the sample: %w", err)
	}
	return nil
}

// conversions are what becomes of the texts of columns that are written in
// another way than PostgreSQL's.
var conversions = map[string]string{
	"vip":        "@vip = 'true'",
	"tags":       `CONCAT('["', REPLACE(SUBSTRING(@tags, 2, CHAR_LENGTH(@tags) - 2), ',', '","'), '"]')`,
	"photo":      "UNHEX(SUBSTRING(@photo, 3))",
	"created_at": "LEFT(@created_at, 19)",
	"placed_at":  "LEFT(@placed_at, 19)",
}

// loadData copies one table in.
// https://mariadb.com/docs/server/reference/sql-statements/data-manipulation/inserting-loading-data/load-data-into-tables-or-index/load-data-infile
func loadData(ctx context.Context, db *sql.DB, table Table) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(writeCopy(writer, table)) }()
	defer reader.Close() // ends the writer when LOAD DATA gives up early
	source := "sqlveil-sample-" + table.Name
	driver.RegisterReaderHandler(source, func() io.Reader { return reader })
	defer driver.DeregisterReaderHandler(source)
	var targets, changes []string
	for _, column := range table.Columns {
		if conversion, ok := conversions[column]; ok {
			targets, changes = append(targets, "@"+column), append(changes, column+" = "+conversion)
		} else {
			targets = append(targets, column)
		}
	}
	text := fmt.Sprintf("LOAD DATA LOCAL INFILE 'Reader::%s' INTO TABLE %s CHARACTER SET utf8mb4 (%s)", source, table.Name, strings.Join(targets, ", "))
	if len(changes) > 0 {
		text += " SET " + strings.Join(changes, ", ")
	}
	_, err := db.ExecContext(ctx, text)
	return err
}
