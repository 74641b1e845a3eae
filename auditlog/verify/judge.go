package verify

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// judge checks a segment against the one before it. Against the checkpoints it
// is checked by settle: some stand in the next segment.
func (v *verification) judge(s *scanned) {
	v.names[s.file.Name] = true
	v.report.Segments++
	v.report.Records += uint64(len(s.lines))
	v.report.Bytes += s.bytes
	v.report.Findings = append(v.report.Findings, s.findings...)
	s.growing = v.live && v.head != nil && s.file.Name >= v.head.Segment
	if s.torn && !s.growing {
		v.find(Finding{s.file.Name, len(s.lines) + 1, 0, "is not complete"})
	}
	if len(s.lines) > 0 {
		v.join(s)
		v.noteJumps(s)
		for _, special := range s.specials {
			v.special(s, special)
		}
		s.unauthentic = v.authenticate(s)
		v.last = s.last()
	}
	v.settle()
	v.open = s
}

// settle checks the segment before the last one that was judged.
func (v *verification) settle() {
	s := v.open
	if s == nil {
		return
	}
	v.checkClaims(s)
	if len(s.lines) > 0 {
		v.uncovered(s)
	}
	v.open = nil
}

// join checks that the segment continues the one before.
func (v *verification) join(s *scanned) {
	first := s.lines[0]
	if v.report.First == 0 {
		v.report.First, v.firstPrev = first.seq, s.prev
		return
	}
	if s.prev != v.last.digest {
		problem := "is not linked to the segment before it"
		if first.seq > v.last.seq+1 {
			problem = fmt.Sprintf("records %d to %d are missing before it", v.last.seq+1, first.seq-1)
		}
		v.find(Finding{s.file.Name, 1, first.seq, problem})
	}
}

// noteJumps keeps the numbers that are not there, for explain.
func (v *verification) noteJumps(s *scanned) {
	before := v.last.seq
	for i, l := range s.lines {
		if before > 0 && l.seq > before+1 {
			v.jumps = append(v.jumps, jump{
				Finding{s.file.Name, i + 1, l.seq, fmt.Sprintf("records %d to %d are missing before it", before+1, l.seq-1)},
				before + 1, l.seq - 1,
			})
		}
		before = l.seq
	}
}

// special takes note of what a record says about the log.
func (v *verification) special(s *scanned, r special) {
	where := Finding{Segment: s.file.Name, Line: r.line, Seq: r.seq}
	switch r.kind {
	case "chain.checkpoint":
		if c := v.read([]byte(r.Detail["note"]), where); c != nil {
			v.claim(s, claim{c, "the checkpoint in it", where})
		}
	case "admin.retention":
		if c := v.read([]byte(r.Detail["note"]), where); c != nil {
			v.retention[c.Segment] = c
		}
	case "audit.gap":
		v.gaps = append(v.gaps, r)
		harmless := []string{"torn", "unfinished", "outcome"} // no statement ran unrecorded
		if !slices.Contains(harmless, r.Gap.Reason) && !slices.Contains(v.options.Accept, r.seq) {
			where.Problem = fmt.Sprintf("records were lost (%s): %d", r.Gap.Reason, r.Gap.Count)
			v.find(where)
		}
	case "chain.key":
		if r.Detail["reason"] == "lost" && !slices.Contains(v.options.Accept, r.seq) {
			where.Problem = "the chain's key was lost before it: what follows is bound to what was before by signatures only"
			v.find(where)
		}
	}
}

// claim adds a checkpoint. One about a segment that is settled already says
// nothing new, unless it is about the whole of it.
func (v *verification) claim(s *scanned, c claim) {
	if c.Segment == s.file.Name || v.open != nil && c.Segment == v.open.file.Name {
		v.claims[c.Segment] = append(v.claims[c.Segment], c)
		return
	}
	if r, known := v.roots[c.Segment]; known && r.size == c.Size && r.hash != c.Root {
		c.where.Problem = fmt.Sprintf("segment %s is not the one that its closing checkpoint is about", c.Segment)
		v.find(c.where)
	}
}

// checkClaims compares the segment's tree with every checkpoint about it.
func (v *verification) checkClaims(s *scanned) {
	claims := v.claims[s.file.Name]
	slices.SortStableFunc(claims, func(a, b claim) int { return cmp.Compare(a.Size, b.Size) })
	var tree chain.Tree
	good := 0 // lines that a checkpoint has confirmed
	for _, c := range claims {
		for tree.Size() < min(c.Size, uint64(len(s.lines))) {
			tree.Add(s.lines[tree.Size()].digest)
		}
		switch {
		case tree.Size() < c.Size:
			v.find(Finding{s.file.Name, len(s.lines) + 1, 0, fmt.Sprintf("is missing: %s of %s covers %d lines", c.from, c.Time.Format(time.RFC3339), c.Size)})
		case tree.Root() != c.Root:
			v.find(s.contradiction(c, good))
		default:
			good = int(c.Size)
		}
	}
	for tree.Size() < uint64(len(s.lines)) {
		tree.Add(s.lines[tree.Size()].digest)
	}
	v.roots[s.file.Name] = root{tree.Size(), tree.Root()}
}

