package auditlog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// A disk is what the log needs of a file system. Tests put one that fails in
// the place of the real one.
type disk interface {
	OpenFile(path string, flag int) (file, error)
	Stat(path string) (fs.FileInfo, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
	Space(path string) (free uint64, err error)
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
}

// osDisk is the operating system's. Its files can be read by the directory's
// group, where auditors may be; the intake and the keys cannot.
type osDisk struct{}

func (osDisk) OpenFile(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0o640) }
func (osDisk) Stat(path string) (fs.FileInfo, error)        { return os.Stat(path) }
func (osDisk) Rename(from, to string) error                 { return os.Rename(from, to) }
func (osDisk) Remove(path string) error                     { return os.Remove(path) }

// SyncDir makes names in a directory durable.
func (osDisk) SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Space returns the bytes that may still be written below path.
func (osDisk) Space(path string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, err
	}
	const readOnly = 1 // ST_RDONLY
	if s.Flags&readOnly != 0 {
		return 0, syscall.EROFS
	}
	blocks := s.Bavail
	if os.Geteuid() == 0 {
		blocks = s.Bfree
	}
	return blocks * uint64(s.Bsize), nil
}

// replaceFile writes a file so that a reader sees all of it or what was before.
func replaceFile(d disk, path string, text []byte, sync bool) error {
	temporary := path + ".tmp"
	f, err := d.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.Rename(temporary, path)
}
