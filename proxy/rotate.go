package main

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/config"
	"sqlveil/rewrite"
)

// rotatingCatalogs are catalogs that a reload replaces when the account that
// reads them gets another password.
type rotatingCatalogs struct{ now atomic.Pointer[catalogs] }

func newRotatingCatalogs(first catalogs) *rotatingCatalogs {
	r := new(rotatingCatalogs)
	r.now.Store(&first)
	return r
}

// replace closes the catalogs before.
func (r *rotatingCatalogs) replace(next catalogs) { (*r.now.Swap(&next)).Close() }

// ask puts a question to the catalogs of now, and once more if they were replaced
// while it was being answered.
func (r *rotatingCatalogs) ask(question func(catalogs) (rewrite.Catalog, error)) (rewrite.Catalog, error) {
	asked := r.now.Load()
	answer, err := question(*asked)
	if now := r.now.Load(); err != nil && now != asked {
		return question(*now)
	}
	return answer, err
}

// Current implements [session.Catalogs].
func (r *rotatingCatalogs) Current(ctx context.Context, database string) (rewrite.Catalog, error) {
	return r.ask(func(c catalogs) (rewrite.Catalog, error) { return c.Current(ctx, database) })
}

// Known implements [session.Catalogs].
func (r *rotatingCatalogs) Known(ctx context.Context, database string) (rewrite.Catalog, error) {
	return r.ask(func(c catalogs) (rewrite.Catalog, error) { return c.Known(ctx, database) })
}

// Fresh implements [session.Catalogs].
func (r *rotatingCatalogs) Fresh(ctx context.Context, database string) (rewrite.Catalog, error) {
	return r.ask(func(c catalogs) (rewrite.Catalog, error) { return c.Fresh(ctx, database) })
}

// Verified implements [session.Catalogs].
func (r *rotatingCatalogs) Verified(ctx context.Context, database string) (rewrite.Catalog, error) {
	return r.ask(func(c catalogs) (rewrite.Catalog, error) { return c.Verified(ctx, database) })
}

// Local implements [session.Catalogs].
func (r *rotatingCatalogs) Local(ctx context.Context, database string, made []rewrite.TemporaryTable, ask func(context.Context, string) ([][]*string, error)) (rewrite.Catalog, error) {
	return r.ask(func(c catalogs) (rewrite.Catalog, error) { return c.Local(ctx, database, made, ask) })
}

// Changed implements [session.Catalogs].
func (r *rotatingCatalogs) Changed(database string) { (*r.now.Load()).Changed(database) }

// Close closes the catalogs of now.
func (r *rotatingCatalogs) Close() { (*r.now.Load()).Close() }

// stateNoDatabase is the answer to a login that is right but for the database.
const stateNoDatabase = "3D000"

// probe tries the account that reads catalogs. Without it sqlveil serves those
// who see everything in clear, and refuses all others.
func probe(ctx context.Context, l *config.Listener) error {
	_, err := wires[l.Protocol].scope(ctx, l, "")
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == stateNoDatabase {
		return nil // the account need not have a database of its own
	}
	return err
}
