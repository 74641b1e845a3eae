package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// A Proof shows that one record is in a log, to somebody who has nothing of the
// log but its public key: the record's digest is leaf Index of an RFC 6962 tree
// whose root the note signs.
type Proof struct {
	Record string      `json:"record"` // the line as it stands in the log
	Index  int64       `json:"index"`  // of the line in its segment, from 0
	Path   []tlog.Hash `json:"path"`   // RFC 6962 audit path
	Note   string      `json:"checkpoint"`
}

// ErrNotFound says that there is no such record.
var ErrNotFound = errors.New("there is no record of this number")

// Prove makes the proof of a record.
func Prove(ctx context.Context, dir string, seq uint64, verifier note.Verifier) (*Proof, error) {
	f, err := holding(dir, seq)
	if err != nil {
		return nil, err
	}
	s, record, err := read(ctx, dir, f, seq)
	if err != nil {
		return nil, err
	}
	index := -1
	for i, l := range s.lines {
		if l.seq == seq {
			index = i
		}
	}
	if index < 0 {
		return nil, ErrNotFound
	}
	signed, c, err := covering(dir, s, uint64(index), verifier)
	if err != nil {
		return nil, err
	}
	path, err := tlog.ProveRecord(int64(c.Size), int64(index), newTree(s.lines[:c.Size]))
	if err != nil {
		return nil, err
	}
	p := &Proof{Record: record, Index: int64(index), Path: path, Note: string(signed)}
	return p, p.Check(verifier)
}

// Check checks a proof by itself.
func (p *Proof) Check(verifier note.Verifier) error {
	c, err := chain.OpenCheckpoint([]byte(p.Note), verifier)
	if err != nil {
		return err
	}
	l, err := chain.Parse([]byte(p.Record))
	if err != nil {
		return err
	}
	if l.Seq > c.Seq {
		return errors.New("the record is younger than the checkpoint")
	}
	digest, _ := chain.NewHasher().Hash([]byte(p.Record))
	if err := tlog.CheckRecord(p.Path, int64(c.Size), c.Root, p.Index, chain.Leaf(digest)); err != nil {
		return fmt.Errorf("the record is not under the checkpoint: %w", err)
	}
	return nil
}

// holding returns the segment in which a record must be.
func holding(dir string, seq uint64) (segment.File, error) {
	files, err := segment.List(dir)
	if err != nil {
		return segment.File{}, err
	}
	for i := len(files) - 1; i >= 0; i-- {
		if files[i].Name <= segment.Name(seq) {
			return files[i], nil
		}
	}
	return segment.File{}, ErrNotFound
}

func read(ctx context.Context, dir string, f segment.File, seq uint64) (s *scanned, record string, err error) {
	s = scan(ctx, dir, f, func(int64) {})
	for _, finding := range s.findings {
		return nil, "", errors.New(finding.String())
	}
	r, err := segment.Open(s.file)
	if err != nil {
		return nil, "", err
	}
	found := errors.New("found")
	err = segment.Lines(r, func(_ int, line []byte) error {
		if l, err := chain.Parse(line); err == nil && l.Seq == seq {
			record = string(line)
			return found
		}
		return nil
	})
	if errors.Is(err, found) || errors.Is(err, segment.ErrTorn) {
		err = nil
	}
	return s, record, errors.Join(err, r.Close())
}

// covering returns the checkpoint over the most lines that has the line among
// them and fits the segment.
func covering(dir string, s *scanned, index uint64, verifier note.Verifier) (signed []byte, best *chain.Checkpoint, err error) {
	var notes []string
	for _, r := range s.specials {
		if r.kind == "chain.checkpoint" {
			notes = append(notes, r.Detail["note"])
		}
	}
	manifest, err := segment.ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	if e, ok := manifest.Find(s.file.Name); ok {
		notes = append(notes, e.Note)
	}
	if head, err := os.ReadFile(filepath.Join(dir, segment.HeadFile)); err == nil {
		notes = append(notes, string(head))
	}
	for _, text := range notes {
		c, err := chain.OpenCheckpoint([]byte(text), verifier)
		if err != nil || c.Segment != s.file.Name || c.Size <= index || c.Size > uint64(len(s.lines)) {
			continue
		}
		if best == nil || c.Size > best.Size {
			signed, best = []byte(text), c
		}
	}
	if best == nil {
		return nil, nil, errors.New("no checkpoint covers the record yet")
	}
	return signed, best, nil
}

// A tree keeps all hashes of a segment's tree in tlog's order.
type tree []tlog.Hash

func newTree(lines []line) tree {
	var t tree
	for n, l := range lines {
		// A reader that cannot fail is asked for hashes that are there.
		hashes, err := tlog.StoredHashesForRecordHash(int64(n), chain.Leaf(l.digest), t)
		if err != nil {
			panic(err)
		}
		t = append(t, hashes...)
	}
	return t
}

func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = t[index]
	}
	return out, nil
}

// ParseProof reads a proof as it was printed.
func ParseProof(text []byte) (*Proof, error) {
	p := new(Proof)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, err
	}
	return p, nil
}
