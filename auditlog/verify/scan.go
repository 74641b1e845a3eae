package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// A Finding is something that is not as the log was written.
type Finding struct {
	Segment string `json:"segment,omitempty"`
	Line    int    `json:"line,omitempty"` // from 1; 0 for the segment as a whole
	Seq     uint64 `json:"seq,omitempty"`
	Problem string `json:"problem"`
}

// String returns the finding as a compiler would print it.
func (f Finding) String() string {
	switch {
	case f.Segment == "":
		return f.Problem
	case f.Line == 0:
		return f.Segment + ": " + f.Problem
	}
	return fmt.Sprintf("%s:%d: %s", f.Segment, f.Line, f.Problem)
}

// A line is what is kept of each line until its segment is judged.
type line struct {
	seq     uint64
	digest  chain.Digest
	covered chain.Digest
	mac     chain.MAC
}

// special is a record that says something about the log itself.
type special struct {
	line   int // from 1
	seq    uint64
	kind   string
	Gap    gap
	Detail map[string]string
}

type gap struct {
	From, To, Count uint64
	Since, Until    time.Time
	Reason          string
}

// A scanned is one segment, read.
type scanned struct {
	file     segment.File
	lines    []line
	bytes    int64
	prev     chain.Digest // what the first line is linked to
	specials []special
	findings []Finding
	torn     bool

	growing     bool // a process is writing it
	unauthentic int  // lines with a wrong MAC
}

func (s *scanned) find(line int, seq uint64, format string, args ...any) {
	s.findings = append(s.findings, Finding{s.file.Name, line, seq, fmt.Sprintf(format, args...)})
}

func (s *scanned) last() (l line) {
	if len(s.lines) > 0 {
		l = s.lines[len(s.lines)-1]
	}
	return l
}

// scan reads a segment and checks what can be checked within it.
func scan(ctx context.Context, dir string, f segment.File, read func(int64)) *scanned {
	s := &scanned{file: f}
	r, err := segment.OpenCounted(f, read)
	if errors.Is(err, fs.ErrNotExist) && !f.Compressed { // compressed since it was listed
		if files, listErr := segment.List(dir); listErr == nil {
			for _, again := range files {
				if again.Name == f.Name {
					r, err = segment.OpenCounted(again, read)
				}
			}
		}
	}
	if err != nil {
		s.find(0, 0, "cannot be read: %v", err)
		return s
	}
	h := chain.NewHasher()
	err = segment.Lines(r, func(number int, text []byte) error {
		s.bytes += int64(len(text)) + 1
		s.add(h, number, text)
		return ctx.Err()
	})
	switch {
	case errors.Is(err, segment.ErrTorn):
		s.torn = true
	case err != nil:
		s.find(len(s.lines)+1, 0, "cannot be read: %v", err)
	}
	if err := r.Close(); err != nil {
		s.find(0, 0, "cannot be read: %v", err)
	}
	return s
}

func (s *scanned) add(h *chain.Hasher, number int, text []byte) {
	l, err := chain.Parse(text)
	whole, covered := h.Hash(text)
	if err != nil {
		// Its place stays, so that its neighbours are judged by their own.
		s.find(number, 0, "is not a record")
		s.lines = append(s.lines, line{seq: s.last().seq + 1, digest: whole, covered: covered})
		return
	}
	if number == 1 {
		s.prev = l.Prev
	} else {
		s.link(number, s.last(), &l)
	}
	s.lines = append(s.lines, line{l.Seq, whole, covered, l.MAC})
	switch string(l.Kind) {
	case "chain.checkpoint", "chain.key", "audit.gap", "admin.retention":
		special := special{line: number, seq: l.Seq, kind: string(l.Kind)}
		if err := json.Unmarshal(text, &special); err != nil {
			s.find(number, l.Seq, "is not a record: %v", err)
			return
		}
		s.specials = append(s.specials, special)
	}
}

// link judges the step from one line to the next.
func (s *scanned) link(number int, before line, l *chain.Line) {
	linked := l.Prev == before.digest
	switch {
	case linked && l.Seq > before.seq: // a jump must be explained by a gap; see judge
	case linked:
		s.find(number, l.Seq, "its number %d does not come after %d", l.Seq, before.seq)
	case l.Seq > before.seq+1:
		s.find(number, l.Seq, "records %d to %d are missing before it", before.seq+1, l.Seq-1)
	case l.Seq == before.seq:
		s.find(number, l.Seq, "record %d is there twice", l.Seq)
	case l.Seq < before.seq:
		s.find(number, l.Seq, "record %d comes after record %d", l.Seq, before.seq)
	default:
		s.find(number-1, before.seq, "was changed: line %d is not linked to it", number)
	}
}
