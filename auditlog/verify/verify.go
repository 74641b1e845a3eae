package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// Options say what a log is checked with.
type Options struct {
	Verifier   note.Verifier  // the public key of the checkpoints
	Identities []age.Identity // an auditor's keys; without them MACs are not checked
	Anchored   [][]byte       // signed checkpoints that were kept elsewhere
	Accept     []uint64       // gap records that a human has looked into
	Progress   func(done, total int64)
}

// A Report is the outcome.
type Report struct {
	Log         string    `json:"log"`
	Segments    int       `json:"segments"`
	Records     uint64    `json:"records"`
	Bytes       int64     `json:"bytes"`
	First       uint64    `json:"first"`
	Last        uint64    `json:"last"`
	Signed      time.Time `json:"signed"` // of the last checkpoint
	Checkpoints int       `json:"checkpoints"`
	Anchored    int       `json:"anchored"`          // of them, kept elsewhere
	MACs        uint64    `json:"macs"`              // checked
	Deleted     uint64    `json:"deleted,omitempty"` // records whose time was over
	Gaps        []Gap     `json:"gaps,omitempty"`
	Notes       []string  `json:"notes,omitempty"`
	Findings    []Finding `json:"findings"`
}

// A Gap is what the log itself says is missing.
type Gap struct {
	Seq    uint64 `json:"seq"` // of the record that says so
	From   uint64 `json:"from,omitempty"`
	To     uint64 `json:"to,omitempty"`
	Count  uint64 `json:"count"`
	Reason string `json:"reason"`
}

// OK reports whether nothing was found.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// a claim is a checkpoint that says what a segment is.
type claim struct {
	*chain.Checkpoint
	from  string // who says it
	where Finding
}

// verification is one run.
type verification struct {
	options  Options
	dir      string
	report   *Report
	manifest segment.Manifest
	live     bool // a process is writing the log
	head     *chain.Checkpoint
	claims   map[string][]claim // by segment

	open      *scanned        // judged, but not against the checkpoints yet
	names     map[string]bool // segments that are there
	last      line            // of the segments so far
	roots     map[string]root
	jumps     []jump
	gaps      []special
	retention map[string]*chain.Checkpoint
	firstPrev chain.Digest
	key       *chain.Key // of the next sequence number, once known
	keySeq    uint64
}

type root struct {
	size uint64
	hash [sha256.Size]byte
}

type jump struct {
	Finding
	from, to uint64
}

// Directory checks the log in a directory. The error is about checking itself;
// what is wrong with the log is in the report.
func Directory(ctx context.Context, dir string, o Options) (*Report, error) {
	v := &verification{
		options: o, dir: dir, report: &Report{Findings: []Finding{}},
		claims: make(map[string][]claim), names: make(map[string]bool),
		roots: make(map[string]root), retention: make(map[string]*chain.Checkpoint),
	}
	if err := v.prepare(); err != nil {
		return nil, err
	}
	files, err := segment.List(dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		v.find(Finding{Problem: "there is no record"})
	}
	for s := range inOrder(ctx, dir, files, o.Progress) {
		v.judge(s)
	}
	v.settle()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.conclude(files)
	slices.SortStableFunc(v.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.Line, b.Line))
	})
	v.report.Findings = slices.Compact(v.report.Findings)
	return v.report, nil
}

func (v *verification) find(f Finding) { v.report.Findings = append(v.report.Findings, f) }

// prepare reads what is said about the segments outside them.
func (v *verification) prepare() (err error) {
	if v.live, err = Live(v.dir); err != nil {
		return err
	}
	if err := v.readHead(); err != nil {
		return err
	}
	if v.manifest, err = segment.ReadManifest(v.dir); err != nil {
		v.find(Finding{Problem: err.Error()})
	}
	for i, e := range v.manifest {
		if e.Segment == "" {
			continue
		}
		where := Finding{Segment: segment.ManifestFile, Line: i + 1}
		c := v.read([]byte(e.Note), where)
		if c == nil {
			continue
		}
		if c.Segment != e.Segment || c.Size != e.Lines || c.Seq != e.Last {
			where.Problem = "its note is about something else"
			v.find(where)
			continue
		}
		v.claims[c.Segment] = append(v.claims[c.Segment], claim{c, "the manifest", where})
	}
	for i, signed := range v.options.Anchored {
		where := Finding{Segment: "anchored checkpoint", Line: i + 1}
		if c := v.read(signed, where); c != nil {
			v.report.Anchored++
			v.claims[c.Segment] = append(v.claims[c.Segment], claim{c, "an anchored checkpoint", where})
		}
	}
	return nil
}

