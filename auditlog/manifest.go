package auditlog

import (
	"errors"
	"os"
	"slices"
	"sync"

	"sqlveil/auditlog/segment"
)

// manifest is the list of closed segments, in memory and on disk.
type manifest struct {
	mu   sync.Mutex
	log  *Log
	list segment.Manifest
	size int64 // of the file's complete lines
}

func (m *manifest) open(l *Log) (err error) {
	m.log = l
	if m.list, err = segment.ReadManifest(l.options.Directory); err != nil || m.list == nil {
		return err
	}
	return m.rewrite()
}

// rewrite replaces the file by what is in memory: without a torn last line, and
// after the directory was lost.
func (m *manifest) rewrite() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var text []byte
	for _, e := range m.list {
		var err error
		if text, err = e.Append(text); err != nil {
			return err
		}
	}
	if err := replaceFile(m.log.disk, m.log.path(segment.ManifestFile), text, true); err != nil {
		return err
	}
	m.size = int64(len(text))
	return nil
}

// addOnce adds a segment, unless an attempt before did.
func (m *manifest) addOnce(e segment.Entry) error {
	if _, listed := m.find(e.Segment); listed {
		return nil
	}
	return m.add(e)
}

func (m *manifest) add(e segment.Entry) error {
	line, err := e.Append(nil)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.log.disk.OpenFile(m.log.path(segment.ManifestFile), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(line, m.size)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	m.size += int64(len(line))
	m.list = append(m.list, e)
	return nil
}

func (m *manifest) find(name string) (segment.Entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.list.Find(name)
}

// entries returns a copy of the list.
func (m *manifest) entries() segment.Manifest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list)
}
