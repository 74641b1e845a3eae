package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// small are the works of one small query.
var small = []work{
	{name: "one row by key, simple", unit: "query", run: onPostgres(simpleQuery)},
	{name: "one row by key, extended", unit: "query", run: onPostgres(extendedQuery)},
	{name: "one row by key, prepared", unit: "query", run: onPostgres(preparedQuery)},
	{name: "one row by key with masked columns, prepared", unit: "query", run: onPostgres(preparedMasked)},
}

// large are the works of one large result.
var large = []work{
	{name: "rows of 8 columns, text", unit: "row", run: onPostgres(textRows)},
	{name: "rows of 8 columns, binary", unit: "row", run: onPostgres(binaryRows)},
	{name: "rows of 8 columns, COPY", unit: "row", run: onPostgres(copyRows)},
}

// Statements that every worker prepares.
const (
	plainName, plainText   = "plain", "SELECT balance FROM accounts WHERE id = $1"
	maskedName, maskedText = "masked", "SELECT name, phone FROM customers WHERE id = $1"
	rowsText               = "SELECT * FROM customers"
)

// key is a random key of both tables.
func key() [][]byte {
	return [][]byte{strconv.AppendInt(nil, int64(1+rand.IntN(mostKey)), 10)}
}

func simpleQuery(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	_, err := conn.Exec(ctx, "SELECT balance FROM accounts WHERE id = "+string(key()[0])).ReadAll()
	return 1, err
}

func extendedQuery(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	return 1, conn.ExecParams(ctx, plainText, key(), nil, nil, nil).Read().Err
}

func preparedQuery(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	return 1, conn.ExecPrepared(ctx, plainName, key(), nil, nil).Read().Err
}

func preparedMasked(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	return 1, conn.ExecPrepared(ctx, maskedName, key(), nil, nil).Read().Err
}

// newShape is a query that was never planned before.
func newShape(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	_, err := conn.Exec(ctx, fmt.Sprintf("SELECT balance AS c%d FROM accounts WHERE id = %s", rand.Uint64(), key()[0])).ReadAll()
	return 1, err
}

func textRows(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	results := conn.Exec(ctx, rowsText)
	rows := 0
	for results.NextResult() {
		rows += drain(results.ResultReader())
	}
	return rows, results.Close()
}

func binaryRows(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	reader := conn.ExecParams(ctx, rowsText, nil, nil, nil, []int16{1})
	rows := drain(reader)
	_, err := reader.Close()
	return rows, err
}

func drain(reader *pgconn.ResultReader) (rows int) {
	for reader.NextRow() {
		rows++
	}
	return rows
}

func copyRows(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	tag, err := conn.CopyTo(ctx, discard{}, "COPY ("+rowsText+") TO STDOUT")
	return int(tag.RowsAffected()), err
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
