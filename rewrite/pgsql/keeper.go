package pgsql

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// A keeper keeps the snapshot of one database. Its goroutine alone talks on the
// connection.
type keeper struct {
	database string
	open     Opener
	over     <-chan struct{} // closed when the keeper's goroutine ends
	wake     chan struct{}   // a round waits
	verified atomic.Pointer[verified]
	changes  atomic.Int64                // how often expire was called
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
	changes int64         // that were known when it began
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

// expire makes the last check count for nothing, and one that has begun.
func (k *keeper) expire() { k.changes.Add(1) }

// last returns the last check, nil for none. If definitions have changed since it
// began it was made at no time, and nobody relies upon it.
func (k *keeper) last() *verified {
	v := k.verified.Load()
	if v != nil && v.changes != k.changes.Load() {
		return &verified{catalog: v.catalog, load: v.load}
	}
	return v
}

// current is the snapshot of a check that begins after the call, or of one
// before it that was too costly to be repeated already.
func (k *keeper) current(ctx context.Context) (*Catalog, error) {
	if v := k.last(); v != nil && time.Since(v.at) < v.reuse() {
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
	if v := k.last(); v != nil {
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
	start, changes := time.Now(), k.changes.Load()
	last := k.verified.Load()
	moment, err := transactions(ctx, conn.ask)
	if err != nil {
		return nil, err
	}
	// What was locked may be so no longer, but is not worth a reading each time.
	reload := last == nil || last.catalog.incomplete && start.Sub(conn.loaded) >= pollInterval
	if !reload && moment != "" && moment == conn.moment {
		return k.publish(&verified{last.catalog, start, time.Since(start), last.load, changes}), nil
	}
	print, err := permanentPrint(ctx, conn.ask)
	if err != nil {
		return nil, err
	}
	cost := time.Since(start)
	conn.moment = moment
	if !reload && print == last.catalog.print.Permanent {
		return k.publish(&verified{last.catalog, start, cost, last.load, changes}), nil
	}
	conn.loaded = start
	catalog, err := loadPermanent(ctx, conn.ask, k.database, print)
	if err != nil {
		conn.moment = ""
		return nil, err
	}
	k.history.note(catalog)
	return k.publish(&verified{catalog, start, cost, time.Since(start), changes}), nil
}

// publish notes that a snapshot was checked.
func (k *keeper) publish(v *verified) *Catalog {
	k.verified.Store(v)
	return v.catalog
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
