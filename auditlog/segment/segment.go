// Package segment knows the files of a log's directory: segments of lines,
// plain while they grow and compressed (zstd) afterwards, and the manifest,
// which lists the closed ones.
//
// A segment is named after the sequence number at which it was opened, in
// sixteen digits. [List] finds them, [Open] reads one whichever way it is
// stored, [Lines] cuts it.
package segment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The names of files beside the segments.
const (
	Plain        = ".jsonl"
	Compressed   = ".jsonl.zst"
	ManifestFile = "manifest.jsonl"
	HeadFile     = "head" // signed note over the growing segment
	LockFile     = "lock" // held by the process that writes
	IntakeFile   = "intake"
	KeyDirectory = "keys"
	IndexFile    = "index.sqlite"
	HoldsFile    = "holds.json"
	SocketFile   = "audit.sock" // where other processes ask the writing one for a record
)

// MaxLine bounds a line, far above what a log writes.
const MaxLine = 4 << 20

// ErrTorn says that a file ends in the middle of a line.
var ErrTorn = errors.New("last line is not complete")

// Name returns the name of a segment opened at a sequence number.
func Name(seq uint64) string { return fmt.Sprintf("%016d", seq) }

// A File is one segment on disk.
type File struct {
	Name       string
	Path       string
	Compressed bool
}

// List returns the segments of a directory in order. A segment that is there
// in both forms (compressing it was interrupted) is listed as plain.
func List(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := make(map[string]File)
	for _, e := range entries {
		name, isCompressed := strings.CutSuffix(e.Name(), Compressed)
		if !isCompressed {
			var isPlain bool
			if name, isPlain = strings.CutSuffix(e.Name(), Plain); !isPlain {
				continue
			}
		}
		if n, err := strconv.ParseUint(name, 10, 64); err != nil || Name(n) != name {
			continue
		}
		if old, twice := found[name]; twice && !old.Compressed {
			continue
		}
		found[name] = File{Name: name, Path: filepath.Join(dir, e.Name()), Compressed: isCompressed}
	}
	files := make([]File, 0, len(found))
	for _, f := range found {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// Open returns the lines of a segment as they were written.
func Open(f File) (io.ReadCloser, error) { return OpenCounted(f, nil) }

// OpenCounted is Open that tells how many bytes of the file are read, which for
// a compressed segment are fewer than there are to be had.
func OpenCounted(f File, read func(int64)) (io.ReadCloser, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	in := &counted{file, read}
	if !f.Compressed {
		return in, nil
	}
	decoder, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &unpacked{decoder, file}, nil
}

type counted struct {
	*os.File
	read func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	if c.read != nil {
		c.read(int64(n))
	}
	return n, err
}

// WriteTo is not the file's, which would not count.
func (c *counted) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

type unpacked struct {
	*zstd.Decoder
	file *os.File
}

func (u *unpacked) Close() error {
	u.Decoder.Close()
	return u.file.Close()
}

// readers are kept for their memory: whoever follows the log calls Lines every
// second.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 256<<10) }}

// Lines reads lines from r and calls f with each, without its line end, and
// with its number from 1. The line is valid during the call. A last line
// without a line end gives ErrTorn, after f has seen all before it.
func Lines(r io.Reader, f func(number int, line []byte) error) error {
	in := readers.Get().(*bufio.Reader)
	in.Reset(r)
	defer func() {
		in.Reset(nil)
		readers.Put(in)
	}()
	var long []byte
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long, err = readLong(in, append(long[:0], line...))
			line = long
		}
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("line %d: %w", number, ErrTorn)
		case err != nil:
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := f(number, line[:len(line)-1]); err != nil {
			return err
		}
	}
}

func readLong(in *bufio.Reader, line []byte) ([]byte, error) {
	for len(line) < MaxLine {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
	return line, fmt.Errorf("longer than %d bytes", MaxLine)
}

// An Entry is one line of the manifest: a segment that was closed, or the
// deletion of one.
type Entry struct {
	Segment string    `json:"segment,omitempty"`
	First   uint64    `json:"first,omitempty"` // sequence numbers of its records
	Last    uint64    `json:"last,omitempty"`
	Lines   uint64    `json:"lines,omitempty"`
	Bytes   int64     `json:"bytes,omitempty"`
	Since   time.Time `json:"since,omitzero"` // times of its first and last record
	Until   time.Time `json:"until,omitzero"`
	Note    string    `json:"note,omitempty"` // the signed checkpoint over all its lines

	Deleted string    `json:"deleted,omitempty"` // this segment's time was over
	At      time.Time `json:"at,omitzero"`
}

// Manifest is the list of closed segments, oldest first.
type Manifest []Entry

// ReadManifest reads the manifest of a directory; without a file it is empty.
// An incomplete last line, as a crash leaves it, is left out.
func ReadManifest(dir string) (Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m Manifest
	for number, line := range bytes.SplitAfter(text, []byte("\n")) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", ManifestFile, number+1, err)
		}
		m = append(m, e)
	}
	return m, nil
}

// Find returns the entry of a closed segment.
func (m Manifest) Find(name string) (Entry, bool) {
	for _, e := range m {
		if e.Segment == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Deleted reports whether a segment was deleted because its time was over.
func (m Manifest) Deleted(name string) bool {
	return slices.ContainsFunc(m, func(e Entry) bool { return e.Deleted == name })
}

// Append appends the entry as a line of the manifest.
func (e Entry) Append(dst []byte) ([]byte, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return dst, err
	}
	return append(append(dst, line...), '\n'), nil
}
