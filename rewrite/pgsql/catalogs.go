package pgsql

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
	if v := k.verified.Load(); v != nil && time.Since(v.at) < max(staleAfter, v.reuse()) {
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

// A keeper keeps the snapshot of one database. Its goroutine alone talks on the
// connection.
type keeper struct {
	database string
	open     Opener
	over     <-chan struct{} // closed when the keeper's goroutine ends
	wake     chan struct{}   // a round waits
	verified atomic.Pointer[verified]
	used     atomic.Int64                // when somebody last asked, Unix nanoseconds
	known    atomic.Int64                // likewise, of Known
	failing  atomic.Bool                 // the last check failed
	locals   *lru.Cache[Print, *Catalog] // sessions' own snapshots
	history  history

	mu   sync.Mutex
	next *round // whom the next check answers; guarded by mu
}

// verified is a snapshot with the check that last found it to be the newest.
type verified struct {
	catalog *Catalog
	at      time.Time     // when the check began
	cost    time.Duration // how long it took
	load    time.Duration // how long the last reading took
}

// reuse is how long after its beginning a check may be relied upon.
func (v *verified) reuse() time.Duration {
	if v.cost <= costlyCheck {
		return 0
	}
	return costShare * v.cost
}

// A round is one check and those who wait for it.
type round struct {
	done    chan struct{} // closed when the others are set
	catalog *Catalog
	err     error
}

func (k *keeper) touch() { k.used.Store(time.Now().UnixNano()) }

// expire makes the last check count for nothing.
func (k *keeper) expire() {
	if v := k.verified.Load(); v != nil {
		k.verified.CompareAndSwap(v, &verified{catalog: v.catalog, load: v.load})
	}
}

// current is the snapshot of a check that begins after the call, or of one
// before it that was too costly to be repeated already.
func (k *keeper) current(ctx context.Context) (*Catalog, error) {
	if v := k.verified.Load(); v != nil && time.Since(v.at) < v.reuse() {
		k.touch()
		return v.catalog, nil
	}
	return k.fresh(ctx)
}

// fresh waits for a check that begins after the call.
func (k *keeper) fresh(ctx context.Context) (*Catalog, error) {
	k.touch()
	return k.ask(ctx)
}

// ask waits for the next check.
func (k *keeper) ask(ctx context.Context) (*Catalog, error) {
	k.mu.Lock()
	if k.next == nil {
		k.next = &round{done: make(chan struct{})}
	}
	r := k.next
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default: // it is being woken already
	}
	select {
	case <-r.done:
		return r.catalog, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("definitions of %s: %w", k.database, ctx.Err())
	case <-k.over:
		return nil, errCatalogsClosed
	}
}

// run checks when somebody waits, and now and then while the database is in use.
func (k *keeper) run(ctx context.Context) {
	var conn connection
	defer conn.end()
	for {
		var tick <-chan time.Time
		if within(&k.used, idleAfter) || within(&k.known, idleAfter) {
			tick = time.After(k.pause())
		} else {
			conn.end()
		}
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-tick:
		}
		k.mu.Lock()
		r := k.next
		k.next = nil
		k.mu.Unlock()
		catalog, err := k.check(ctx, &conn)
		if r != nil {
			r.catalog, r.err = catalog, err
			close(r.done)
		}
	}
}

// pause is how long to wait between checks that nobody asked for.
func (k *keeper) pause() time.Duration {
	interval := pollInterval
	if !within(&k.used, idleAfter) {
		interval = openInterval
	}
	if v := k.verified.Load(); v != nil {
		return max(interval, v.reuse(), loadShare*v.load)
	}
	return interval
}

// within says whether a time, in Unix nanoseconds, is no longer ago than d.
func within(at *atomic.Int64, d time.Duration) bool {
	return time.Since(time.Unix(0, at.Load())) < d
}

// check verifies the snapshot or reads a new one. A connection that turns out
// to be broken is opened anew once.
func (k *keeper) check(ctx context.Context, conn *connection) (*Catalog, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	reused := conn.ask != nil
	catalog, err := k.verify(ctx, conn)
	if err != nil && reused && ctx.Err() == nil {
		conn.end()
		catalog, err = k.verify(ctx, conn)
	}
	k.failing.Store(err != nil)
	if err != nil {
		conn.fail(err)
		return nil, fmt.Errorf("definitions of %s: %w", k.database, err)
	}
	conn.backoff = 0
	return catalog, nil
}

func (k *keeper) verify(ctx context.Context, conn *connection) (*Catalog, error) {
	if err := conn.ensure(ctx, k); err != nil {
		return nil, err
	}
	start := time.Now()
	last := k.verified.Load()
	moment, err := transactions(ctx, conn.ask)
	if err != nil {
		return nil, err
	}
	// What was locked may be so no longer, but is not worth a reading each time.
	reload := last == nil || last.catalog.incomplete && start.Sub(conn.loaded) >= pollInterval
	if !reload && moment != "" && moment == conn.moment {
		return k.publish(last.catalog, start, time.Since(start)), nil
	}
	print, err := permanentPrint(ctx, conn.ask)
	if err != nil {
		return nil, err
	}
	cost := time.Since(start)
	conn.moment = moment
	if !reload && print == last.catalog.print.Permanent {
		return k.publish(last.catalog, start, cost), nil
	}
	conn.loaded = start
	catalog, err := loadPermanent(ctx, conn.ask, k.database, print)
	if err != nil {
		conn.moment = ""
		return nil, err
	}
	k.history.note(catalog)
	k.verified.Store(&verified{catalog, start, cost, time.Since(start)})
	return catalog, nil
}

// publish notes that the snapshot at hand was checked.
func (k *keeper) publish(c *Catalog, at time.Time, cost time.Duration) *Catalog {
	k.verified.Store(&verified{c, at, cost, k.verified.Load().load})
	return c
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

// local reads the snapshot of a session.
func (k *keeper) local(ctx context.Context, ask Ask) (*Catalog, error) {
	own, err := readOwn(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("definitions of %s as a session sees them: %w", k.database, err)
	}
	base, err := k.beneath(ctx, ask, own)
	if err != nil {
		return nil, err
	}
	print := Print{base.print.Permanent, joinHashes(own.hashes)}
	if print.Temporary == "" {
		return base, nil
	}
	if c, ok := k.locals.Get(print); ok && c.base == base {
		return c, nil
	}
	c, err := loadTemporary(ctx, ask, base, own)
	if err != nil {
		return nil, err
	}
	return k.remember(c), nil
}

// beneath returns the snapshot of everything permanent as the session sees it:
// the shared one unless its transaction has changed definitions.
func (k *keeper) beneath(ctx context.Context, ask Ask, own ownState) (*Catalog, error) {
	shared, err := k.current(ctx)
	if err != nil || !own.wrote {
		return shared, err
	}
	permanent, err := permanentPrint(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("definitions of %s as a session sees them: %w", k.database, err)
	}
	if shared.print.Permanent != permanent {
		shared, err = k.fresh(ctx)
	}
	if err != nil || shared.print.Permanent == permanent {
		return shared, err
	}
	if c, ok := k.locals.Get(Print{Permanent: permanent}); ok && !c.incomplete {
		return c, nil
	}
	c, err := loadPermanent(ctx, ask, k.database, permanent)
	if err != nil {
		return nil, err
	}
	return k.remember(c), nil
}

func (k *keeper) remember(c *Catalog) *Catalog {
	k.history.note(c)
	k.locals.Add(c.print, c)
	return c
}

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
