package review

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sqlveil/auditlog/segment"
)

// Options say where an index is. None must be given.
type Options struct {
	// Path of the index's file. When it is left out the index is in the log's
	// directory or, where the caller may not write there, in the user's cache.
	Path     string
	Progress func(done, total int64) // of bringing it up to date
}

// An Index is ready to be asked. It stays as it was when it was opened, but for
// what a proxy adds meanwhile.
type Index struct {
	store *store
	zones []zone
	words map[uint64]string
	texts map[uint64]string
	sets  map[uint64][]Object
}

// Open brings the index of a log up to date, making it when there is none, and
// opens it. It waits for whoever else is at it.
func Open(ctx context.Context, dir string, o Options) (*Index, error) {
	path, err := choosePath(dir, o.Path)
	if err != nil {
		return nil, err
	}
	lock, err := waitLock(ctx, path, o.Progress)
	if err == nil {
		err = update(ctx, path, dir, o.Progress)
		err = errors.Join(err, lock.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	x := &Index{words: make(map[uint64]string), texts: make(map[uint64]string), sets: make(map[uint64][]Object)}
	if x.store, err = openStore(ctx, path, false); err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	if x.zones, err = x.store.zones(ctx); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// Last returns the number and the time of the newest row.
func (x *Index) Last() (seq uint64, at time.Time) {
	if len(x.zones) == 0 {
		return 0, time.Time{}
	}
	z := x.zones[len(x.zones)-1]
	return z.maxSeq, time.UnixMicro(z.maxTime)
}

// Remove deletes the index of a log, which the next Open makes anew.
func Remove(ctx context.Context, dir string, o Options) error {
	path, err := choosePath(dir, o.Path)
	if err != nil {
		return err
	}
	lock, err := waitLock(ctx, path, nil)
	if err != nil {
		return fmt.Errorf("index %s: %w", path, err)
	}
	return errors.Join(removeFiles(path), lock.Close())
}

func removeFiles(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close closes the index.
func (x *Index) Close() error { return x.store.db.Close() }

func update(ctx context.Context, path, dir string, progress func(done, total int64)) error {
	s, b, err := openBuilder(ctx, path, dir)
	if err != nil {
		return err
	}
	return errors.Join(b.catchUp(ctx, progress), s.db.Close())
}

// openBuilder opens the index at path for writing. One that is broken, of
// another version or of another log is made anew.
func openBuilder(ctx context.Context, path, dir string) (*store, *builder, error) {
	for first := true; ; first = false {
		s, err := openStore(ctx, path, true)
		if err == nil {
			var b *builder
			if b, err = newBuilder(ctx, s, dir); err == nil {
				if err = b.sameLog(ctx); err == nil {
					return s, b, nil
				}
			}
			err = errors.Join(err, s.db.Close())
		}
		if !first || ctx.Err() != nil {
			return nil, nil, err
		}
		if err := removeFiles(path); err != nil {
			return nil, nil, err
		}
	}
}

// sameLog checks that the index is about the log in its directory and not ahead
// of it. The log's name is the first line of its head.
func (b *builder) sameLog(ctx context.Context) error {
	head, err := os.ReadFile(filepath.Join(b.dir, segment.HeadFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parts := strings.Split(strings.SplitN(string(head), "\n", 2)[0], "/")
	if len(parts) != 3 {
		return nil
	}
	name, last := parts[1], parts[2]
	known, err := b.store.get(ctx, "log")
	if err != nil {
		return err
	}
	if known != "" && known != name || b.segment > last {
		return errStale
	}
	return b.store.put(ctx, b.store.db, "log", name)
}

// choosePath returns where the index of a log is.
func choosePath(dir, path string) (string, error) {
	if path != "" {
		return filepath.Abs(path)
	}
	inside := filepath.Join(dir, segment.IndexFile)
	if writable(dir) {
		return filepath.Abs(inside)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	whole, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	place := filepath.Join(cache, "sqlveil", strings.ReplaceAll(strings.Trim(whole, "/"), "/", "%"))
	return filepath.Join(place, segment.IndexFile), os.MkdirAll(place, 0o700)
}

func writable(dir string) bool {
	const write = 2 // W_OK
	return syscall.Access(dir, write) == nil
}

var errBusy = errors.New("somebody else is at the index")

func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errBusy
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// waitLock waits until nobody else is at the index.
func waitLock(ctx context.Context, path string, progress func(done, total int64)) (*os.File, error) {
	const pause = 20 * time.Millisecond
	for {
		f, err := tryLock(path)
		if !errors.Is(err, errBusy) {
			return f, err
		}
		if progress != nil {
			progress(0, 1)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
