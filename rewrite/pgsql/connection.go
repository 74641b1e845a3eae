package pgsql

import (
	"context"
	"time"
)

// A connection is the keeper's way to its database.
type connection struct {
	ask     Ask
	close   func()
	moment  string    // transactions at the last fingerprint
	loaded  time.Time // when the last reading began
	backoff time.Duration
	retry   time.Time // not before
	err     error     // why the last attempt failed
}

// ensure connects unless connected; during the backoff it repeats the last error.
func (c *connection) ensure(ctx context.Context, k *keeper) error {
	if c.ask != nil {
		return nil
	}
	if time.Now().Before(c.retry) {
		return c.err
	}
	ask, close, err := k.open(ctx, k.database)
	if err != nil {
		return err
	}
	c.ask, c.close, c.moment = ask, close, ""
	_, err = ask(ctx, settingsSQL)
	return err
}

// settingsSQL makes definitions print every name with its schema, and keeps a
// check from waiting for locks.
const settingsSQL = `SELECT pg_catalog.set_config('search_path', '', false),
	pg_catalog.set_config('lock_timeout', '2s', false), pg_catalog.set_config('client_encoding', 'UTF8', false)`

func (c *connection) end() {
	if c.close != nil {
		c.close()
	}
	c.ask, c.close = nil, nil
}

func (c *connection) fail(err error) {
	c.end()
	if time.Now().Before(c.retry) {
		return // it is the error of the attempt before
	}
	c.backoff = min(max(2*c.backoff, firstBackoff), lastBackoff)
	c.retry, c.err = time.Now().Add(c.backoff), err
}

// transactions returns a text that stays the same while no transaction that
// wrote anything ends, so that nothing can have changed. A standby does not
// list the transactions it replays; there the text is "".
//
// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
func transactions(ctx context.Context, ask Ask) (string, error) {
	rows, err := ask(ctx, `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
	ELSE pg_catalog.pg_current_snapshot()::pg_catalog.text END`)
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || len(rows[0]) != 1 || rows[0][0] == nil {
		return "", nil
	}
	return *rows[0][0], nil
}
