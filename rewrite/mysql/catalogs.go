package mysql

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sqlveil/rewrite"
)

const (
	// refreshAfter is how old a check may be before Current has another one made.
	refreshAfter = time.Second
	// staleAfter is how old a check may be for Current to answer before that one.
	staleAfter = 10 * time.Second
	// openAfter is when Known has a snapshot checked.
	openAfter = 10 * time.Second
	// askTimeout bounds each query of a check, and connecting for it. There are a dozen when a new snapshot is
	// read, and a busy server with tens of thousands of tables takes seconds for each.
	askTimeout = time.Minute
	// costlyCheck and costShare bound what checks cost the server: one that took
	// longer than costlyCheck is relied upon for costShare times its duration.
	costlyCheck = 5 * time.Millisecond
	costShare   = 10
)

var errCatalogsClosed = errors.New("the catalogs are closed")

// An Opener connects to the server with the account that reads catalogs. The
// Ask is used by one goroutine at a time; close ends the connection.
type Opener func(ctx context.Context) (ask Ask, close func(), err error)

// Catalogs keeps the newest snapshot of a server. It never answers with a
// snapshot that it could not verify: without a connection there is an error, and
// what depends on it is refused.
type Catalogs struct {
	open    Opener
	ctx     context.Context // done when Close is called
	stop    context.CancelFunc
	wg      sync.WaitGroup // of checks in the background
	history history

	verified atomic.Pointer[verified]
	changes  atomic.Int64  // how often Changed was called
	checking chan struct{} // holds a token while a check runs
	conn     connection    // guarded by checking
}

// verified is a snapshot with the check that last found it to be the newest.
type verified struct {
	catalog *Catalog
	at      time.Time     // when the check began
	cost    time.Duration // how long it took
	changes int64         // that were known when it began
}

// reuse is how long after its beginning a check may be relied upon.
func (v *verified) reuse() time.Duration {
	if v.cost <= costlyCheck {
		return 0
	}
	return costShare * v.cost
}

// A connection is the way to the server, nil functions when there is none.
type connection struct {
	ask   Ask
	close func()
}

func (c *connection) end() {
	if c.close != nil {
		c.close()
	}
	c.ask, c.close = nil, nil
}

// NewCatalogs returns Catalogs that connect with open when first asked.
func NewCatalogs(open Opener) *Catalogs {
	ctx, stop := context.WithCancel(context.Background())
	return &Catalogs{open: open, ctx: ctx, stop: stop, checking: make(chan struct{}, 1)}
}

// Close ends the connection and waits for what runs on it.
func (c *Catalogs) Close() {
	c.stop()
	c.wg.Wait()
	c.checking <- struct{}{}
	c.conn.end()
	<-c.checking
}

// last returns the last check, nil for none. If definitions have changed since it
// began it was made at no time, and nobody relies upon it.
func (c *Catalogs) last() *verified {
	v := c.verified.Load()
	if v != nil && v.changes != c.changes.Load() {
		return &verified{catalog: v.catalog}
	}
	return v
}

// Current returns the newest snapshot known; while the server is in use that is
// about a second old at most, or what a check costs if that is more. The
// database is of no account: a snapshot holds all of them.
func (c *Catalogs) Current(ctx context.Context, _ string) (rewrite.Catalog, error) {
	v := c.last()
	if v == nil || time.Since(v.at) >= max(staleAfter, v.reuse()) {
		return answer(c.check(ctx, time.Now()))
	}
	if time.Since(v.at) >= max(refreshAfter, v.reuse()) {
		c.refresh()
	}
	return v.catalog, nil
}

// refresh checks in the background unless a check is running. Should it fail,
// whoever asks when the snapshot is stale will be told.
func (c *Catalogs) refresh() {
	if c.ctx.Err() != nil || len(c.checking) > 0 {
		return
	}
	c.wg.Go(func() { _, _ = c.check(c.ctx, time.Now()) })
}

// Known returns the newest snapshot at hand, however old, for those who need it
// to describe statements and not to decide about them. It waits only for the
// first one.
func (c *Catalogs) Known(ctx context.Context, _ string) (rewrite.Catalog, error) {
	if v := c.last(); v != nil {
		if time.Since(v.at) >= max(openAfter, v.reuse()) {
			c.refresh()
		}
		return v.catalog, nil
	}
	return answer(c.check(ctx, time.Now()))
}

