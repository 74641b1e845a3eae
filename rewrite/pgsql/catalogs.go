package pgsql

import (
	"context"
	"errors"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"sqlveil/rewrite"
)

const (
	// pollInterval is how often a database in use is checked for new definitions.
	pollInterval = time.Second
	// openInterval is the same for a database that only [Catalogs.Known] is asked for.
	openInterval = 10 * time.Second
	// firstWait is how long Known waits for the first snapshot of a database.
	firstWait = 2 * time.Second
	// loadShare keeps the reading of definitions that change all the time to this
	// part of the time.
	loadShare = 5
	// idleAfter is how long a database stays in use after the last question.
	idleAfter = time.Minute
	// staleAfter is how old a check may be for Current to rely on it.
	staleAfter = 10 * time.Second
	// checkTimeout bounds one check, the reading of a new snapshot included.
	checkTimeout = 30 * time.Second
	// costlyCheck and costShare bound what checks cost the server: one that took
	// longer than costlyCheck is relied upon for costShare times its duration.
	costlyCheck = 10 * time.Millisecond
	costShare   = 20
	// The wait before another attempt to connect doubles from one to the other.
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	// localSnapshots is how many snapshots of sessions are kept for each database.
	localSnapshots = 32
)

var (
	errCatalogsClosed = errors.New("the catalogs are closed")
	errUnread         = errors.New("the definitions could not be read so far")
)

// An Opener connects to a database with the account that reads catalogs. The
// Ask is used by one goroutine at a time; close ends the connection.
type Opener func(ctx context.Context, database string) (ask Ask, close func(), err error)

// Catalogs keeps the newest snapshot of each database in use. It never answers
// with a snapshot that it could not verify: without a connection there is an
// error, and what depends on it is refused.
type Catalogs struct {
	open Opener
	ctx  context.Context // done when Close is called
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	keepers map[string]*keeper // guarded by mu
}

// NewCatalogs returns Catalogs that connect with open when first asked for a
// database.
func NewCatalogs(open Opener) *Catalogs {
	ctx, stop := context.WithCancel(context.Background())
	return &Catalogs{open: open, ctx: ctx, stop: stop, keepers: map[string]*keeper{}}
}

// Close ends the connections and waits for what runs on them.
func (c *Catalogs) Close() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.wg.Wait()
}

// Current returns the newest snapshot known; while the database is in use that
// is at most about a second old, or what a check costs if that is more.
func (c *Catalogs) Current(ctx context.Context, database string) (rewrite.Catalog, error) {
	k, err := c.keeper(database)
	if err != nil {
		return nil, err
	}
	if v := k.last(); v != nil && time.Since(v.at) < max(staleAfter, v.reuse()) {
		k.touch()
		return v.catalog, nil
	}
	return answer(k.fresh(ctx))
}

// Known returns the newest snapshot at hand, however old, for those who need it
// to describe statements and not to decide about them. It waits only for the
// first one, and not where reading it failed before.
func (c *Catalogs) Known(ctx context.Context, database string) (rewrite.Catalog, error) {
	k, err := c.keeper(database)
	if err != nil {
		return nil, err
	}
	k.known.Store(time.Now().UnixNano())
	if v := k.verified.Load(); v != nil {
		return v.catalog, nil
	}
	if k.failing.Load() {
		return nil, errUnread
	}
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	return answer(k.ask(ctx))
}

// Fresh returns a snapshot that was found to be the newest by a check which
// began after the call. Callers that come during a check share the next one.
// Only where a check takes longer than 10 ms, which it does from about 1,000
// tables on while other transactions write, its answer is reused for 20 times
// as long as it took: about 1.5 s with 10,000 tables. Changed forbids that.
func (c *Catalogs) Fresh(ctx context.Context, database string) (rewrite.Catalog, error) {
	k, err := c.keeper(database)
	if err != nil {
		return nil, err
	}
	return answer(k.current(ctx))
}

// Verified is Fresh without that reuse.
func (c *Catalogs) Verified(ctx context.Context, database string) (rewrite.Catalog, error) {
	k, err := c.keeper(database)
	if err != nil {
		return nil, err
	}
	return answer(k.fresh(ctx))
}

// Changed says that definitions of a database have just changed: the next
// Fresh or Current checks, whatever the last check cost.
func (c *Catalogs) Changed(database string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.keepers[database]; k != nil {
		k.expire()
	}
}

// Local returns what the session that ask talks to sees: its uncommitted
// definitions and temporary objects too. It is the shared snapshot, as Fresh
// gives it, when the session sees nothing else, and costs that session one query
// then. In a transaction of the isolation level REPEATABLE READ that has itself
// changed definitions, other sessions' changes since its beginning are not seen.
func (c *Catalogs) Local(ctx context.Context, database string, ask Ask) (rewrite.Catalog, error) {
	k, err := c.keeper(database)
	if err != nil {
		return nil, err
	}
	return answer(k.local(ctx, ask))
}

// answer keeps a nil *Catalog from becoming an interface that is not nil.
func answer(c *Catalog, err error) (rewrite.Catalog, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// keeper returns the keeper of a database, started when it is the first call.
func (c *Catalogs) keeper(database string) (*keeper, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, errCatalogsClosed
	}
	if k := c.keepers[database]; k != nil {
		return k, nil
	}
	locals, err := lru.New[Print, *Catalog](localSnapshots)
	if err != nil {
		return nil, err
	}
	k := &keeper{database: database, open: c.open, over: c.ctx.Done(), wake: make(chan struct{}, 1), locals: locals}
	c.keepers[database] = k
	c.wg.Go(func() { k.run(c.ctx) })
	return k, nil
}
