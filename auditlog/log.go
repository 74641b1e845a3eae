package auditlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Durability says what the death of the machine may cost.
type Durability string

const (
	Strict     Durability = "strict"     // nothing: every begin is synced first
	Classified Durability = "classified" // what touches no labelled column: 200 ms of it
	Spool      Durability = "spool"      // 200 ms
)

// Options say where and how a log is kept.
type Options struct {
	Directory  string
	Node       string     // this proxy's name in every record; "" for the host's
	Durability Durability // "" for Classified
}

// ErrUnavailable is the cause of every error of [Log.Append]: the statement
// must be refused (PostgreSQL 58030, MySQL 1105).
var ErrUnavailable = errors.New("audit log is not available")

// A Log keeps the records of one proxy.
type Log struct {
	mu   sync.Mutex
	file *os.File
	seq  uint64
	node string
}

// Open opens the log in a directory, which it makes when it is missing.
func Open(o Options) (*Log, error) {
	if err := os.MkdirAll(o.Directory, 0o700); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(o.Directory, "audit.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return &Log{file: file, node: o.Node}, nil
}

// Append puts e on record and returns its number. Once it returns, the death
// of the process loses nothing; a strict record, or one of a kind that the log's
// durability makes so, is on the disk as well. After an error the statement
// must not be let through.
func (l *Log) Append(e *Event, strict bool) (seq uint64, err error) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	e.buf = append(strconv.AppendUint(append(e.buf[:0], `{"v":1,"seq":`...), l.seq, 10), `,"ts":"`...)
	e.buf = append(appendTime(e.buf, e.Time), `","node":`...)
	e.buf = append(appendString(e.buf, l.node, maxString), ',')
	e.buf = append(appendBody(e.buf, e), "}\n"...)
	if _, err := l.file.Write(e.buf); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return l.seq, nil
}

// Close ends the log. Append must not be called any more.
func (l *Log) Close() error { return l.file.Close() }