// Fresh returns a snapshot that was found to be the newest by a check which
// began after the call; callers that come during a check share the next one.
// Only where a check takes longer than costlyCheck, its answer is relied upon
// for some time. Changed forbids that.
func (c *Catalogs) Fresh(ctx context.Context, _ string) (rewrite.Catalog, error) {
	if v := c.last(); v != nil && time.Since(v.at) < v.reuse() {
		return v.catalog, nil
	}
	return answer(c.check(ctx, time.Now()))
}

// Verified is Fresh without that reuse.
func (c *Catalogs) Verified(ctx context.Context, _ string) (rewrite.Catalog, error) {
	return answer(c.check(ctx, time.Now()))
}

// Changed says that definitions have just changed: the next Fresh or Current
// checks, whatever the last check cost.
func (c *Catalogs) Changed(string) { c.changes.Add(1) }

// Local returns the newest snapshot with those of the temporary tables made that
// the session which ask talks to still has. All its other changes are everybody's
// at once.
func (c *Catalogs) Local(ctx context.Context, _ string, made []rewrite.TemporaryTable, ask func(ctx context.Context, sql string) ([][]*string, error)) (rewrite.Catalog, error) {
	base, err := c.check(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return answer(withTemporary(ctx, base, made, ask))
}

// answer keeps a nil *Catalog from becoming an interface that is not nil.
func answer(c *Catalog, err error) (rewrite.Catalog, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// check returns the snapshot of a check that began after since. The check goes on
// without a caller who gives up: the next one would have to begin it anew.
func (c *Catalogs) check(ctx context.Context, since time.Time) (*Catalog, error) {
	select {
	case c.checking <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("definitions: %w", ctx.Err())
	case <-c.ctx.Done():
		return nil, errCatalogsClosed
	}
	if v := c.verified.Load(); c.ctx.Err() == nil && v != nil && v.at.After(since) {
		<-c.checking
		return v.catalog, nil
	}
	checked := make(chan outcome, 1)
	go func() { // Close waits for the token
		defer func() { <-c.checking }()
		checked <- c.checkNow()
	}()
	select {
	case o := <-checked:
		return o.catalog, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("definitions: %w", ctx.Err())
	}
}

// An outcome is what a check came to.
type outcome struct {
	catalog *Catalog
	err     error
}

// checkNow is check for who holds the token.
func (c *Catalogs) checkNow() outcome {
	if c.ctx.Err() != nil {
		return outcome{err: errCatalogsClosed}
	}
	reused := c.conn.ask != nil
	catalog, err := c.verify(c.ctx)
	if err != nil && reused && c.ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		c.conn.end() // it may have been broken since it was last used
		catalog, err = c.verify(c.ctx)
	}
	if err != nil {
		c.conn.end()
		return outcome{err: fmt.Errorf("definitions: %w", err)}
	}
	return outcome{catalog, nil}
}

// connect opens the connection.
func (c *Catalogs) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ask, close, err := c.open(ctx)
	if err != nil {
		return err
	}
	c.conn = connection{bounded(ask), close}
	return nil
}

// bounded gives each query of ask so much time.
func bounded(ask Ask) Ask {
	return func(ctx context.Context, sql string) ([][]*string, error) {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return ask(ctx, sql)
	}
}

// verify compares the last snapshot with the server, and reads a new one where
// they differ.
func (c *Catalogs) verify(ctx context.Context) (*Catalog, error) {
	if c.conn.ask == nil {
		if err := c.connect(ctx); err != nil {
			return nil, err
		}
	}
	start, changes := time.Now(), c.changes.Load()
	last := c.verified.Load()
	print, err := fingerprintOf(ctx, c.conn.ask)
	if err != nil {
		return nil, err
	}
	cost := time.Since(start)
	catalog := (*Catalog)(nil)
	if last != nil && last.catalog.print == print {
		catalog = last.catalog
	} else {
		if catalog, err = load(ctx, c.conn.ask, print); err != nil {
			return nil, err
		}
		c.history.note(catalog)
	}
	c.verified.Store(&verified{catalog, start, cost, changes})
	return catalog, nil
}
