package review

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// flush writes everything new in one transaction.
func (b *builder) flush(ctx context.Context) (err error) {
	tx, err := b.store.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if err := b.flushWords(ctx, tx); err != nil {
		return err
	}
	blocks := b.changed
	if b.current.dirty && b.current.rows > 0 {
		blocks[b.current.id] = b.current
	}
	for _, block := range blocks {
		if err := flushBlock(ctx, tx, block); err != nil {
			return err
		}
	}
	if err := errors.Join(
		b.store.put(ctx, tx, "segment", b.segment),
		b.store.put(ctx, tx, "offset", fmt.Sprint(b.offset)),
	); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, block := range blocks {
		block.dirty = false
	}
	clear(b.changed)
	b.full = 0
	b.newWords, b.newTexts, b.newObjects = b.newWords[:0], b.newTexts[:0], b.newObjects[:0]
	if len(b.words) > mostWords {
		b.forgot = true
		for w := range b.words {
			if w.dim == colSession {
				delete(b.words, w)
			}
		}
	}
	return nil
}

func (b *builder) flushWords(ctx context.Context, tx *sql.Tx) error {
	if err := insert(ctx, tx, "INSERT INTO dict VALUES (?, ?, ?)", b.newWords, func(w wordRow) []any {
		return []any{w.id, int(w.dim), w.s}
	}); err != nil {
		return err
	}
	if err := insert(ctx, tx, "INSERT INTO text VALUES (?, ?)", b.newTexts, func(t textRow) []any {
		return []any{t.fp, t.text}
	}); err != nil {
		return err
	}
	if err := insert(ctx, tx, "INSERT INTO objects VALUES (?, ?)", b.newObjects, func(o objectsRow) []any {
		return []any{o.id, o.s}
	}); err != nil {
		return err
	}
	for _, o := range b.newObjects {
		if err := insert(ctx, tx, "INSERT OR IGNORE INTO member VALUES (?, ?, ?)", o.members, func(m member) []any {
			return []any{int(m.dim), m.value, o.id}
		}); err != nil {
			return err
		}
	}
	return nil
}

func insert[T any](ctx context.Context, tx *sql.Tx, query string, rows []T, values func(T) []any) error {
	if len(rows) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, values(row)...); err != nil {
			return errors.Join(err, stmt.Close())
		}
	}
	return stmt.Close()
}

func flushBlock(ctx context.Context, tx *sql.Tx, b *block) error {
	all := make([]column, columns)
	for i := range all {
		all[i] = column(i)
	}
	if err := insert(ctx, tx, "INSERT OR REPLACE INTO col VALUES (?, ?)", all, func(c column) []any {
		return []any{colID(c, b.id), b.data(c)}
	}); err != nil {
		return err
	}
	numbers := make([]int, buckets)
	for i := range numbers {
		numbers[i] = i
	}
	if err := insert(ctx, tx, "INSERT OR REPLACE INTO subject VALUES (?, ?)", numbers, func(n int) []any {
		return []any{int64(n)<<32 | int64(b.id), b.bucket(n)}
	}); err != nil {
		return err
	}
	z := b.zone()
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?)",
		z.id, z.rows, z.minTime, z.maxTime, int64(z.minSeq), int64(z.maxSeq))
	return err
}
