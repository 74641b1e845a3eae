package review

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	keepEvery = time.Second // how often a quiet log is looked at
	keepTurn  = time.Second // after how long others get their turn
	// keepRest is how much longer than a turn the rest after it is: at most this
	// fraction of one core is taken from the statements.
	keepRest = 32
)

// Keep keeps the index of a log up to date until ctx ends. A proxy does so while
// it serves. It works in short turns with long rests: under load the index falls
// behind, and who opens it takes in what is missing.
func Keep(ctx context.Context, dir string, o Options) error {
	path, err := choosePath(dir, o.Path)
	if err != nil {
		return err
	}
	k := keeping{path: path, dir: dir}
	for {
		began := time.Now()
		if err := k.turn(ctx); err != nil {
			if ctx.Err() != nil {
				err = nil // it was to end
			} else {
				err = fmt.Errorf("index %s: %w", path, err)
			}
			return errors.Join(err, k.close())
		}
		select {
		case <-ctx.Done():
			return k.close()
		case <-time.After(max(keepEvery, keepRest*time.Since(began))):
		}
	}
}

// A keeping is an index that one process comes back to again and again, and
// others may have changed or deleted meanwhile.
type keeping struct {
	path, dir string
	builder   *builder    // nil before the first turn
	file      os.FileInfo // of the index that builder has open
}

func (k *keeping) turn(ctx context.Context) error {
	lock, err := waitLock(ctx, k.path, nil)
	if err != nil {
		return err
	}
	defer lock.Close()
	current, err := k.current(ctx)
	if err != nil {
		return err
	}
	if !current {
		if err := k.open(ctx); err != nil {
			return err
		}
	}
	end := time.Now().Add(keepTurn)
	k.builder.enough = func() bool { return time.Now().After(end) }
	return k.builder.catchUp(ctx, nil)
}

// current reports whether the index is the one that was left and as it was left.
func (k *keeping) current(ctx context.Context) (bool, error) {
	if k.builder == nil {
		return false, nil
	}
	now, err := os.Stat(k.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil || !os.SameFile(now, k.file) {
		return false, err
	}
	name, err1 := k.builder.store.get(ctx, "segment")
	offset, err2 := k.builder.store.get(ctx, "offset")
	return name == k.builder.segment && number(offset) == k.builder.offset, errors.Join(err1, err2)
}

func (k *keeping) open(ctx context.Context) error {
	if err := k.close(); err != nil {
		return err
	}
	_, b, err := openBuilder(ctx, k.path, k.dir)
	if err != nil {
		return err
	}
	k.builder = b
	k.file, err = os.Stat(k.path)
	return err
}

func (k *keeping) close() error {
	if k.builder == nil {
		return nil
	}
	err := k.builder.store.db.Close()
	k.builder = nil
	return err
}
