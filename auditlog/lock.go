package auditlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// lockDirectory takes the lock that the writing process holds. The kernel lets
// go of it when the process dies.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, segment.LockFile), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openKeys loads the keys, or makes them for a log that has no record yet.
func openKeys(o *Options) (*chain.Keys, error) {
	has, err := chain.HasKeys(o.Keys)
	if err != nil {
		return nil, err
	}
	if !has {
		files, err := segment.List(o.Directory)
		if err != nil {
			return nil, err
		}
		if len(files) > 0 {
			return nil, fmt.Errorf("%s holds records but the keys they were signed with are not in %s", o.Directory, o.Keys)
		}
		if err := chain.GenerateKeys(o.Keys, filepath.Join(o.Keys, chain.AuditorFile)); err != nil {
			return nil, err
		}
	}
	return chain.LoadKeys(o.Keys)
}