// contradiction tells where a segment differs from a checkpoint. Lines in the
// middle are given away by the links between them; the last one only by the
// checkpoint itself.
func (s *scanned) contradiction(c claim, good int) Finding {
	at := fmt.Sprintf("%s of %s", c.from, c.Time.Format(time.RFC3339))
	size := int(c.Size)
	linked := !slices.ContainsFunc(s.findings, func(f Finding) bool { return f.Line > good && f.Line <= size })
	if last := s.lines[size-1]; linked && last.digest != c.Line {
		return Finding{s.file.Name, size, last.seq, "was changed: it is not the line that " + at + " names"}
	}
	return Finding{s.file.Name, good + 1, s.lines[good].seq, fmt.Sprintf("lines %d to %d are not those that %s covers", good+1, size, at)}
}

// uncovered looks for lines behind the last signature.
func (v *verification) uncovered(s *scanned) {
	covered := 0
	for _, c := range v.claims[s.file.Name] {
		covered = max(covered, int(min(c.Size, uint64(len(s.lines)))))
	}
	rest := len(s.lines) - covered
	switch {
	case rest == 0:
	case s.growing && v.signedSoon(s.last().seq):
	case v.key != nil && s.unauthentic == 0:
		v.report.Notes = append(v.report.Notes, fmt.Sprintf(
			"%s:%d: the last %d lines were not signed any more; their MACs are right", s.file.Name, covered+1, rest))
	default:
		v.find(Finding{s.file.Name, covered + 1, s.lines[covered].seq, fmt.Sprintf("%d lines from here on are not signed", rest)})
	}
}

// signedSoon waits for the process that writes the log to sign what was read.
func (v *verification) signedSoon(seq uint64) bool {
	const patience, pause = 5 * time.Second, 100 * time.Millisecond
	for waited := time.Duration(0); waited < patience; waited += pause {
		signed, err := os.ReadFile(filepath.Join(v.dir, segment.HeadFile))
		if err == nil {
			if c, err := chain.OpenCheckpoint(signed, v.options.Verifier); err == nil && c.Log == v.report.Log && c.Seq >= seq {
				return true
			}
		}
		time.Sleep(pause)
	}
	return false
}

// authenticate checks the MACs, as far as the key is known, and returns how
// many are wrong.
func (v *verification) authenticate(s *scanned) (wrong int) {
	if v.options.Identities == nil {
		return 0
	}
	keys := make(map[uint64]special)
	for _, r := range s.specials {
		switch {
		case r.kind != "chain.key":
		case r.Detail["reason"] != "segment":
			keys[r.seq] = r
		case v.key == nil:
			v.newKey(s, r)
		}
	}
	for i, l := range s.lines {
		r, changes := keys[l.seq]
		if changes && r.Detail["reason"] != "rotation" {
			v.newKey(s, r)
		}
		if v.key == nil || l.seq < v.keySeq || l.seq-v.keySeq > maxSkip {
			continue
		}
		*v.key = v.key.Ahead(l.seq - v.keySeq)
		v.report.MACs++
		if !chain.Authentic(*v.key, l.covered, l.mac) {
			wrong++
			v.find(Finding{s.file.Name, i + 1, l.seq, "its MAC is wrong: it was changed, or this log did not write it"})
		}
		*v.key, v.keySeq = v.key.Next(), l.seq+1
		if changes && r.Detail["reason"] == "rotation" {
			v.newKey(s, r)
		}
	}
	return wrong
}

// maxSkip bounds the work that a forged number can cause.
const maxSkip = 1 << 24

// newKey takes up the key that a record announces.
func (v *verification) newKey(s *scanned, r special) {
	plain, err := chain.Unseal(r.Detail["sealed"], v.options.Identities)
	if err != nil || len(plain) != len(chain.Key{}) {
		v.find(Finding{s.file.Name, r.line, r.seq, fmt.Sprintf("its sealed key cannot be opened: %v", err)})
		v.key = nil
		return
	}
	fresh := chain.Key(plain)
	if r.Detail["reason"] == "rotation" {
		if v.key != nil {
			*v.key = v.key.Mix(fresh)
		}
		return
	}
	key, seq := chain.Key{}.Mix(fresh), r.seq
	if r.Detail["reason"] == "segment" {
		key, seq = fresh, number(r.Detail["from"])
	}
	v.key, v.keySeq = &key, seq
}