func (v *verification) readHead() error {
	signed, err := os.ReadFile(filepath.Join(v.dir, segment.HeadFile))
	if errors.Is(err, fs.ErrNotExist) {
		v.find(Finding{Segment: segment.HeadFile, Problem: "is missing: the end of the log is not signed"})
		return nil
	}
	if err != nil {
		return err
	}
	where := Finding{Segment: segment.HeadFile}
	if v.head = v.read(signed, where); v.head != nil {
		v.claims[v.head.Segment] = append(v.claims[v.head.Segment], claim{v.head, "the head", where})
		v.report.Signed = v.head.Time
		v.report.Log = v.head.Log
	}
	return nil
}

// read reads a checkpoint; one that does not fit is a finding.
func (v *verification) read(signed []byte, where Finding) *chain.Checkpoint {
	c, err := chain.OpenCheckpoint(signed, v.options.Verifier)
	if err != nil {
		where.Problem = err.Error()
		v.find(where)
		return nil
	}
	if v.report.Log == "" {
		v.report.Log = c.Log
	}
	if c.Log != v.report.Log {
		where.Problem = fmt.Sprintf("is about the log %s, not %s", c.Log, v.report.Log)
		v.find(where)
		return nil
	}
	v.report.Checkpoints++
	return c
}

// Live reports whether a process writes the log.
func Live(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, segment.LockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, f.Close()
	}
	return false, errors.Join(err, f.Close())
}

// conclude checks what takes all segments to see.
func (v *verification) conclude(files []segment.File) {
	v.missing()
	v.unlisted(files)
	v.beginning(files)
	v.explain()
	for name, claims := range v.claims {
		if v.names[name] {
			continue
		}
		for _, c := range claims {
			if c.from != "the manifest" && v.retention[name] == nil {
				v.find(Finding{Segment: name, Problem: fmt.Sprintf("is missing: %s of %s covers %d of its lines", c.from, c.Time.Format(time.RFC3339), c.Size)})
			}
		}
	}
	v.report.Last = v.last.seq
}

// missing looks for segments that the manifest lists.
func (v *verification) missing() {
	for i, e := range v.manifest {
		if e.Segment == "" || v.names[e.Segment] {
			continue
		}
		c := v.retention[e.Segment]
		if c == nil {
			v.find(Finding{Segment: e.Segment, Problem: fmt.Sprintf("is missing, with records %d to %d", e.First, e.Last)})
			continue
		}
		if c.Seq != e.Last || c.Size != e.Lines {
			v.find(Finding{Segment: segment.ManifestFile, Line: i + 1, Problem: "is not the segment that was deleted"})
		}
		v.report.Deleted += e.Lines
	}
}

// unlisted looks for closed segments that the manifest does not list.
func (v *verification) unlisted(files []segment.File) {
	for i, f := range files {
		_, listed := v.manifest.Find(f.Name)
		growing := i == len(files)-1 || v.live && v.head != nil && f.Name >= v.head.Segment
		if !listed && !growing {
			v.find(Finding{Segment: segment.ManifestFile, Problem: "does not list segment " + f.Name})
		}
	}
}

// beginning checks that the first line is the log's first, or follows a segment
// whose deletion is on record.
func (v *verification) beginning(files []segment.File) {
	if v.report.First <= 1 && v.firstPrev == (chain.Digest{}) || len(files) == 0 {
		return
	}
	for _, c := range v.retention {
		if c.Line == v.firstPrev && c.Seq < v.report.First {
			return
		}
	}
	v.find(Finding{Segment: files[0].Name, Line: 1, Seq: v.report.First, Problem: fmt.Sprintf("is not the beginning of the log: records up to %d are missing", v.report.First-1)})
}

// explain matches numbers that are missing with the gaps that the log admits.
func (v *verification) explain() {
	for _, j := range v.jumps {
		seq := j.from
		for progress := true; progress && seq <= j.to; {
			progress = false
			for _, g := range v.gaps {
				if g.Gap.From <= seq && g.Gap.To >= seq && g.seq > seq {
					seq, progress = g.Gap.To+1, true
				}
			}
		}
		if seq <= j.to {
			v.find(j.Finding)
		}
	}
	for _, g := range v.gaps {
		v.report.Gaps = append(v.report.Gaps, Gap{g.seq, g.Gap.From, g.Gap.To, g.Gap.Count, g.Gap.Reason})
	}
}

// number reads a decimal that a detail holds.
func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
