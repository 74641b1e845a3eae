package review

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"unsafe"

	_ "modernc.org/sqlite" // the driver
)

const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE dict (id INTEGER PRIMARY KEY, dim INTEGER NOT NULL, s TEXT NOT NULL);
CREATE UNIQUE INDEX dict_s ON dict (dim, s);
CREATE TABLE text (fp INTEGER PRIMARY KEY, s TEXT NOT NULL);
CREATE TABLE objects (id INTEGER PRIMARY KEY, s TEXT NOT NULL);
CREATE UNIQUE INDEX objects_s ON objects (s);
CREATE TABLE member (dim INTEGER NOT NULL, value INTEGER NOT NULL, objects INTEGER NOT NULL, PRIMARY KEY (dim, value, objects)) WITHOUT ROWID;
CREATE TABLE block (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, min_seq INTEGER NOT NULL, max_seq INTEGER NOT NULL);
CREATE TABLE col (id INTEGER PRIMARY KEY, data BLOB NOT NULL);      -- column << 32 | block
CREATE TABLE subject (id INTEGER PRIMARY KEY, data BLOB NOT NULL);  -- bucket << 32 | block
`

// version changes with the schema and with what is in it.
const version = 1

// layout names what the blobs of this machine look like.
func layout() string {
	one := uint16(1)
	return fmt.Sprintf("%d/%d", version, *(*byte)(unsafe.Pointer(&one)))
}

// A store is the index's file.
type store struct {
	db   *sql.DB
	path string
}

// errStale says that a file is no index of this version and must be made anew.
var errStale = errors.New("the index is of another version")

// openStore opens the file at path; a writable one is made when it is missing.
func openStore(ctx context.Context, path string, writable bool) (*store, error) {
	_, err := os.Stat(path)
	missing := errors.Is(err, os.ErrNotExist)
	if missing && !writable {
		return nil, err
	}
	mode := "ro"
	if writable {
		mode = "rwc"
	}
	q := url.Values{"mode": {mode}, "_pragma": {"busy_timeout(10000)", "cache_size(-4096)", "mmap_size(1073741824)"}}
	if writable {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(NORMAL)")
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	s := &store{db, path}
	if missing {
		err = s.create(ctx)
	} else {
		err = s.check(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *store) create(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, schema); err != nil {
		return err
	}
	return errors.Join(s.put(ctx, s.db, "layout", layout()), os.Chmod(s.path, 0o640))
}

func (s *store) check(ctx context.Context) error {
	got, err := s.get(ctx, "layout")
	if err != nil || got != layout() {
		return errors.Join(errStale, err)
	}
	return nil
}

// an executor is a database or a transaction.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *store) put(ctx context.Context, to executor, key, value string) error {
	_, err := to.ExecContext(ctx, "INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)
	return err
}

// get returns a value of meta, "" when there is none.
func (s *store) get(ctx context.Context, key string) (value string, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// A zone is what is known of a block without reading it.
type zone struct {
	id, rows         int
	minTime, maxTime int64
	minSeq, maxSeq   uint64
}

func (s *store) zones(ctx context.Context) (zones []zone, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, n, min_time, max_time, min_seq, max_seq FROM block ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var z zone
		if err := rows.Scan(&z.id, &z.rows, &z.minTime, &z.maxTime, &z.minSeq, &z.maxSeq); err != nil {
			return nil, err
		}
		zones = append(zones, z)
	}
	return zones, rows.Err()
}

func colID(c column, block int) int64 { return int64(c)<<32 | int64(block) }

// column reads one column of a block into it.
func (s *store) column(ctx context.Context, b *block, c column) error {
	var data sql.RawBytes
	rows, err := s.db.QueryContext(ctx, "SELECT data FROM col WHERE id = ?", colID(c, b.id))
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), fmt.Errorf("the index lacks column %d of block %d", c, b.id))
	}
	if err := rows.Scan(&data); err != nil {
		return err
	}
	b.load(c, data)
	return nil
}

// bucket reads subjects of a block.
func (s *store) bucket(ctx context.Context, block, bucket int) ([]uint64, error) {
	var data []byte
	err := s.db.QueryRowContext(ctx, "SELECT data FROM subject WHERE id = ?", int64(bucket)<<32|int64(block)).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return fromBytes[uint64](data), err
}

// block reads a whole block, to change it.
func (s *store) block(ctx context.Context, z zone) (*block, error) {
	b := &block{id: z.id, rows: z.rows}
	for c := range columns {
		if err := s.column(ctx, b, c); err != nil {
			return nil, err
		}
	}
	for n := range buckets {
		subjects, err := s.bucket(ctx, z.id, n)
		if err != nil {
			return nil, err
		}
		b.subjects = append(b.subjects, subjects...)
	}
	b.sorted = len(b.subjects)
	return b, nil
}

// remove deletes a block.
func (s *store) remove(ctx context.Context, block int) error {
	for c := range columns {
		if _, err := s.db.ExecContext(ctx, "DELETE FROM col WHERE id = ?", colID(c, block)); err != nil {
			return err
		}
	}
	for n := range buckets {
		if _, err := s.db.ExecContext(ctx, "DELETE FROM subject WHERE id = ?", int64(n)<<32|int64(block)); err != nil {
			return err
		}
	}
	_, err := s.db.ExecContext(ctx, "DELETE FROM block WHERE id = ?", block)
	return err
}

// word returns a string of the dictionary.
func (s *store) word(ctx context.Context, id uint64) (text string, err error) {
	if id == 0 {
		return "", nil
	}
	err = s.db.QueryRowContext(ctx, "SELECT s FROM dict WHERE id = ?", id).Scan(&text)
	return text, err
}

// numbers runs a query for numbers.
func (s *store) numbers(ctx context.Context, query string, args ...any) (found []uint64, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n uint64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		found = append(found, n)
	}
	return found, rows.Err()
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
