package review

import (
	"context"
	"database/sql"
	"strings"
)

type word struct {
	dim column
	s   string
}

type wordRow struct {
	word
	id uint32
}

type textRow struct {
	fp   uint32
	text string
}

type objectsRow struct {
	id      uint32
	s       string
	members []member
}

type member struct {
	dim   column
	value uint32
}

// loadWords reads the dictionary, without the sessions, of which there are many.
func (b *builder) loadWords(ctx context.Context) error {
	err := each(ctx, b.store.db, "SELECT id, dim, s FROM dict WHERE dim <> ?", []any{int(colSession)}, func(rows scanner) error {
		var id uint32
		var w word
		err := rows.Scan(&id, &w.dim, &w.s)
		b.words[w] = id
		return err
	})
	if err != nil {
		return err
	}
	if err := b.store.db.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) + 1 FROM dict").Scan(&b.nextWord); err != nil {
		return err
	}
	b.forgot = b.nextWord > 1
	err = each(ctx, b.store.db, "SELECT fp FROM text", nil, func(rows scanner) error {
		var fp uint32
		err := rows.Scan(&fp)
		b.texts[fp] = true
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, b.store.db, "SELECT id, s FROM objects", nil, func(rows scanner) error {
		var id uint32
		var s string
		err := rows.Scan(&id, &s)
		b.objects[s] = id
		return err
	})
}

// scanner is one row of a query.
type scanner interface{ Scan(to ...any) error }

func each(ctx context.Context, db *sql.DB, query string, args []any, f func(scanner) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// word returns the number of a string, 0 for the empty one.
func (b *builder) word(ctx context.Context, dim column, s string) (uint32, error) {
	if s == "" {
		return 0, nil
	}
	if id, ok := b.words[word{dim, s}]; ok {
		return id, nil
	}
	w := word{dim, strings.Clone(s)}
	if dim == colSession && b.forgot {
		ids, err := b.store.numbers(ctx, "SELECT id FROM dict WHERE dim = ? AND s = ?", int(dim), s)
		if err != nil {
			return 0, err
		}
		if len(ids) > 0 {
			b.words[w] = uint32(ids[0])
			return uint32(ids[0]), nil
		}
	}
	id := b.nextWord
	b.nextWord++
	b.words[w] = id
	b.newWords = append(b.newWords, wordRow{w, id})
	return id, nil
}

// objectSet returns the number of a set of objects. There are about as many as
// there are kinds of statement, so the row holds one number for all of them.
func (b *builder) objectSet(ctx context.Context, r *Record) (uint32, error) {
	if r.RawObjects == nil {
		return 0, nil
	}
	if id, ok := b.objects[string(r.RawObjects)]; ok {
		return id, nil
	}
	objects, err := r.objects()
	if err != nil {
		return 0, err
	}
	row := objectsRow{id: uint32(len(b.objects) + 1), s: string(r.RawObjects)}
	for i := range objects {
		o := &objects[i]
		for _, cell := range [...]word{
			{dictTable, o.table()}, {dictColumn, o.Column}, {dictObjectClass, o.Class}, {dictLevel, o.Level}, {dictReleased, o.Released},
		} {
			id, err := b.word(ctx, cell.dim, cell.s)
			if err != nil {
				return 0, err
			}
			row.members = append(row.members, member{cell.dim, id})
		}
	}
	b.objects[row.s] = row.id
	b.newObjects = append(b.newObjects, row)
	return row.id, nil
}
